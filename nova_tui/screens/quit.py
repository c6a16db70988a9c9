"""Asks what is to become of the workers when the interface is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from nova_tui.choice import QuitChoice
from nova_tui.screens.dialog import Dialog
from nova_tui.views.line import line, plain

_MOST = 6


class QuitScreen(Dialog[QuitChoice | None]):
    """Leave the workers running, stop them, or stay (None). `running` names what has a worker."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "answer('leave')", "Leave them running", id="app.leave"),
        Binding("s,ctrl+c", "answer('stop')", "Stop them", id="app.stop"),
        Binding("escape,q,n", "answer('')", "Stay", id="app.stay"),
    ]

    def __init__(self, running: Sequence[str]) -> None:
        super().__init__()
        self._at_work = running

    def compose(self) -> ComposeResult:
        """What runs, and the three ways."""
        count = len(self._at_work)
        what = f"{count} worker{'s are' if count != 1 else ' is'} running" if count else "The run is not over"
        names = ", ".join(map(plain, self._at_work[:_MOST])) + (f" and {count - _MOST} more" if count > _MOST else "")
        with Vertical(id="box"):
            yield Static(line((f"{what}. Quit?", "bold")), markup=False)
            if names:
                yield Static(line(f"  {names}"), markup=False)
            yield Static(line(" "), markup=False)
            yield Static(line(("l", "bold"), "    leave them running; nova attach --control comes back"), markup=False)
            yield Static(line(("s", "bold"), "    stop them, and end the run"), markup=False)
            yield Static(line(("esc", "bold"), "  stay"), markup=False)

    def action_answer(self, word: str) -> None:
        """Leave with the choice."""
        self.dismiss(QuitChoice(word) if word else None)
