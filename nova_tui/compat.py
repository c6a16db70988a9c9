"""The private parts of Textual that Nova leans on, in one place, with a test that fails when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import IO, Any

from textual import events
from textual._callback import invoke
from textual.app import App
from textual.driver import Driver
from textual.message_pump import MessagePump
from textual.notifications import Notification
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets._toast import ToastRack

_READY = 2.0  # seconds


def backlog(app: App[Any]) -> int:
    """Frames that wait to be written to a slow terminal; a full queue of them would block the event loop."""
    writer = getattr(app._driver, "_writer_thread", None)
    return writer._queue.qsize() if writer is not None else 0


def emit(app: App[Any], sequence: str) -> None:
    """Write a control sequence of ours to the terminal, in order with what is drawn."""
    if app._driver is not None and not app.is_headless:
        app._driver.write(sequence)
        app._driver.flush()


def failure(app: App[Any]) -> Exception | None:
    """The exception that ended the app, if one did."""
    return app._exception


def keep_quiet(app: App[Any]) -> None:
    """Textual would print a traceback with all local variables on exit: the caller of the app reports the error."""
    app._exit_renderables.clear()


def shown_toasts(app: App[Any]) -> list[Notification]:
    """The toasts that are shown, oldest first."""
    return list(app._notifications)


def forget_toasts(app: App[Any], gone: Iterable[Notification]) -> None:
    """Take toasts off the screen, with their holders: empty ones would take up a line each."""
    for toast in gone:
        app._unnotify(toast, refresh=False)
        app.screen.query(f"#{ToastRack._toast_id(toast)}").remove()


async def hand_out(app: App[Any], event: events.Key) -> None:
    """Give a key to the screen in front, and return when all it does is done.

    Textual queues it with the widget that has the keys when it arrives: of keys typed in a burst, those after one that
    opens or closes a screen would be lost, or act on the wrong screen.
    """
    app.app_focus = True
    front = app.screen
    if not await app._check_bindings(event.key, priority=True):
        event._set_forwarded()
        node: MessagePump | None = app.focused or app.screen
        while node is not None and not event._stop_propagation:
            with node._context():
                for _, method in node._get_dispatch_methods("on_key", event):
                    await invoke(method, event)
            node = node._parent
    if app.screen_stack and app.screen is not front:
        await _ready(app.screen)


async def _ready(screen: Screen[Any]) -> None:
    """Wait until a screen that came in front has taken the keys; not for ever, should it fail."""
    done = asyncio.Event()
    if screen.call_later(done.set):
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), _READY)


def strips(app: App[Any]) -> list[Strip]:
    """The composed screen, a strip a line."""
    return app.screen._compositor.render_strips()


class LastingFile:
    """A terminal that may go away: then output is discarded.

    Textual's writer thread would end with the first error; its queue would fill, and the event loop wait for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write, if the terminal is still there."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Flush, if the terminal is still there."""
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        """Number of the descriptor."""
        return self._file.fileno()


@cache
def lasting(driver: type[Driver]) -> type[Driver]:
    """The driver, with a terminal that may go away, and that starts again only after it was suspended.

    The kernel sends SIGCONT along with SIGHUP, and any process may send it: Textual would then restore the modes of its
    own screen at the end.
    """

    class Lasting(driver):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if file := vars(self).get("_file"):
                self._file = LastingFile(file)

        def _sigcont_application(self, *args: Any) -> None:
            if self._must_signal_resume:
                super()._sigcont_application(*args)
            else:
                self._app.call_later(self._app.refresh)

    return Lasting
