"""Decides whether a task may start now, or waits for a worker, the budget, a provider, an input or a person."""

from __future__ import annotations

from enum import Enum

from nova_core.engine.attempts.budget import Budget, Grant
from nova_core.engine.attempts.inputs import MissingInputs
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.engine.attempts.own_trees import PROJECT
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.rate_limits import RateLimits
from nova_core.launch.ladder import work_of

_DISK_PATIENCE = 10.0  # seconds to wait for a disk that cannot be written, while no task runs


class Wait(Enum):
    """What the next task in the queue waits for."""

    MISSING = "an input, or a dependency that is not in the plan"
    FOLDER = "the project's own folder"
    PROVIDER = "a rate-limited provider"
    BUDGET = "other tasks, whose reserved budget must be released"


class Admission:
    """Decides whether tasks may start. At most `jobs` tasks run at once.

    `stops` counts the requests to end the run; a signal handler may increase it.
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
        self._trees = parts.trees
        self._attempts = attempts
        self._disk_since: float | None = None
        self.jobs = jobs
        self.stops = 0

    @property
    def free(self) -> int:
        """The number of tasks that may start beside the running ones."""
        return self.jobs - len(self._running)

    def stop(self, kill: bool) -> None:
        """Start no more tasks and end the workers; the second time, or with `kill`, immediately."""
        self.stops += 2 if kill else 1

    def is_open(self) -> bool:
        """Returns True if a task may start now."""
        return self.free > 0 and self.may_start()

    def may_start(self) -> bool:
        """Returns True if nothing but the number of running tasks keeps a task from starting now."""
        if self.stops:
            return False
        self.watch_budget()
        if self._budget.is_over or self._has_failed_fast():
            return False
        return not self._store.run.paused and self._store.disk_error is None

    def is_final(self) -> bool:
        """Returns True if no more tasks will start in this run."""
        return bool(self.stops) or self._budget.is_over or self._has_failed_fast()

    def _has_failed_fast(self) -> bool:
        return self._parts.config.fail_fast and self._attempts.failed > 0

    def watch_budget(self) -> None:
        """Check the cost of running tasks, and end the attempts once the budget is spent."""
        if why := self._budget.newly_reached():
            self._attempts.end_costly(why)
        elif surplus := self._budget.surplus():
            self._attempts.hold(surplus)

    def admit(self, task_id: str) -> Grant | Wait:
        """Returns a grant if the task from the queue may start; otherwise holds it back and returns the reason."""
        task = self._parts.board.cascade.tasks[task_id]
        if (task.inputs or task.missing) and self._inputs.keep_back(task):
            return Wait.MISSING
        if task.tree and self._trees.is_on and task.tree == PROJECT and self._trees.keep_back(task):
            return Wait.FOLDER
        task = work_of(task, self._parts.store.tasks[task_id], self._parts.config)
        agents = self._parts.launcher.agents_of(task)
        if agents and self._rate_limits.keep_back(task, agents):
            return Wait.PROVIDER
        if not (agents or task.model):
            return Grant()
        grant = self._budget.grant(task, agents, self.free + 1)
        if grant is None:
            self.put_back(task_id)
        return grant or Wait.BUDGET

    def put_back(self, task_id: str) -> None:
        """The task did not start: restore it to the state it had in the queue."""
        self._parts.board.leave(task_id)
        self._parts.board.offer(task_id)

    def disk_is_hopeless(self) -> bool:
        """Returns True if writing has failed for longer than Nova waits while no task runs."""
        now = self._parts.clock.monotonic()
        if self._store.disk_error is None:
            self._disk_since = None
            return False
        if self._disk_since is None:
            self._disk_since = now
        return now - self._disk_since > _DISK_PATIENCE
