"""The view of a run: JSON lines with --json, a live view on a terminal, plain lines everywhere else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Protocol

from nova_core.cli.failures import crash
from nova_core.cli.output import coloured, for_runner, json_text, painted
from nova_core.console.lines import STYLES, LocalClock, event_line
from nova_core.console.stream import EventStream
from nova_core.state.events import Event

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.orchestrator import Orchestrator


class View(Protocol):
    """Watches a run. `event` is called on the engine's thread and must return at once."""

    def event(self, event: Event) -> None:
        """Take one event."""

    def close(self) -> None:
        """Show the remaining events and restore the terminal."""


class StreamView:
    """Writes one line per event to a binary stream."""

    def __init__(self, stream: IO[bytes], form: Callable[[Event], bytes | None]) -> None:
        self._stream = EventStream(stream, form)
        self.event = self._stream.__call__

    def close(self) -> None:
        """Write the remaining events."""
        self._stream.close()


def choose_view(engine: Orchestrator, project: Project, as_json: bool) -> View:
    """Choose the view that suits stdout."""
    sys.stdout.flush()
    threading.excepthook = in_one_line
    if as_json:
        return StreamView(sys.stdout.buffer, json_form())
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from nova_core.console.live import LiveView

        return LiveView(engine.snapshot)
    return StreamView(sys.stdout.buffer, plain_form(engine))


def in_one_line(failure: threading.ExceptHookArgs) -> None:
    """Report a bug on a view's thread in one line; the run continues."""
    if failure.exc_value is not None:
        crash(failure.exc_value)


def json_form() -> Callable[[Event], bytes]:
    """An event as one line of JSON."""
    import msgspec

    encode = msgspec.json.Encoder().encode
    return lambda event: json_text(encode(event)) + b"\n"


def plain_form(engine: Orchestrator) -> Callable[[Event], bytes | None]:
    """An event as one line of text."""
    clock, colours = LocalClock(), STYLES if coloured() else {}

    def form(event: Event) -> bytes | None:
        line = event_line(event, engine.cascade.tasks, clock)
        if line is None:
            return None
        return f"{painted(for_runner(line), colours.get(event.kind, ''))}\n".encode("utf-8", "replace")

    return form
