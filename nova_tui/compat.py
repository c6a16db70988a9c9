"""All uses of Textual's private parts, with a test that fails if they change."""

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
from textual.strip import Strip
from textual.widgets._toast import ToastRack

_READY = 2.0  # seconds


def backlog(app: App[Any]) -> int:
    """The number of frames waiting for a slow terminal; a full queue would block the event loop."""
    writer = getattr(app._driver, "_writer_thread", None)
    return writer._queue.qsize() if writer is not None else 0


def emit(app: App[Any], sequence: str) -> None:
    """Write a control sequence to the terminal, in order with the drawing."""
    if app._driver is not None and not app.is_headless:
        app._driver.write(sequence)
        app._driver.flush()


def failure(app: App[Any]) -> Exception | None:
    """The exception that ended the app, if any."""
    return app._exception


def keep_quiet(app: App[Any]) -> None:
    """Keep Textual from printing a traceback with all local variables on exit: the caller reports the error."""
    app._exit_renderables.clear()


def shown_toasts(app: App[Any]) -> list[Notification]:
    """The toasts that are shown, oldest first."""
    return list(app._notifications)


def forget_toasts(app: App[Any], gone: Iterable[Notification]) -> None:
    """Remove toasts with their containers: an empty container would occupy a line."""
    for toast in gone if app.screen_stack else ():
        app._unnotify(toast, refresh=False)
        app.screen.query(f"#{ToastRack._toast_id(toast)}").remove()


async def hand_out(app: App[Any], event: events.Key | events.Paste) -> None:
    """Pass a key or a pasted text to the front screen, and return when it is fully handled.

    Textual queues it with the widget focused on its arrival: in a burst of keys, those after a key that opens or
    closes a screen would be lost, or act on the wrong screen.
    """
    app.app_focus = True
    front = app.screen
    focused: MessagePump | None = app.focused
    if isinstance(event, events.Paste) or not await app._check_bindings(event.key, priority=True):
        event._set_forwarded()
        node: MessagePump | None = app.focused or app.screen if app.screen_stack else None
        while node is not None and not event._stop_propagation:
            with node._context():
                for _, method in node._get_dispatch_methods(event.handler_name, event):
                    await invoke(method, event)
            node = node._parent
    while focused is not None and focused is not front and focused.is_running:
        await _settled(focused)  # what it sends on may open a screen
        focused = focused._parent
    await _settled(front)
    if app.screen_stack and app.screen is not front:
        await _ready(app.screen)


async def _settled(node: MessagePump) -> None:
    """Wait until a widget has handled its messages."""
    if node.is_running and not node._message_queue.empty():
        await _ready(node)


async def _ready(node: MessagePump) -> None:
    """Wait until a node has handled what it was sent (a new screen then has the focus), at most `_READY` seconds."""
    done = asyncio.Event()
    if node.call_later(done.set):
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), _READY)


def strips(app: App[Any]) -> list[Strip]:
    """The composed screen, one strip per line."""
    return app.screen._compositor.render_strips()


class LastingFile:
    """A terminal that may disappear; its output is then discarded.

    Textual's writer thread would end at the first error; its queue would fill and block the event loop forever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write if the terminal still exists."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Flush if the terminal still exists."""
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        """The file descriptor."""
        return self._file.fileno()


@cache
def lasting(driver: type[Driver]) -> type[Driver]:
    """A driver whose terminal may disappear, and which resumes only after it was suspended.

    The kernel sends SIGCONT along with SIGHUP, and any process may send it: Textual would then switch the terminal back
    to its screen modes at exit.
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
