"""The private parts of Textual that Nova leans on, in one place, with a test that tells when they move."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import IO, Any

from textual.app import App
from textual.driver import Driver
from textual.strip import Strip


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
    """Textual would print a traceback with every local variable on exit: whoever runs the app reports what happened."""
    app._exit_renderables.clear()


def forget_toasts(app: App[Any], keep: int) -> None:
    """Of the toasts that are shown only the newest stay."""
    shown = list(app._notifications)
    for old in shown[: max(0, len(shown) - keep)]:
        app._unnotify(old)


def strips(app: App[Any]) -> list[Strip]:
    """The composed screen, a strip a line."""
    return app.screen._compositor.render_strips()


class LastingFile:
    """A terminal to write to that may go away: then words go nowhere.

    Textual's writer thread would end with the first error; its queue would fill, and the event loop wait for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write, if there is still somebody."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Bring it there, if there is still somebody."""
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        """Number of the descriptor."""
        return self._file.fileno()


@cache
def lasting(driver: type[Driver]) -> type[Driver]:
    """The driver, with a terminal that may go away, and that starts anew only after it was suspended.

    The kernel sends SIGCONT along with SIGHUP, and anybody may send it: Textual would then take the modes of its own
    screen for those to restore at the end.
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
