"""The workers of an engine for the program that drives it: who is at work, and how to end one from any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nova_core.command import Command, CommandKind
from nova_core.engine.attempts.attempt import Attempt

if TYPE_CHECKING:
    from nova_core.orchestrator import Orchestrator

_PATIENCE = 0.1  # seconds until somebody who waits looks again


class Turns:
    """One thread at a time turns the engine; others wait until it has left."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None

    @property
    def are_mine(self) -> bool:
        """Whether the calling thread is the one that turns the engine now."""
        return self._owner == threading.get_ident()

    @contextmanager
    def taken(self, timeout: float = -1.0) -> Iterator[bool]:
        """Turn the engine inside; False if another thread still does so after `timeout` seconds (negative: wait)."""
        if not self._lock.acquire(timeout=timeout):
            yield False
            return
        before, self._owner = self._owner, threading.get_ident()
        try:
            yield True
        finally:
            self._owner = before
            self._lock.release()


class ActiveWorker:
    """A task's worker in flight, as `Orchestrator.active_workers` gives it. Safe from any thread."""

    __slots__ = ("_attempt", "_engine")

    def __init__(self, engine: Orchestrator, attempt: Attempt) -> None:
        self._engine = engine
        self._attempt = attempt

    @property
    def task_id(self) -> str:
        """The task it works on."""
        return self._attempt.task_id

    @property
    def pid(self) -> int | None:
        """Its process; None until the engine has heard that it runs, in a turn after `start_worker`."""
        return self._attempt.pid

    @property
    def log_path(self) -> Path:
        """The absolute path of what it prints."""
        return self._engine.project.latest_log(self.task_id)

    def is_alive(self) -> bool:
        """Whether it is at work: until its processes have ended, its criteria are checked and the task is settled."""
        return self._engine.active.get(self.task_id) is self._attempt

    def terminate(self) -> None:
        """End its whole process tree: SIGTERM, then SIGKILL after the run's `grace`. Its task fails as cancelled.

        As with `nova cancel`, the task is not tried again until `nova retry`; a run that goes on does so without it.
        Returns when nothing of the worker is left and the state says so. On the thread that turns the engine (in a
        listener, a signal handler) it returns at once, and the engine sees to it in its next turns.

        When the engine is closed, or Ctrl-C broke off its `run`, it takes the run up again for as long as this needs,
        and may raise what `Orchestrator` raises: `RunLockedError` if another engine has taken over.
        """
        command = Command(CommandKind.CANCEL, (self.task_id,))
        if self.is_alive():
            self._engine.post(command)
        while self.is_alive() and not self._engine.turns.are_mine:
            with self._engine.turns.taken(_PATIENCE) as mine:
                if mine and self.is_alive():
                    self._engine.see_to(command)
