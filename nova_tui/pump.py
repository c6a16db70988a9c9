"""The one timer: takes changes from the source to the screens, as often as the machine and the terminal allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App

from nova_core.clock import Clock
from nova_tui import compat

FASTEST, USUAL, IDLE, SLOWEST = 0.1, 0.2, 0.25, 1.0  # seconds between two looks
_FEW = 20  # changes that are drawn at once
_PART = 10  # drawing takes at most this part of the time
_CLOCK = 1.0  # seconds between two looks at running times


class Pace:
    """How long to wait until the next look. Pure."""

    def __init__(self) -> None:
        self.wait = USUAL

    def after(self, took: float, changes: int) -> float:
        """The wait after a look that took `took` seconds and found `changes`."""
        wanted = IDLE if not changes else FASTEST if changes <= _FEW else USUAL
        self.wait = min(SLOWEST, max(wanted, took * _PART))
        return self.wait


class Pump:
    """Calls `look(tick)` again and again; `tick` says that a second is over. `look` returns how much changed.

    While frames wait for a slow terminal nothing is polled: each would make the queue longer, and a full queue stops
    the keys.
    """

    def __init__(self, app: App[Any], look: Callable[[bool], int], clock: Clock) -> None:
        self._app, self._look, self._clock = app, look, clock
        self._pace = Pace()
        self._next_tick = 0.0
        self.skipped = 0

    def start(self) -> None:
        """Begin."""
        self._app.set_timer(FASTEST, self.beat)

    def beat(self) -> None:
        """One look, and the next one is arranged."""
        if not self._app.screen_stack:  # the app is ending
            return
        if compat.backlog(self._app):
            self.skipped += 1
            self._app.set_timer(USUAL, self.beat)
            return
        began = self._clock.monotonic()
        changes = self.look_now(tick=began >= self._next_tick)
        self._app.set_timer(self._pace.after(self._clock.monotonic() - began, changes), self.beat)

    def look_now(self, *, tick: bool) -> int:
        """Look once; returns how much changed."""
        if tick:
            self._next_tick = self._clock.monotonic() + _CLOCK
        return self._look(tick)
