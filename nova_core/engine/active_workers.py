"""Running workers as a driving program sees them, and how to end one from any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nova_core.command import Command, CommandKind
from nova_core.engine.attempts.attempt import Attempt
from nova_core.state.schema import TaskState, TaskStatus

if TYPE_CHECKING:
    from nova_core.orchestrator import Orchestrator

_PATIENCE = 0.1  # seconds between two attempts to take the engine's turn


class Turns:
    """Allows one thread at a time to turn the engine; the others wait until it has finished."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None

    @property
    def are_mine(self) -> bool:
        """True if the calling thread is turning the engine now."""
        return self._owner == threading.get_ident()

    @contextmanager
    def taken(self, timeout: float = -1.0) -> Iterator[bool]:
        """Turn the engine inside; yields False if another thread holds it for `timeout` seconds (negative: wait)."""
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
    """A running worker, as returned by `Orchestrator.active_workers`. Safe to use from any thread."""

    __slots__ = ("_attempt", "_engine")

    def __init__(self, engine: Orchestrator, attempt: Attempt) -> None:
        self._engine = engine
        self._attempt = attempt

    @property
    def task_id(self) -> str:
        """The id of the worker's task."""
        return self._attempt.task_id

    @property
    def pid(self) -> int | None:
        """The worker's process id; None until the engine, in a turn after `start_worker`, has seen it start."""
        return self._attempt.pid

    @property
    def log_path(self) -> Path:
        """The absolute path of the worker's log."""
        return self._engine.project.latest_log(self.task_id)

    def is_alive(self) -> bool:
        """Returns True until the processes have ended, the criteria are checked and the task has its result."""
        return self._engine.active.get(self.task_id) is self._attempt

    @property
    def status(self) -> str:
        """`running`, then `completed` or `failed`, as the values of `WorkerStatus`."""
        if self.is_alive():
            return "running"
        return "completed" if self._state().status is TaskStatus.COMPLETED else "failed"

    def get_exit_code(self) -> int | None:
        """The exit code; None while running or if unknown, the negative signal number if a signal ended the process."""
        if self.is_alive():
            return None
        state = self._state()
        return -state.signal if state.signal is not None else state.exit_code

    def wait(self, timeout: float | None = None) -> int | None:
        """Turn the engine, without starting other tasks, until the worker has its result or `timeout` seconds are over.

        Returns the exit code, None if it is still running. It returns at once on the thread that turns the engine, and
        if the engine is closed.
        """
        clock = self._engine.clock
        until = None if timeout is None else clock.monotonic() + timeout
        while self.is_alive() and not (self._engine.turns.are_mine or self._engine.is_closed):
            left = _PATIENCE if until is None else min(_PATIENCE, until - clock.monotonic())
            if left < 0:
                break
            with self._engine.turns.taken(left) as mine:
                if mine and self.is_alive():
                    self._engine.monitor_workers(left)
        return self.get_exit_code()

    def get_token_usage(self) -> dict[str, int]:
        """The tokens of the task so far, by class."""
        usage: dict[str, int] = msgspec.structs.asdict(self._state().token_usage)
        return usage

    def get_status_dict(self) -> dict[str, Any]:
        """The worker's state as plain values, as those of `Worker.get_status_dict`."""
        state = self._state()
        return {
            "task_id": self.task_id, "status": self.status, "pid": self.pid, "exit_code": self.get_exit_code(),
            "log_path": str(self.log_path), "started_at": state.started_at,
            "completed_at": None if self.is_alive() else state.completed_at, "token_usage": self.get_token_usage(),
        }  # fmt: skip

    def _state(self) -> TaskState:
        return self._engine.store.tasks[self.task_id]

    def terminate(self) -> None:
        """End the whole process tree: SIGTERM, then SIGKILL after the run's `grace`. The task fails as cancelled.

        As with `nova cancel`, the task is not retried until `nova retry`; the run continues without it. Returns when no
        process of the worker is left and the state shows it. On the thread that turns the engine (in a listener or a
        signal handler) it returns at once, and the engine ends the worker in its next turns.

        If the engine is closed, or Ctrl-C interrupted its `run`, this call reopens the run for as long as it needs and
        may raise what `Orchestrator` raises: `RunLockedError` if another engine has taken over.
        """
        command = Command(CommandKind.CANCEL, (self.task_id,))
        if self.is_alive():
            self._engine.post(command)
        while self.is_alive() and not self._engine.turns.are_mine:
            with self._engine.turns.taken(_PATIENCE) as mine:
                if mine and self.is_alive():
                    self._engine.see_to(command)
