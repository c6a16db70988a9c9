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
            field = Input(self._text, select_on_focus=True)
            field.cursor_blink = False
            yield field
            yield Static(line(("enter", "bold"), " done   ", ("esc", "bold"), " cancel"), id="foot", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Leave with the text, unless something is wrong with it."""
        event.stop()
        wrong = self._check(event.value) if self._check else ""
        if wrong:
            self.query_one("#foot", Static).update(line((plain(wrong), "$text-error")))
        else:
            self.dismiss(event.value)

    def action_give_up(self) -> None:
        """Leave without a text."""
        self.dismiss(None)
