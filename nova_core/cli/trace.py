"""`nova trace`: writes a run of this project for a trace viewer."""

from __future__ import annotations

from typing import Annotated

import typer

from nova_core.cli import complete
from nova_core.cli.choosing import OnlyPlan
from nova_core.cli.folder import from_user
from nova_core.cli.options import Directory


def trace(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            autocompletion=complete.runs,
            help="The first characters of a run's id (nova history), or last.",
        ),
    ] = "last",
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", callback=from_user, help="Write it to this file.")
    ] = None,
    plan: OnlyPlan = None,
    directory: Directory = None,
) -> int:
    """Write a run as a trace for trace viewers.

    ui.perfetto.dev and chrome://tracing open it. Each attempt that has ended is a bar, in one lane per worker;
    milestones are marks above. Without -o, the trace is printed.

    \b
    Examples:  nova trace -o trace.json
               nova trace 4f2a | gzip > trace.json.gz
    """
    from nova_core.cli.files import readable, write
    from nova_core.cli.history import choose
    from nova_core.cli.output import out
    from nova_core.cli.tables import runs_here
    from nova_core.exports.trace import trace_of

    data = readable(trace_of(choose(runs_here(plan), run)))
    if output is None:
        out(data.decode().rstrip())
    else:
        write(output, data)
    return 0
