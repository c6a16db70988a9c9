"""Writes the events of a run, one line each, without blocking the engine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import IO

from nova_core.state.events import Event
from nova_core.threads import start_thread

FLUSH_EVERY = 0.2


class EventStream:
    """Formats and writes events in batches on a thread of its own.

    The engine only appends: a slow pipe or a stopped terminal delays the output, not the run. The first line after a
    quiet period is written immediately, later lines `FLUSH_EVERY` seconds after it. A closed reader is not an error:
    the remaining output is dropped and `broken` is set.
    """

    def __init__(self, stream: IO[bytes], form: Callable[[Event], bytes | None]) -> None:
        self.broken = False
        self._stream = stream
        self._form = form
        self._events: deque[Event] = deque()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="nova-output", daemon=True)
        start_thread(self._thread)

    def __call__(self, event: Event) -> None:
        """Queue one event; returns immediately."""
        self._events.append(event)
        if not self._wanted.is_set():
            self._wanted.set()

    def close(self) -> None:
        """Write the remaining events and end the thread."""
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
