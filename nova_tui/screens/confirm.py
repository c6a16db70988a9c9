"""Asks before an action that cannot be undone, and lists its consequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from nova_tui.screens.dialog import Dialog, fitting
from nova_tui.views.line import line, plain

_MOST = 8


class ConfirmScreen(Dialog[bool]):
    """Returns True for yes. `consequences` are shown one per line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Yes", id="app.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="app.no"),
    ]

    def __init__(self, question: str, consequences: Sequence[str] = (), *, yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._question, self._consequences = question, tuple(consequences)
        self._yes, self._no = yes, no

    def said(self, width: int, rows: int) -> Sequence[Content]:
        """The question and the consequences."""
        return fitting(self._first, _MOST, width, rows)

    def _first(self, count: int) -> list[Content]:
        """The question with the first `count` consequences."""
        shown = [line((plain(self._question), "bold")), *(line(f"  {plain(c)}") for c in self._consequences[:count])]
        more = len(self._consequences) - count
        return [*shown, line(f"  and {more:,} more")] if more > 0 else shown

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """The keys for yes and no."""
        keys = line(("y", "bold"), " or ", ("enter", "bold"), f"  {plain(self._yes)}     ",
                    ("n", "bold"), " or ", ("esc", "bold"), f"  {plain(self._no)}")  # fmt: skip
        return [keys]

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)
