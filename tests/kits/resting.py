"""When an app under test is at rest.

Textual's own pilot considers an app idle that used little of the processor for 20 ms. On a busy machine such an app may
not have had a chance to run, and on a quiet one the wait is most of a test. Here its queues, workers and timers are
checked instead. What changes on the way there is drawn once, at rest: nobody looks at the pictures in between, and to
draw them is a third of a test.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

import pytest
from textual._context import active_app
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen

_TURNS = 8  # of the event loop, in which tasks and timers that are due put their messages into queues
_SOON = 0.1  # seconds; a timer due within these is waited for
_PATIENCE = 60.0


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pilots wait, after a key and in a pause, until the app is at rest; only then is something drawn."""

    async def wait(*_: object) -> None:
        await at_rest(active_app.get())

    for module in ("textual.pilot", "textual.app"):
        monkeypatch.setattr(f"{module}.wait_for_idle", wait)

    async def press(pilot: Pilot[Any], *keys: str) -> None:
        await pilot.app._press_keys(keys)

    async def pause(pilot: Pilot[Any]) -> None:
        await at_rest(pilot.app)

    monkeypatch.setattr(Pilot, "press", press)
    monkeypatch.setattr(Pilot, "pause", pause)
    monkeypatch.setattr(MessagePump, "_get_message", _next_message)
    monkeypatch.setattr(Screen, "_compositor_refresh", _draw_later)


_waiting: WeakSet[MessagePump] = WeakSet()
_get_message = MessagePump._get_message


async def _next_message(pump: MessagePump) -> Message:
    _waiting.add(pump)
    try:
        return await _get_message(pump)
    finally:
        _waiting.discard(pump)


_draw_now = Screen._compositor_refresh


def _draw_later(screen: Screen[Any]) -> None:
    """What is dirty stays so in the compositor of the front screen, until it is drawn."""
    if screen is not screen.app.screen:  # draws nothing: it passes on what is dirty
        _draw_now(screen)
        return
    screen._dirty_widgets.clear()
    screen.app._update_mouse_over(screen)


def draw(screen: Screen[Any]) -> bool:
    """Draw what has changed; returns False if there is nothing to draw."""
    screen._on_timer_update()
    changed = bool(screen._compositor._dirty_regions)
    if changed:
        _draw_now(screen)
    return changed


async def at_rest(app: App[Any]) -> None:
    """Return when every message has been handled and its changes are drawn, or the app has ended."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if app._exception is not None or app._exit or not app.screen_stack:
                return
            if _is_waiting(app):
                await asyncio.sleep(0.005)
            elif not any(map(_is_handling, _pumps(app))) and not draw(app.screen) and not _is_due(app.screen):
                return


def _pumps(app: App[Any]) -> list[MessagePump]:
    return [app, *app.screen.walk_children(with_self=True)]


def _is_handling(pump: MessagePump) -> bool:
    """Returns True unless it waits for its next message, and there is none."""
    return pump.is_running and bool(pump not in _waiting or pump._next_callbacks or not pump._message_queue.empty())


def _is_due(screen: Screen[Any]) -> bool:
    """Returns True if something is to be laid out, drawn or called."""
    return bool(
        screen._layout_required or screen._scroll_required or screen._repaint_required or screen._dirty_widgets
        or screen._callbacks or any(map(_is_handling, _pumps(screen.app)))
    )  # fmt: skip


def _is_waiting(app: App[Any]) -> bool:
    """Returns True if a worker is running or a timer is due soon."""
    timers = (timer for pump in _pumps(app) for timer in pump._timers)
    return any(not worker.is_finished for worker in app.workers) or any(
        timer._repeat == 0 and timer._interval <= _SOON and timer._task is not None and not timer._task.done()
        for timer in timers
    )
