"""`nova type`: types into a worker's terminal from the command line."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from nova_core.cli.choosing import PlanOf
from nova_core.cli.control import carry_out
from nova_core.cli.options import Directory, TaskId
from nova_core.command import Command, CommandKind
from nova_core.errors import UsageError
from nova_core.text import size

_MOST = 256 << 10  # bytes


def type_(
    task: TaskId,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="What to type; by default standard input.")
    ] = None,
    no_enter: Annotated[bool, typer.Option("--no-enter", help="Do not press Enter after it.")] = False,
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Type a line into the terminal of a running worker.

    Its task needs a terminal: `yes` in a column Terminal, or `terminal: true` in nova.yaml. Without TEXT, standard
    input is typed as it is, for passwords, control keys and files.

    \b
    Examples:  nova type F1 y
               printf '\\003' | nova type F1
    """
    from nova_core.files.own_task import person

    enter = b"" if no_enter else b"\r"
    data = sys.stdin.buffer.read(_MOST + 1) if text is None else os.fsencode(text) + enter
    if not data or len(data) > _MOST:
        raise UsageError(f"type 1 byte to {size(_MOST)} at once", hint="give the text, or a file as standard input")
    return carry_out(Command(CommandKind.TYPE, (task,), data.decode("latin-1"), by=person()), plan)
