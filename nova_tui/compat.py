"""All uses of Textual's private parts, with a test that fails if they change."""

from __future__ import annotations

import asyncio
import errno
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import IO, Any

from textual import events
from textual._callback import invoke
from textual._context import active_app
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.binding import Binding
from textual.driver import Driver
from textual.message import Message
from textual.message_pump import MessagePump
from textual.strip import Strip
from textual.worker import WorkerFailed

from nova_tui.input_bytes import ESCAPE, Decoder, Kind, Token

_READY = 2.0  # seconds
_LOOK = 0.05  # seconds
_LONGEST = 32  # characters that Textual's parser takes for a sequence


def backlog(app: App[Any]) -> int:
    """The number of frames waiting for a slow terminal; a full queue would block the event loop."""
    writer = getattr(app._driver, "_writer_thread", None)
    return writer._queue.qsize() if writer is not None else 0


def emit(app: App[Any], sequence: str) -> None:
    """Write a control sequence to the terminal, in order with the drawing."""
    if app._driver is not None and not app.is_headless:
        app._driver.write(sequence)
        app._driver.flush()


def cause(error: Exception) -> BaseException:
    """The error itself, if it was one of a worker."""
    return error.error if isinstance(error, WorkerFailed) else error


def failure(app: App[Any]) -> Exception | None:
    """The exception that ended the app, if any."""
    return app._exception


_dispatch = MessagePump._dispatch_message


async def _guarded(pump: MessagePump, message: Message) -> None:
    """Dispatch a message; an error in it would end the widget, whatever the app does. Apps may have `survives`."""
    try:
        await _dispatch(pump, message)
    except Exception as error:
        if not getattr(active_app.get(None), "survives", lambda _: False)(error):
            raise


setattr(MessagePump, "_dispatch_message", _guarded)  # noqa: B010 - a type checker refuses to replace a method


def keep_quiet(app: App[Any]) -> None:
    """Keep Textual from printing a traceback with all local variables on exit: the caller reports the error."""
    app._exit_renderables.clear()


async def press(app: App[Any], binding: Binding) -> None:
    """Do what a key of the front screen does, on the widget that has the binding."""
    for active in app.screen.active_bindings.values():
        if active.binding.action == binding.action and active.enabled:
            await app.run_action(binding.action, active.node)
            return


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
        fileno: int
        exit_event: threading.Event

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if file := vars(self).get("_file"):
                self._file = LastingFile(file)

        def _sigcont_application(self, *args: Any) -> None:
            if self._must_signal_resume:
                super()._sigcont_application(*args)
            else:
                self._app.call_later(self._app.refresh)

        def _run_input_thread(self) -> None:
            _keep_reading(self)

        def _take(self, message: Message) -> None:
            """Pass on what a terminal may say: sizes only if it was asked to report them."""
            if not isinstance(message, events.Resize) or self._in_band_window_resize:
                self.process_message(message)

    return Lasting


def _keep_reading(driver: Any) -> None:
    """Read input for a driver. A bug is reported, and is not a lost terminal."""
    while not driver.exit_event.is_set():
        try:
            read_input(driver.fileno, driver.exit_event, driver._take)
        except OSError:  # EIO: the terminal is gone
            driver._app.call_later(driver._app.end_by, signal.SIGHUP)
            return
        except Exception as error:
            driver._app.call_later(driver._app._handle_exception, error)


def read_input(descriptor: int, over: threading.Event, take: Callable[[Message], None]) -> None:
    """Pass what comes from a terminal to `take` until `over` is set. Raises `OSError` if the terminal is gone.

    Textual's own thread ends at the first byte that is not UTF-8, and types the characters of unknown sequences.
    """
    decoder, translator = Decoder(), Translator()
    last = time.monotonic()
    with selectors.SelectSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not over.is_set():
            tokens: Iterable[Token] = ()
            if selector.select(_LOOK):
                if not (data := os.read(descriptor, 4096)):
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                tokens, last = decoder.feed(data), time.monotonic()
            elif decoder.is_waiting:
                tokens = decoder.rest(time.monotonic() - last)
            for token in tokens:
                for message in translator.messages(token):
                    take(message)


class Translator:
    """Tokens of input as messages of Textual; those it does not know are dropped."""

    def __init__(self) -> None:
        self._parser = XTermParser()
        self._told: set[str] = set()

    def messages(self, token: Token) -> list[Message]:
        """The messages of a token."""
        if token.kind is Kind.PASTE:
            return [events.Paste(token.text)]
        if token.text == ESCAPE:
            return [events.Key("escape", ESCAPE)]
        if len(token.text) > _LONGEST or self._is_told_again(token.text):
            return []
        try:
            found = list(self._parser.feed(token.text))
        except (ArithmeticError, ValueError, LookupError):  # numbers that nobody would send
            found = []
            self._begin_again()
        if self._parser._awaiting.timeout is not None:  # it waits for the rest of what it does not know
            self._begin_again()
        return found

    def _is_told_again(self, text: str) -> bool:
        """Returns True for a second report of a mode: terminals report once, when they are asked."""
        mode = text.partition(";")[0] if text.startswith("\x1b[?") and text.endswith("$y") else ""
        if not mode or mode not in self._told:
            self._told.add(mode)
            return False
        return True

    def _begin_again(self) -> None:
        before, self._parser = self._parser, XTermParser()
        for name in ("last_x", "last_y", "mouse_pixels", "terminal_size", "terminal_pixel_size"):
            setattr(self._parser, name, getattr(before, name))
