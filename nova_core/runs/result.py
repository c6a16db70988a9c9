"""The state of a run and its result: immutable values for every interface. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from math import fsum

import msgspec

from nova_core.clock import iso
from nova_core.model import TokenUsage
from nova_core.parser import Cascade
from nova_core.plan.scheduler import weights
from nova_core.runs.words import Shown, counts
from nova_core.state.run_clock import ran_for
from nova_core.state.schema import NEW, State, TaskState, TaskStatus


class Outcome(StrEnum):
    """What the exit code of a run means; a run that was stopped ends with the signal's code, or with 4."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    OVER_BUDGET = "over_budget"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


class Snapshot(msgspec.Struct, frozen=True):
    """The run at one time. `at` is UTC on the run's clock; `jobs` the number of workers; the rest is derived."""

    cascade: Cascade
    state: State
    jobs: int
    at: datetime

    @classmethod
    def of(cls, cascade: Cascade, state: State, jobs: int, now: float) -> Snapshot:
        """The snapshot of a state at `now` (seconds on the run's clock)."""
        return cls(cascade, state, jobs, datetime.fromtimestamp(now, UTC))

    @property
    def rev(self) -> int:
        """Number of the last event in the snapshot."""
        return self.state.rev

    @property
    def running(self) -> tuple[str, ...]:
        """Ids with a worker, in the order they started."""
        tasks = self.state.tasks
        return tuple(sorted((i for i, t in tasks.items() if t.has_worker), key=lambda i: tasks[i].started_at or ""))

    @property
    def ready(self) -> tuple[str, ...]:
        """Ids that could start if the limits allowed it."""
        tasks = self.state.tasks
        free = self.cascade.dag.get_ready_tasks({i: t.status for i, t in tasks.items()})
        return tuple(i for i in free if not tasks.get(i, NEW).awaits_approval)

    @property
    def blocked(self) -> dict[str, tuple[str, ...]]:
        """Blocked tasks, each with the failures that block it."""
        return {i: t.blocked_by for i, t in self.state.tasks.items() if t.blocked_by and t.is_blocked}

    @property
    def lacking(self) -> dict[str, tuple[str, ...]]:
        """Tasks that cannot start because something is missing, each with what is missing."""
        return {i: t.missing for i, t in self.state.tasks.items() if t.missing and t.status is TaskStatus.PENDING}

    @property
    def critical_path_left(self) -> float | None:
        """Seconds of the longest chain of tasks that can still be done, if any duration is known.

        The time that a running task has already taken is not counted again.
        """
        tasks, dag = self.state.tasks, self.cascade.dag
        history = {i: t.elapsed for i, t in tasks.items() if t.status is TaskStatus.COMPLETED and t.elapsed}
        if not history and all(t.duration is None for t in self.cascade.tasks.values()):
            return None
        expected = zip(dag.ids, weights(dag, self.cascade.tasks, history), strict=True)
        left = [self._left(tasks.get(i, NEW), weight) for i, weight in expected]
        return max(dag.remaining_paths(left), default=0.0)

    def _left(self, task: TaskState, expected: float) -> float:
        """Seconds a task will still take."""
        if task.is_over or task.blocked_by or task.missing:
            return 0.0
        if task.status is TaskStatus.IN_PROGRESS:
            return max(0.0, expected - (ran_for(task, self.at.timestamp()) or 0.0))
        return expected


class Counts(msgspec.Struct, frozen=True):
    """How many of the selected tasks ended which way; `cancelled` are among the `failed`."""

    total: int
    completed: int
    failed: int
    cancelled: int
    blocked: int
    pending: int
    waiting_approval: int


class RunResult(Counts, frozen=True):
    """The result of the run, counted over the selected tasks.

    `started_at`, `ended_at` (ISO 8601 UTC) and `wall_seconds` are this run's, `task_seconds` is the sum of the tasks'
    last attempts. `cost_usd` is None if nothing is priced, `unpriced` means that some tokens are not, `estimated` that
    some tokens and costs are estimates.
    """

    exit_code: int
    wall_seconds: float
    task_seconds: float
    tokens: TokenUsage
    cost_usd: float | None
    unpriced: bool
    estimated: bool = False
    outcome: Outcome = Outcome.COMPLETED
    started_at: str = ""
    ended_at: str = ""

    def line(self) -> str:
        """One line for the log of events."""
        numbers = {
            Shown.FAILED: self.failed - self.cancelled, Shown.CANCELLED: self.cancelled, Shown.BLOCKED: self.blocked,
            Shown.APPROVAL: self.waiting_approval,
        }  # fmt: skip
        return ", ".join([f"{self.completed:,}/{self.total:,} done", *counts(numbers)])


def summarize(
    ids: Iterable[str], state: State, wall_seconds: float, now: float, *, stopped: bool, over_budget: bool
) -> RunResult:
    """Count the selected tasks and choose the exit code (docs/exit-codes.md); the caller adds a signal's code.

    `now` is when the run ended, in seconds since the epoch.
    """
    tasks = [state.tasks.get(i, NEW) for i in ids]
    completed = sum(t.status is TaskStatus.COMPLETED for t in tasks)
    failed = sum(t.status is TaskStatus.FAILED for t in tasks)
    cancelled = sum(t.was_cancelled for t in tasks)
    waiting = sum(t.awaits_approval for t in tasks)
    blocked = sum(t.is_blocked for t in tasks)
    costs = [t.cost_usd for t in tasks if t.cost_usd is not None]
    left = len(tasks) - completed
    git = state.run.git
    is_in_the_way = git is not None and bool(git.waits) and git.tip != git.landed
    code = (4 if is_in_the_way else 0) if not left else 5 if over_budget else 1 if failed and not stopped else 4
    return RunResult(
        exit_code=code, total=len(tasks), completed=completed, failed=failed, cancelled=cancelled, blocked=blocked,
        pending=left - failed - waiting - blocked, waiting_approval=waiting, wall_seconds=wall_seconds,
        task_seconds=fsum(t.elapsed for t in tasks), tokens=sum((t.token_usage for t in tasks), TokenUsage()),
        cost_usd=fsum(costs) if costs else None,
        unpriced=any(t.cost_usd is None and t.token_usage.total for t in tasks),
        estimated=any(t.estimated for t in tasks), outcome=_outcome(code, stopped),
        started_at=iso(now - wall_seconds), ended_at=iso(now),
    )  # fmt: skip


def _outcome(exit_code: int, stopped: bool) -> Outcome:
    if stopped and exit_code:
        return Outcome.STOPPED
    by_code = {0: Outcome.COMPLETED, 1: Outcome.FAILED, 5: Outcome.OVER_BUDGET}
    return by_code.get(exit_code, Outcome.INCOMPLETE)
