"""Asks for one line of text: the reason for a rejection, a number of workers, a text to find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from nova_tui.screens.dialog import Dialog
from nova_tui.views.line import line, plain, shorten

Check = Callable[[str], str]


class _Line(Input):
    """An input that calls back within the final key press: with a message, keys typed ahead would arrive here."""

    def __init__(self, text: str, on_enter: Callable[[str], None]) -> None:
        super().__init__(text, select_on_focus=True)
        self.cursor_blink = False
        self._answer = on_enter

    async def action_submit(self) -> None:
        """Submit the text on enter."""
        self._answer(self.value)


class AskScreen(Dialog[str | None]):
    """Returns the entered text, None on escape. `check` returns what is wrong with a text, or an empty text if it is
    valid."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Cancel", id="app.cancel")]

    def __init__(self, question: str, text: str = "", *, hint: str = "", check: Check | None = None) -> None:
        super().__init__()
        self._question, self._text, self._hint, self._check = question, text, hint, check
        self._wrong = ""

    def said(self, width: int, rows: int) -> Sequence[Content]:
        """The question, and a hint or what is wrong with the text."""
        told = line((plain(self._wrong), "$text-error")) if self._wrong else line(plain(self._hint))
        question = shorten(self._question, width * max(1, rows - 2))
        return [line((question, "bold")), *([told] if told else [])]

    def entry(self) -> Iterable[Widget]:
        """The input."""
        return [_Line(self._text, self._answer)]

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """The keys that accept or leave."""
        return [line(("enter", "bold"), " done   ", ("esc", "bold"), " cancel")]

    def _answer(self, text: str) -> None:
        """Close with the text if it is valid."""
        self._wrong = self._check(text) if self._check else ""
        if self._wrong:
            self.say()
        else:
            self.dismiss(text)

    def action_give_up(self) -> None:
        """Close without a text."""
        self.dismiss(None)
