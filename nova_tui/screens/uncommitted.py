"""Asks, before a run begins, what to do with files that are not committed: tasks in trees would not have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from nova_core.text import number_of
from nova_tui.screens.dialog import Dialog, fitting
from nova_tui.views.line import line, plain

_MOST = 8


class UncommittedScreen(Dialog[str | None]):
    """Returns "include", "ignore", or None to leave: the values of the setting `git.uncommitted`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "answer('include')", "Give them to the tasks", id="app.include"),
        Binding("i", "answer('ignore')", "Start without them", id="app.ignore"),
        Binding("q,escape", "give_up", "Leave", id="app.give_up"),
    ]

    def __init__(self, files: Sequence[str]) -> None:
        super().__init__()
        self._files = tuple(map(plain, files))

    def said(self, width: int, rows: int) -> Sequence[Content]:
        """The question, with the names of the files."""
        return fitting(self._first, _MOST, width, rows)

    def _first(self, count: int) -> list[Content]:
        number = len(self._files)
        them = "it" if number == 1 else "them"
        said = f"{number_of(number, 'file')} not committed: tasks work in copies, without {them}"
        more = number - count
        return [
            line((said, "bold")), *(line(f"  {name}") for name in self._files[:count]),
            *([line(f"  and {more:,} more")] if more > 0 else []),
        ]  # fmt: skip

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """The three choices."""
        return [
            line(("c", "bold"), "  the tasks get them: a commit that lands on your branch with the rest"),
            line(("i", "bold"), "  start without them"),
            line(("q", "bold"), ", ", ("esc", "bold"), "  leave: commit them yourself, then nova run"),
        ]

    def action_answer(self, how: str) -> None:
        """Close with the answer."""
        self.dismiss(how)

    def action_give_up(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
