"""The private parts of Textual that Nova leans on, in one place, with a test that tells when they move."""

from __future__ import annotations

from typing import Any

from textual.app import App
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


def strips(app: App[Any]) -> list[Strip]:
    """The composed screen, a strip a line."""
    return app.screen._compositor.render_strips()
