"""Delivers what a person types in the order of the keys, however slow the engine answers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from nova_core.command import Command, together
from nova_core.threads import start_thread

MOST_WAITING = 1000  # commands; a person cannot type as many that do not belong together


class Typist:
    """Calls `deliver` for one command after the other, in a thread of its own; keys that wait go together."""

    def __init__(self, deliver: Callable[[Command], object]) -> None:
        self._deliver = deliver
        self._waiting: deque[Command] = deque(maxlen=MOST_WAITING)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def send(self, command: Command) -> None:
        """Deliver a command after those before it; returns at once."""
        with self._changed:
            joined = together(self._waiting[-1], command) if self._waiting else None
            if joined:
                self._waiting[-1] = joined
            else:
                self._waiting.append(command)
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            start_thread(self._thread)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                command = self._waiting.popleft()
            self._deliver(command)
