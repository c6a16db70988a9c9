"""Asks before a completed task runs again: alone, or with everything that was made from its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from nova_tui.screens.dialog import Dialog
from nova_tui.views.line import line, plain

_MOST = 8


class RerunScreen(Dialog[bool | None]):
    """True for the task with what it feeds, False for it alone, None for nothing. `fed` are the ids of what has run
    after it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(False)", "Only this task", id="app.only"),
        Binding("a,enter", "answer(True)", "And what it feeds", id="app.fed"),
        Binding("n,escape,q", "give_up", "No", id="app.no"),
    ]

    def __init__(self, task_id: str, name: str, fed: Sequence[str]) -> None:
        super().__init__()
        self._id, self._label = plain(task_id), plain(f"{task_id} {name}")
        more = f" and {len(fed) - _MOST:,} more" if len(fed) > _MOST else ""
        self._fed = ", ".join(map(plain, fed[:_MOST])) + more

    def compose(self) -> ComposeResult:
        """Question, and the three ways."""
        ways = [
            line(("a", "bold"), ", ", ("enter", "bold"), f"  and what it feeds: {self._fed}"),
            line(("y", "bold"), f"         only {self._id}; what was made from its old result stays"),
            line(("n", "bold"), ", ", ("esc", "bold"), "    nothing"),
        ]
        with Vertical(id="box"):
            yield Static(line((f"Run {self._label} again?", "bold")), markup=False)
            yield Static(line("  it is completed, and others have run after it"), markup=False)
            yield Static(Content("\n").join(ways), id="foot", markup=False)

    def action_answer(self, fed: bool) -> None:
        """Leave with the answer."""
        self.dismiss(fed)

    def action_give_up(self) -> None:
        """Leave without one."""
        self.dismiss(None)
