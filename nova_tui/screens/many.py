"""Asks before an action on many tasks, and offers it for the one under the cursor alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from nova_tui.screens.dialog import Dialog, fitting
from nova_tui.views.line import line, plain

_MOST = 8


class ManyScreen(Dialog[str]):
    """Returns `all`, `one` (only with a task `one`, given as its label), or an empty text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer('all')", "All", id="app.all"),
        Binding("o", "answer('one')", "Only this one", id="app.one"),
        Binding("n,escape,q", "answer('')", "No", id="app.no"),
    ]

    def __init__(self, question: str, consequence: str, labels: Sequence[str], one: str = "") -> None:
        super().__init__()
        self._question, self._consequence = question, consequence
        self._labels, self._one = labels, one

    def said(self, width: int, rows: int) -> Sequence[Content]:
        """The question, the consequence, and the first tasks."""
        return fitting(self._first, _MOST, width, rows)

    def _first(self, count: int) -> list[Content]:
        more = len(self._labels) - count
        return [
            line((plain(self._question), "bold")),
            line(self._consequence),
            *(line(f"  {label}") for label in self._labels[:count]),
            *([line(f"  and {more:,} more")] if more > 0 else []),
        ]

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """The keys."""
        keys: list[str | tuple[str, str]] = [("y", "bold"), " or ", ("enter", "bold"), "  all     "]
        if self._one:
            keys += [("o", "bold"), f"  only {plain(self._one)}     "]
        return [line(*keys, ("n", "bold"), " or ", ("esc", "bold"), "  none")]

    def action_answer(self, word: str) -> None:
        """Close with the answer."""
        if word != "one" or self._one:
            self.dismiss(word)
