"""The working time of a run: the time during which at least one of its tasks ran. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from nova_core.state.run_clock import began, began_at
from nova_core.state.schema import TaskState

# Task, end of an attempt (ISO 8601), seconds it took, and its start on the run's clock, if known.
Span = tuple[str, str | None, float, float | None]


class WorkTime:
    """Adds up finished attempts, each once however often it is reported, and running tasks.

    `wall` never counts the time between two runs, so every reader gets the same figure at any time; `work` is the time
    that one worker would have needed.
    """

    def __init__(self, spans: Iterable[Span] = (), tasks: Mapping[str, TaskState] | None = None) -> None:
        self._known: set[tuple[str, str, float | None]] = set()
        self._starts: list[float] = []  # of stretches that do not touch, in order; paired with `_ends`
        self._ends: list[float] = []
        self._wall = self._work = 0.0
        self._running: dict[str, float] = {}
        for task_id, ended, took, start in spans:
            self.ended(task_id, ended, took, start)
        for task_id, state in (tasks or {}).items():
            self.see(task_id, state)
            if task_id not in self._running:
                self.ended(task_id, state.completed_at, state.elapsed, state.began)

    def see(self, task_id: str, state: TaskState) -> None:
        """Record whether the task runs, and since when."""
        start = began(state) if state.has_worker else None
        if start is None:
            self._running.pop(task_id, None)
        else:
            self._running[task_id] = start

    def ended(self, task_id: str, at: str | None, took: float, start: float | None = None) -> None:
        """Record a finished attempt of the task that ended `at` (a stamp); `start` is on the run's clock."""
        if not at or took <= 0 or (task_id, at, start) in self._known:
            return
        end = began_at(None if start is None else start + took, at)
        if end is None:
            return
        self._known.add((task_id, at, start))
        self._work += took
        self._cover(end - took, end)

    def _cover(self, start: float, end: float) -> None:
        first, after = bisect_left(self._ends, start), bisect_right(self._starts, end)
        self._wall -= sum(self._ends[n] - self._starts[n] for n in range(first, after))
        if first < after:
            start, end = min(start, self._starts[first]), max(end, self._ends[after - 1])
        self._wall += end - start
        self._starts[first:after], self._ends[first:after] = [start], [end]

    def wall(self, now: float) -> float:
        """Seconds during which at least one task ran, up to `now` (on the run's clock)."""
        since = min(self._running.values(), default=now)
        covered, number = 0.0, len(self._ends) - 1
        while number >= 0 and self._ends[number] > since:
            covered += self._ends[number] - max(since, self._starts[number])
            number -= 1
        return self._wall - covered + max(covered, now - since)

    def work(self, now: float) -> float:
        """Seconds of work of all attempts, up to `now`."""
        return self._work + sum(max(0.0, now - start) for start in self._running.values())
