"""Asks for one line of text: the reason of a rejection, a number of workers, what to search for."""

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
    """Calls back in the very key press that ends it: with a message, keys typed ahead would still come here."""

    def __init__(self, text: str, on_enter: Callable[[str], None]) -> None:
        super().__init__(text, select_on_focus=True)
        self.cursor_blink = False
        self._answer = on_enter

    async def action_submit(self) -> None:
        """Enter."""
        self._answer(self.value)


class AskScreen(Dialog[str | None]):
    """The text that was entered, None for escape. `check` says what is wrong with a text, in words; nothing if it is
    fine."""

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
        """The line."""
        return [_Line(self._text, self._answer)]

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """Done or not."""
        return [line(("enter", "bold"), " done   ", ("esc", "bold"), " cancel")]

    def _answer(self, text: str) -> None:
        """Leave with the text, unless something is wrong with it."""
        self._wrong = self._check(text) if self._check else ""
        if self._wrong:
            self.say()
        else:
            self.dismiss(text)

    def action_give_up(self) -> None:
        """Leave without a text."""
        self.dismiss(None)
