"""Asks before a done task runs again: alone, or with everything made from its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from nova_tui.screens.dialog import Dialog, fitting
from nova_tui.views.line import line, plain, shorten

_MOST = 8
_SAID = 2  # minimum rows of the question


class RerunScreen(Dialog[bool | None]):
    """Returns True for the task with its dependents, False for the task alone, None for neither. `fed`: the ids of
    dependents that have run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(False)", "Only this task", id="app.only"),
        Binding("a,enter", "answer(True)", "And its dependents", id="app.fed"),
        Binding("n,escape,q", "give_up", "No", id="app.no"),
    ]

    def __init__(self, task_id: str, name: str, fed: Sequence[str]) -> None:
        super().__init__()
        self._task_id, self._label = plain(task_id), plain(f"{task_id} {name}")
        self._fed = tuple(map(plain, fed))

    def said(self, width: int, rows: int) -> Sequence[Content]:
        """The question."""
        return [line((f"Run {self._label} again?", "bold")), line("  it is done, and others have run after it")]

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """The three choices."""
        return fitting(lambda count: self._ways(count, width), _MOST, width, rows - _SAID)

    def _ways(self, count: int, width: int) -> list[Content]:
        """The choices, with the first `count` dependents."""
        more = f" and {len(self._fed) - count:,} more" if len(self._fed) > count else ""
        fed = ", ".join(shorten(i, width // 2) for i in self._fed[:count]) + more
        only = shorten(self._task_id, width - 20)
        return [
            line(("a", "bold"), ", ", ("enter", "bold"), f"  and its dependents: {fed}"),
            line(("y", "bold"), f"         only {only}; what was made from its old result stays"),
            line(("n", "bold"), ", ", ("esc", "bold"), "    nothing"),
        ]

    def action_answer(self, fed: bool) -> None:
        """Close with the answer."""
        self.dismiss(fed)

    def action_give_up(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
