"""`nova run --detach`: the same run with an engine in the background."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nova_core.cli.output import note, out
from nova_core.watch.background import start_engine

if TYPE_CHECKING:
    from nova_core.files.project import Project


def start_detached(project: Project, arguments: Iterable[str]) -> int:
    """Start the run and print its pid; returns 0, or the exit code if the run has already ended.

    `arguments` come from `request.headless_arguments`.
    """
    pid, code, said = start_engine(project, arguments)
    if code is None:
        out(f"running in the background as pid {pid}")
        note("hint: open it with nova attach --control; stop its tasks with nova cancel --all")
        return 0
    if said:
        note(said)
    return code
