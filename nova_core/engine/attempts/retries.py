"""The delays before retries: how long each is, and when the next one ends."""

from __future__ import annotations

import heapq
import os

from nova_core.engine.attempts.parts import Parts
from nova_core.state.events import EventKind
from nova_core.state.holds import left


class Retries:
    """Keeps the tasks that wait for a retry; drops tasks that were cancelled or started by hand meanwhile.

    `waiting` is a heap of monotonic time, task id and `retry_at`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.waiting: list[tuple[float, str, str]] = []

    def delay(self, failures: int) -> float:
        """Returns the delay in seconds: exponential backoff with jitter."""
        longest = min(self._parts.config.retry_max_delay, self._parts.config.retry_delay * 2.0 ** min(failures - 1, 30))
        return longest * (0.5 + os.urandom(1)[0] / 510)

    def plan(self, task_id: str, retry_at: str, *, far: bool = False) -> None:
        """Retry the task at `retry_at` (ISO 8601), but no later than after the longest retry delay.

        A provider's quota may delay it longer (`far`). The monotonic clock counts from here on, so that a change of the
        system time neither skips nor extends the delay.
        """
        if task_id not in self._parts.board.selected:
            return  # not selected in this run
        wait = max(0.0, left(retry_at, self._parts.clock.now()) or 0.0)
        wait = wait if far else min(wait, self._parts.config.retry_max_delay)
        heapq.heappush(self.waiting, (self._parts.clock.monotonic() + wait, task_id, retry_at))

    def try_due(self) -> None:
        """Queue the tasks whose delay is over."""
        while (wait := self.next()) is not None and wait <= 0:
            task_id = heapq.heappop(self.waiting)[1]
            text = f"{task_id} retrying now"
            self._parts.store.record(EventKind.TASK_RESET, task_id, text, retry_at=None, waits_for=None)
            self._parts.board.offer(task_id)

    def next(self) -> float | None:
        """Returns seconds until the next delay ends, None if no task waits."""
        while self.waiting:
            at, task_id, retry_at = self.waiting[0]
            if self._parts.board.state(task_id).retry_at == retry_at:
                return max(0.0, at - self._parts.clock.monotonic())
            heapq.heappop(self.waiting)
        return None
