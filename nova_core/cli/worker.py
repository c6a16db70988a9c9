"""`nova report` and `nova acp-run` for the help of the command line; the real entries run before this is imported."""

from __future__ import annotations

import typer


def report(context: typer.Context) -> int:
    """Report progress, from inside a task."""
    from nova_core.report import main

    return main(context.args)


def acp_run(context: typer.Context) -> int:
    """Give a prompt to an agent that speaks the Agent Client Protocol."""
    from nova_core.acp.run import main

    return main(context.args)


for _command in (report, acp_run):
    _command.context_settings = {  # type: ignore[attr-defined]
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    }
