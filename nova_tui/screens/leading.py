"""The representative task of a branch or a group, on which keys for tasks act."""

from __future__ import annotations

from typing import Any, Protocol

from nova_core.watch.view_model import ViewModel
from nova_tui.views import members
from nova_tui.views.line import plain
from nova_tui.views.members import Place


class _Screen(Protocol):
    model: ViewModel

    def notify(self, message: str, *, markup: bool = True) -> Any:
        """Answer a key."""


def tell_leading(screen: _Screen, place: Place) -> str | None:
    """The first failed, else the first running task of a place; an answer names it, or says that there is none."""
    found = members.leading(screen.model, place)
    if found is None:
        screen.notify("choose a task: none of these has failed or is running", markup=False)
        return None
    task_id, words = found
    screen.notify(f"{plain(task_id)}: {words} here", markup=False)
    return task_id
