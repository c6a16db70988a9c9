"""The pauses before retries: how long each is, and when the next one is over."""

from __future__ import annotations

import heapq
import os

from nova_core.clock import Clock
from nova_core.config import Config
from nova_core.plan.board import Board
from nova_core.state.holds import left


class Retries:
    """Remembers who is to be tried again when; forgets whoever was cancelled or started by hand meanwhile."""

    def __init__(self, board: Board, config: Config, clock: Clock) -> None:
        self._board = board
        self._config = config
        self._clock = clock
        self._waiting: list[tuple[float, str, str]] = []

    def delay(self, failures: int) -> float:
        """Exponential backoff with jitter, in seconds."""
        longest = min(self._config.retry_max_delay, self._config.retry_delay * 2.0 ** min(failures - 1, 30))
        return longest * (0.5 + os.urandom(1)[0] / 510)

    def plan(self, task_id: str, retry_at: str, *, far: bool = False) -> None:
        """Remember that the task is to be tried again at `retry_at` (ISO 8601), or after the longest pause there is.

        A provider's quota may keep it waiting for longer (`far`).

        From here on the steady clock counts, so that a step of the wall clock neither drops nor stretches the pause.
        """
        if task_id not in self._board.selected:
            return  # it is not this run's to try again
        wait = max(0.0, left(retry_at, self._clock.now()) or 0.0)
        wait = wait if far else min(wait, self._config.retry_max_delay)
        heapq.heappush(self._waiting, (self._clock.monotonic() + wait, task_id, retry_at))

    def due(self) -> list[str]:
        """Tasks whose pause is over; each is named once."""
        due = []
        while (wait := self.next()) is not None and wait <= 0:
            due.append(heapq.heappop(self._waiting)[1])
        return due

    def next(self) -> float | None:
        """Seconds until the next pause is over, None if nobody waits."""
        while self._waiting:
            at, task_id, retry_at = self._waiting[0]
            if self._board.state(task_id).retry_at == retry_at:
                return max(0.0, at - self._clock.monotonic())
            heapq.heappop(self._waiting)
        return None
