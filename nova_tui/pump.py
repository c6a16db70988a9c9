"""The refresh timer: passes changes from the source to the screens, as often as machine and terminal allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from textual.app import App

from nova_core.clock import Clock
from nova_tui import compat

FASTEST, USUAL, IDLE, SLOWEST = 0.1, 0.2, 0.25, 1.0  # seconds between two polls
_FEW = 20  # up to this number, changes are drawn at the fastest pace
_PART = 10  # drawing takes at most 1/10 of the time
_CLOCK = 1.0  # seconds between two updates of running times


class Pace:
    """The wait until the next poll. Pure."""

    def __init__(self) -> None:
        self.wait = USUAL

    def after(self, took: float, changes: int) -> float:
        """Seconds to wait after a poll that took `took` seconds and found `changes`."""
        wanted = IDLE if not changes else FASTEST if changes <= _FEW else USUAL
        self.wait = min(SLOWEST, max(wanted, took * _PART))
        return self.wait


class Pump:
    """Calls `look(tick)` repeatedly; `tick` is True once a second. `look` returns the number of changes.

    It does not poll while frames wait for a slow terminal: each poll would lengthen the queue, and a full queue blocks
    the keys.
    """

    def __init__(self, app: App[Any], look: Callable[[bool], int], clock: Clock) -> None:
        self._app, self._look, self._clock = app, look, clock
        self._pace = Pace()
        self._next_tick = 0.0
        self.skipped = 0

    def start(self) -> None:
        """Start the timer."""
        self._beat_after(FASTEST)

    def beat(self) -> None:
        """Poll once and schedule the next poll."""
        if not self._app.screen_stack:  # the app is ending
            return
        if compat.backlog(self._app):
            self.skipped += 1
            self._beat_after(USUAL)
            return
        began, changes = self._clock.monotonic(), 0
        try:
            changes = self.look_now(tick=began >= self._next_tick)
        finally:  # the interface survives an error in one update
            self._beat_after(self._pace.after(self._clock.monotonic() - began, changes))

    def _beat_after(self, seconds: float) -> None:
        """Not by a timer of Textual's: one that a busy machine makes late is left out, and no beat would follow."""
        asyncio.get_running_loop().call_later(seconds, self._app.call_later, self.beat)

    def look_now(self, *, tick: bool) -> int:
        """Poll once; returns the number of changes."""
        if tick:
            self._next_tick = self._clock.monotonic() + _CLOCK
        return self._look(tick)
