"""May a task start now, and if not, what does it wait for? For a worker, the budget, a provider, an input, a person."""

from __future__ import annotations

from enum import Enum

from nova_core.engine.attempts.budget import Budget, Grant
from nova_core.engine.attempts.inputs import MissingInputs
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.rate_limits import RateLimits

_DISK_PATIENCE = 10.0  # seconds to wait for a disk that refuses, once nothing runs


class Wait(Enum):
    """What the task whose turn it was waits for."""

    MISSING = "an input, or a dependency the plan has not got"
    PROVIDER = "a provider that is left alone"
    BUDGET = "other tasks, whose share of the budget has to come free"


class Admission:
    """Judges whether tasks may start. `jobs` is how many may run at once.

    `stops` counts the requests to end the run; it may grow in a signal handler.
    """

    def __init__(
        self,
        parts: Parts,
        jobs: int,
        budget: Budget,
        inputs: MissingInputs,
        rate_limits: RateLimits,
        attempts: Attempts,
    ) -> None:
        self._parts = parts
        self._store = parts.store
        self._running = parts.board.running
        self._budget = budget
        self._inputs = inputs
        self._rate_limits = rate_limits
        self._attempts = attempts
        self._disk_since: float | None = None
        self.jobs = jobs
        self.stops = 0

    @property
    def free(self) -> int:
        """How many more may run."""
        return self.jobs - len(self._running)

    def stop(self, kill: bool) -> None:
        """Let nothing more start, and have the workers ended; the second time, or with `kill`, at once."""
        self.stops += 2 if kill else 1

    def is_open(self) -> bool:
        """Whether anything may start now."""
        if self.free <= 0 or self.stops:
            return False
        self.watch_budget()
        if self._budget.is_over or self._has_failed_fast():
            return False
        return not self._store.run.paused and self._store.disk_error is None

    def is_final(self) -> bool:
        """Whether nothing new will start any more in this run."""
        return bool(self.stops) or self._budget.is_over or self._has_failed_fast()

    def _has_failed_fast(self) -> bool:
        return self._parts.config.fail_fast and self._attempts.failed > 0

    def watch_budget(self) -> None:
        """Look at what running tasks have cost by now, and end them if that is all there is to spend."""
        if self._budget.limit is not None and (why := self._budget.newly_reached()):
            self._attempts.end_costly(why)

    def admit(self, task_id: str) -> Grant | Wait:
        """Whether the task that was taken from the queue may start, and at what cost; if not, it is kept back."""
        task = self._parts.board.cascade.tasks[task_id]
        if (task.inputs or task.missing) and self._inputs.keep_back(task):
            return Wait.MISSING
        agents = self._parts.config.runner_of(task).agents
        if agents and self._rate_limits.keep_back(task, agents):
            return Wait.PROVIDER
        if not (agents or task.model):
            return Grant()
        grant = self._budget.grant(task, agents, self.free + 1)
        if grant is None:
            self.put_back(task_id)
        return grant or Wait.BUDGET

    def put_back(self, task_id: str) -> None:
        """The task did not start: it is as it was before it was taken from the queue."""
        self._parts.board.leave(task_id)
        self._parts.board.offer(task_id)

    def disk_is_hopeless(self) -> bool:
        """Whether the disk has refused for longer than Nova waits with nothing running."""
        now = self._parts.clock.monotonic()
        if self._store.disk_error is None:
            self._disk_since = None
            return False
        if self._disk_since is None:
            self._disk_since = now
        return now - self._disk_since > _DISK_PATIENCE
