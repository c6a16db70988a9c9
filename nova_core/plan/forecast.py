"""Forecasts when tasks will be done, by simulating the rest of the run with the known durations. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.plan.scheduler import Frontier, Limits, ReadyQueue, weights
from nova_core.state.run_clock import ran_for
from nova_core.state.schema import NEW, TaskState, TaskStatus


def forecast(
    cascade: Cascade,
    tasks: Mapping[str, TaskState],
    jobs: int,
    limits: Limits,
    history: Mapping[str, float],
    now: float,
) -> dict[str, float]:
    """Returns seconds from `now` (on the run's clock) until each task is done, from earlier or planned durations.

    Empty if no duration is known. Tasks that are blocked, lack something or wait for a person are left out, and so are
    those that wait for them.
    """  # fmt: skip
    took = {i: t.elapsed for i, t in tasks.items() if t.status is TaskStatus.COMPLETED and t.elapsed}
    known = {**history, **took}
    if not any(i in known or t.duration is not None for i, t in cascade.tasks.items()):
        return {}
    order = weights(cascade.dag, cascade.tasks, known)
    return _Play(cascade, tasks, jobs, limits, order, now).finished


class _Play:
    """Simulates the run: the engine's queue with a clock that jumps from one end of a task to the next."""

    def __init__(
        self, cascade: Cascade, tasks: Mapping[str, TaskState], jobs: int, limits: Limits, order: list[float],
        now: float,
    ) -> None:  # fmt: skip
        self.finished: dict[str, float] = {}
        self._dag, self._tasks, self._states, self._order = cascade.dag, cascade.tasks, tasks, order
        done = {i for i in cascade.tasks if self._state(i).status is TaskStatus.COMPLETED}
        self._frontier = Frontier(self._dag, done)
        self._queue = ReadyQueue(self._dag, cascade.tasks, order, limits)
        self._running: list[tuple[float, int]] = []
        for index, task_id in enumerate(self._dag.ids):
            state = self._state(task_id)
            if state.is_running:
                self._queue.take(index)
                heapq.heappush(self._running, (self._left(state, order[index], now), index))
            elif self._frontier.is_free(index):
                self._offer(index)
        self._play(jobs)

    def _state(self, task_id: str) -> TaskState:
        return self._states.get(task_id) or _settled(self._tasks[task_id])

    def _offer(self, index: int) -> None:
        state, task = self._state(self._dag.ids[index]), self._tasks[self._dag.ids[index]]
        if state.status is TaskStatus.PENDING and not state.is_blocked and not task.missing:
            self._queue.push(index)

    def _left(self, state: TaskState, expected: float, now: float) -> float:
        return max(0.0, expected - (ran_for(state, now) or 0.0))

    def _play(self, jobs: int) -> None:
        at = 0.0
        while True:
            while len(self._running) < max(1, jobs) and (index := self._queue.pop()) is not None:
                heapq.heappush(self._running, (at + self._order[index], index))
            if not self._running:
                return
            at, index = heapq.heappop(self._running)
            self.finished[self._dag.ids[index]] = at
            self._queue.finish(index)
            for freed in self._frontier.complete(index):
                self._offer(freed)


def _settled(task: Task) -> TaskState:
    return TaskState(TaskStatus.COMPLETED, skipped=task.dropped) if task.settled else NEW
