"""Asks what to do with the workers when the interface is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from nova_tui.choice import QuitChoice
from nova_tui.screens.dialog import Dialog, fitting
from nova_tui.views.line import line, plain

_MOST = 6
_EVERY = 0.25  # seconds between two checks of the run
_REPEAT = 0.5  # seconds; the repeats of a held key come faster


class QuitScreen(Dialog[QuitChoice | None]):
    """Returns the choice: leave the workers running, stop or kill them; None to stay.

    `running` returns the running tasks; None means that the run has ended, and then every choice, and `q`, quits.
    Before that, `q` is ambiguous and only shows the keys. `held` is the key pressed right before the question: its
    repeats, as of `k` held to move up, are no answer.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "screen.quit", "Quit", id="app.quit"),
        Binding("l", "answer('leave')", "Leave them running", id="app.leave"),
        Binding("s", "answer('stop')", "Stop them", id="app.stop"),
        Binding("k", "answer('kill')", "Kill them", id="app.kill"),
        Binding("escape,n", "answer('')", "Stay", id="app.stay"),
    ]

    def __init__(self, running: Callable[[], Sequence[str] | None], held: str = "") -> None:
        super().__init__()
        self._ask = running
        self._held, self._held_at = held, time.monotonic()
        self._shown: Sequence[str] | None = running()
        self._asked_again = False

    def on_mount(self) -> None:
        """Check the run regularly."""
        self.set_interval(_EVERY, self.renew)

    def renew(self) -> None:
        """Redraw if the running tasks have changed."""
        now = self._ask()
        if now != self._shown:
            self._shown = now
            self.say()

    def said(self, width: int, rows: int) -> Sequence[Content]:
        """The running tasks."""
        running = self._shown
        if running is None:
            return [line(("The run has ended.", "bold"))]
        head = [line((_question(running), "bold"))]
        if self._asked_again:
            head.append(line(("press l, s, k or esc", "$text-warning")))
        return fitting(lambda count: [*head, *_named(running, count)], _MOST, width, rows)

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """The four choices, or two after the run has ended."""
        ways = _WAYS if self._shown is not None else (("q", "quit"), ("esc", "stay"))
        return [line((f"{key:<5}", "bold"), told) for key, told in ways]

    def action_answer(self, word: str) -> None:
        """Close with the choice; if the run has just ended, quit without one."""
        if word and word[0] == self._held and self._is_repeat():
            return
        if word and self._ask() is None:
            self.app.exit()
        else:
            self.dismiss(QuitChoice(word) if word else None)

    def _is_repeat(self) -> bool:
        """Returns True if a key that was held before the question is still held."""
        before, self._held_at = self._held_at, time.monotonic()
        return self._held_at - before < _REPEAT

    def action_quit(self) -> None:
        """Quit if there is nothing to choose."""
        if self._ask() is None:
            self.app.exit()
            return
        self._asked_again = True
        self.say()


_WAYS = (
    ("l", "leave them running; return with nova attach --control"),
    ("s", "stop them and the run"),
    ("k", "kill them at once"),
    ("esc", "stay"),
)


def _question(running: Sequence[str]) -> str:
    count = len(running)
    what = f"{count} worker{'s are' if count != 1 else ' is'} running" if count else "The run is not finished"
    return f"{what}. Quit?"


def _named(running: Sequence[str], count: int) -> list[Content]:
    more = f" and {len(running) - count} more" if len(running) > count else ""
    return [line(f"still running: {', '.join(map(plain, running[:count]))}{more}")] if running else []
