"""Decides when the full-screen interface opens; its options for `nova run` and `nova attach`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from nova_core.cli import complete
from nova_core.errors import UsageError


def check_theme(name: str | None) -> str | None:
    """Raise `UsageError` for a theme that does not exist, also where no interface will open."""
    if name:
        from nova_tui.themes import choose

        choose(name, os.environ)
    return name


Ascii = Annotated[bool, typer.Option("--ascii", help="Draw the interface with ASCII characters only.")]
Theme = Annotated[
    str | None,
    typer.Option(
        "--theme",
        metavar="NAME",
        autocompletion=complete.themes,
        callback=check_theme,
        help="Colours of the interface: nova-dark, nova-light, ansi.",
    ),
]


def wants_interface(ui: bool | None, *, as_json: bool) -> bool:
    """Returns True if the interface should open; `ui` is the option, None if not given.

    Raises `UsageError` if it was requested but cannot open.
    """
    if ui is None:
        return not as_json and "CI" not in os.environ and on_terminal()
    if ui and as_json:
        raise UsageError("--json and the interface both need the terminal", hint="omit one of them")
    if ui:
        require_terminal()
    return ui


def require_terminal() -> None:
    """Raise `UsageError` if no full-screen interface can open."""
    if not on_terminal():
        raise UsageError(
            "the interface needs a terminal: stdin, stdout and stderr must be terminals, and TERM must not be dumb",
            hint="print progress with nova run --no-ui, or the state of the run with nova status",
        )


def is_attended() -> bool:
    """Returns True if a person may be watching: some output is a terminal, and `CI` is not set."""
    return "CI" not in os.environ and any(s is not None and s.isatty() for s in (sys.stdout, sys.stderr))


def on_terminal() -> bool:
    """Returns True if all three streams (the interface draws on stderr) are terminals that can move a cursor."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return os.environ.get("TERM", "dumb") != "dumb" and all(s is not None and s.isatty() for s in streams)
