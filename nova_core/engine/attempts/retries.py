"""The pauses before retries: how long each is, and when the next one is over."""

from __future__ import annotations

import heapq
import os

from nova_core.engine.attempts.parts import Parts
from nova_core.state.events import EventKind
from nova_core.state.holds import left


class Retries:
    """Remembers who is to be tried again when; forgets whoever was cancelled or started by hand meanwhile.

    `waiting` is a heap of the moment by the steady clock, the task, and its `retry_at`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.waiting: list[tuple[float, str, str]] = []

    def delay(self, failures: int) -> float:
        """Exponential backoff with jitter, in seconds."""
        longest = min(self._parts.config.retry_max_delay, self._parts.config.retry_delay * 2.0 ** min(failures - 1, 30))
        return longest * (0.5 + os.urandom(1)[0] / 510)

    def plan(self, task_id: str, retry_at: str, *, far: bool = False) -> None:
        """Remember that the task is to be tried again at `retry_at` (ISO 8601), or after the longest pause there is.

        A provider's quota may keep it waiting for longer (`far`).

        From here on the steady clock counts, so that a step of the wall clock neither drops nor stretches the pause.
        """
        if task_id not in self._parts.board.selected:
            return  # it is not this run's to try again
        wait = max(0.0, left(retry_at, self._parts.clock.now()) or 0.0)
        wait = wait if far else min(wait, self._parts.config.retry_max_delay)
        heapq.heappush(self.waiting, (self._parts.clock.monotonic() + wait, task_id, retry_at))

    def try_due(self) -> None:
        """Let those go whose pause is over."""
        while (wait := self.next()) is not None and wait <= 0:
            task_id = heapq.heappop(self.waiting)[1]
            text = f"{task_id} is tried again"
            self._parts.store.record(EventKind.TASK_RESET, task_id, text, retry_at=None, waits_for=None)
            self._parts.board.offer(task_id)

    def next(self) -> float | None:
        """Seconds until the next pause is over, None if nobody waits."""
        while self.waiting:
            at, task_id, retry_at = self.waiting[0]
            if self._parts.board.state(task_id).retry_at == retry_at:
                return max(0.0, at - self._parts.clock.monotonic())
            heapq.heappop(self.waiting)
        return None
