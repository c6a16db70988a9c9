"""`nova trace`: a run of this project for a viewer of traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.options import Directory

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.runs.history import Run


def trace(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The first letters of a run's id (nova history), or last.")
    ] = "last",
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="Write it to this file.")] = None,
    directory: Directory = None,
) -> int:
    """Write a run as a trace that ui.perfetto.dev and chrome://tracing open.

    Each attempt that is over is a bar, in as many lanes as there were workers; milestones are marks above them. Without
    -o the trace is printed.

    \b
    Examples:  nova trace -o trace.json
               nova trace 4f2a | gzip > trace.json.gz
    """
    from nova_core.cli.files import readable, write
    from nova_core.cli.history import choose
    from nova_core.cli.options import here
    from nova_core.cli.output import out
    from nova_core.cli.tables import runs_here

    data = readable(trace_of(here(), choose(runs_here(), run)))
    if output is None:
        out(data.decode().rstrip())
    else:
        write(output, data)
    return 0


def trace_of(project: Project, run: Run) -> dict[str, object]:
    """The trace of a run of the project. Raises `EnvironmentProblem` if its history cannot be read."""
    from nova_core.exports.trace import load_told, trace_document

    aside, name = run.summary.put_aside, project.database.name
    path = project.database if aside is None else project.old_dir / aside / name
    return trace_document(run, load_told(path, run.summary.id))
