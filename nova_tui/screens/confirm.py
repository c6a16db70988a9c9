"""Asks before something is done that cannot be undone, and names what it does."""

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


class ConfirmScreen(Dialog[bool]):
    """True for yes. `consequences` name what dies or happens, a line each."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Yes", id="app.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="app.no"),
    ]

    def __init__(self, question: str, consequences: Sequence[str] = (), *, yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._question, self._consequences = question, tuple(consequences)
        self._yes, self._no = yes, no

    def compose(self) -> ComposeResult:
        """Question, consequences, keys."""
        shown = [line(f"  {plain(text)}") for text in self._consequences[:_MOST]]
        if len(self._consequences) > _MOST:
            shown.append(line(f"  and {len(self._consequences) - _MOST:,} more"))
        keys = line(("y", "bold"), " or ", ("enter", "bold"), f"  {plain(self._yes)}     ",
                    ("n", "bold"), " or ", ("esc", "bold"), f"  {plain(self._no)}")  # fmt: skip
        with Vertical(id="box"):
            yield Static(line((plain(self._question), "bold")), markup=False)
            if shown:
                yield Static(Content("\n").join(shown), markup=False)
            yield Static(keys, id="foot", markup=False)

    def action_answer(self, yes: bool) -> None:
        """Leave with the answer."""
        self.dismiss(yes)
