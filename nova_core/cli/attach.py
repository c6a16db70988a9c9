"""`nova attach`: the interface on a run of another engine, or on a finished run."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from nova_core.cli.choosing import PlanArgument, PlanOf, chosen
from nova_core.cli.interface import Ascii, Theme, require_terminal
from nova_core.cli.options import Directory, load_state


def attach(
    control: Annotated[bool, typer.Option("--control", help="Also act: retry, cancel, pause.")] = False,
    argument: PlanArgument = None,
    plan: PlanOf = None,
    ascii_only: Ascii = False,
    theme: Theme = None,
    directory: Directory = None,
) -> int:
    """Watch a run in the full-screen interface.

    It may be running in the background or in another terminal, or be finished. Leaving changes nothing. Any number of
    people can watch.

    \b
    Examples:  nova attach
               nova attach --control
               nova attach specs/002/tasks.md
               nova -C site attach
    """
    require_terminal()
    project = chosen(plan, argument)
    load_state(project)
    from nova_core.cli.session import run_attached
    from nova_core.config import load_config

    config = load_config(None, environ=os.environ)
    return run_attached(project, config, control=control, ascii_only=ascii_only, theme=theme)
