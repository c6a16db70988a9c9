"""Asks for one line of text: the reason of a rejection, a number of workers, what to search for."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from nova_tui.screens.dialog import Dialog
from nova_tui.views.line import line, plain

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

    def compose(self) -> ComposeResult:
        """Question, line, keys."""
        with Vertical(id="box"):
            yield Static(line((plain(self._question), "bold")), markup=False)
            if self._hint:
                yield Static(line(plain(self._hint)), markup=False)
            yield _Line(self._text, self._answer)
            yield Static(line(("enter", "bold"), " done   ", ("esc", "bold"), " cancel"), id="foot", markup=False)

    def _answer(self, text: str) -> None:
        """Leave with the text, unless something is wrong with it."""
        wrong = self._check(text) if self._check else ""
        if wrong:
            self.query_one("#foot", Static).update(line((plain(wrong), "$text-error")))
        else:
            self.dismiss(text)

    def action_give_up(self) -> None:
        """Leave without a text."""
        self.dismiss(None)
