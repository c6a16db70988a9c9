"""`nova report` for the help of the command line; the real entry runs before this module is imported."""

from __future__ import annotations

import typer


def report(context: typer.Context) -> int:
    """Report progress, from inside a task."""
    from nova_core.report import main

    return main(context.args)


report.context_settings = {  # type: ignore[attr-defined]
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}
