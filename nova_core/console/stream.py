"""Writes the events of a run, one line each, without ever making the engine wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import IO

from nova_core.state.events import Event

FLUSH_EVERY = 0.2


class EventStream:
    """Formats and writes events in batches on a thread of its own.

    The engine's part is one append: a slow pipe or a stopped terminal holds up the output, not the run. The first line
    of a quiet time is written at once, later ones `FLUSH_EVERY` seconds after. A reader that went away is no error: the
    rest is dropped, `broken` tells.
    """

    def __init__(self, stream: IO[bytes], form: Callable[[Event], bytes | None]) -> None:
        self.broken = False
        self._stream = stream
        self._form = form
        self._events: deque[Event] = deque()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="nova-output", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Take one event; returns at once."""
        self._events.append(event)
        if not self._wanted.is_set():
            self._wanted.set()

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._closing.set()
        self._wanted.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wanted.wait()
            self._wanted.clear()
            self._write()
            self._closing.wait(FLUSH_EVERY)
        self._write()

    def _write(self) -> None:
        lines = []
        while self._events:
            line = self._form(self._events.popleft())
            if line is not None:
                lines.append(line)
        if not lines or self.broken:
            return
        try:
            self._stream.write(b"".join(lines))
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self.broken = True
