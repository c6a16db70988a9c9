"""When an app under test is at rest.

Textual's own pilot considers an app idle that used little of the processor for 20 ms. On a busy machine such an app may
not have had a chance to run, and on a quiet one the wait is most of a test. Here its queues, workers and timers are
checked instead.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual._context import active_app
from textual.app import App
from textual.message_pump import MessagePump
from textual.pilot import Pilot

_TURNS = 8  # of the event loop, in which tasks and timers that are due put their messages into queues
_SOON = 0.1  # seconds; a timer due within these is waited for
_PATIENCE = 60.0


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pilots wait, after a key and in a pause, until the app is at rest."""

    async def wait(*_: object) -> None:
        await at_rest(active_app.get())

    for module in ("textual.pilot", "textual.app"):
        monkeypatch.setattr(f"{module}.wait_for_idle", wait)


async def at_rest(app: App[Any]) -> None:
    """Return when every message has been handled and its changes are drawn, or the app has ended."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            await _turns()
            if not await Pilot(app)._wait_for_screen() or app._exit or not app.screen_stack:
                return
            await _turns()
            app.screen._on_timer_update()
            if not _is_busy(app):
                return
            if _is_waiting(app):
                await asyncio.sleep(0.005)


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _pumps(app: App[Any]) -> list[MessagePump]:
    return [app, *app.screen.walk_children(with_self=True)]


def _is_busy(app: App[Any]) -> bool:
    screen = app.screen
    return (
        _is_waiting(app)
        or bool(screen._layout_required or screen._scroll_required or screen._repaint_required)
        or bool(screen._dirty_widgets or screen._callbacks)
        or any(pump._next_callbacks or not pump._message_queue.empty() for pump in _pumps(app) if pump.is_running)
    )


def _is_waiting(app: App[Any]) -> bool:
    """Returns True if a worker is running or a timer is due soon."""
    timers = (timer for pump in _pumps(app) for timer in pump._timers)
    return any(not worker.is_finished for worker in app.workers) or any(
        timer._repeat == 0 and timer._interval <= _SOON and timer._task is not None and not timer._task.done()
        for timer in timers
    )
