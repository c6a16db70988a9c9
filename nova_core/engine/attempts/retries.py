"""The delays before retries: how long each is, and when the next one ends."""

from __future__ import annotations

import heapq
import os
from typing import Any

from nova_core.clock import iso
from nova_core.engine.attempts.parts import Parts
from nova_core.model import Task
from nova_core.state.events import EventKind
from nova_core.state.run_clock import wait_left
from nova_core.state.schema import TaskState
from nova_core.text import duration

LONGEST_HOLD = 366 * 86400.0  # seconds that a provider may be held; monthly and yearly limits exist
_NOTICEABLE = 1.0  # seconds


class Retries:
    """Keeps the tasks that wait for a retry; drops tasks that were cancelled or started by hand meanwhile.

    `waiting` is a heap of time (on the run's clock), task id and `retry_at`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.waiting: list[tuple[float, str, str]] = []

    def are_left(self, task: Task, failures: int) -> bool:
        """Returns True if a task that has failed so often, this time included, may be retried."""
        own = task.retries
        return failures <= (self._parts.config.retries if own is None else own)

    def delay(self, failures: int) -> float:
        """Returns the delay in seconds: exponential backoff with jitter."""
        return self._longest(failures) * (0.5 + os.urandom(1)[0] / 510)

    def _longest(self, failures: int) -> float:
        config = self._parts.config
        return min(config.retry_max_delay, config.retry_delay * 2.0 ** min(max(failures - 1, 0), 30))

    def when(self, delay: float) -> dict[str, Any]:
        """Returns the patch of a task that is retried in `delay` seconds."""
        return {"retry_at": iso(self._parts.clock.now() + delay), "retry_due": self._parts.store.time() + delay}

    def plan(self, task_id: str) -> None:
        """Retry the task when its state says so, but no later than a delay of its kind can be.

        The run's clock decides, which no change of the system time moves. A state that was written by hand, or on
        another boot, says only what the system time will be.
        """
        if task_id not in self._parts.board.selected:
            return  # not selected in this run
        state, now = self._parts.board.state(task_id), self._parts.store.time()
        most = LONGEST_HOLD if state.waits_for is not None else self._longest(state.failures)
        wait = min(max(wait_left(state.retry_due, state.retry_at, now) or 0.0, 0.0), most)
        if state.waits_for is None and wait > 0 and abs(self._told(state) - wait) > _NOTICEABLE:
            self._correct(task_id, wait)
        heapq.heappush(self.waiting, (now + wait, task_id, self._parts.board.state(task_id).retry_at or ""))

    def _told(self, state: TaskState) -> float:
        """Seconds until the recorded stamp, by the system time."""
        return wait_left(None, state.retry_at, self._parts.clock.now()) or 0.0

    def _correct(self, task_id: str, wait: float) -> None:
        """Record and report the true time: the system time was set, or the recorded one was written by hand."""
        text = f"{task_id} retrying in {duration(wait)}"
        self._parts.store.record(EventKind.TASK_RETRYING, task_id, text, **self.when(wait))

    def try_due(self) -> None:
        """Queue the tasks whose delay is over."""
        while (wait := self.next()) is not None and wait <= 0:
            task_id = heapq.heappop(self.waiting)[1]
            text = f"{task_id} retrying now"
            self._parts.store.record(EventKind.TASK_RESET, task_id, text, retry_at=None, retry_due=None, waits_for=None)
            self._parts.board.offer(task_id)

    def next(self) -> float | None:
        """Returns seconds until the next delay ends, None if no task waits."""
        while self.waiting:
            at, task_id, retry_at = self.waiting[0]
            if self._parts.board.state(task_id).retry_at == retry_at:
                return max(0.0, at - self._parts.store.time())
            heapq.heappop(self.waiting)
        return None
