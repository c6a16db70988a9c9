"""Sums over tasks for a branch, a group or the whole project, kept up to date one task at a time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from nova_core.model import Task, TokenUsage
from nova_core.state.run_clock import began
from nova_core.state.schema import NEW, TaskState, TaskStatus
from nova_core.text import costs

_MICRO = 1_000_000
_NANO = 1_000_000_000
Branches = Mapping[str, Mapping[str, Sequence[str]]]


def told(plan: Mapping[str, Task], states: Mapping[str, TaskState]) -> dict[str, TaskState]:
    """States to show, in plan order: all tasks, and failed gates only."""
    known = ((i, task, states.get(i, NEW)) for i, task in plan.items())
    return {i: state for i, task, state in known if not task.gate or state.status is TaskStatus.FAILED}


class Rollup(msgspec.Struct, frozen=True, gc=False):
    """Sums over a number of tasks. Whole numbers only, so that adding and subtracting again changes nothing.

    `ended_us` is the microseconds of ended tasks, `started_us` the start times of the `running` ones (on the run's
    clock, summed), `cost_nano` billionths of a dollar of the `priced` tasks. `unpriced` tasks used tokens without a
    known price; the tokens of `estimated` tasks are estimates. `blocked` tasks are among the pending, `skipped` ones
    among the completed, `cancelled` ones among the failed.
    """

    total: int = 0
    pending: int = 0
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    blocked: int = 0
    ended_us: int = 0
    running: int = 0
    started_us: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    cost_nano: int = 0
    priced: int = 0
    unpriced: int = 0
    estimated: int = 0

    @property
    def status(self) -> TaskStatus:
        """The worst state of the tasks: failed, in progress, pending, completed; pending if there are none."""
        if self.failed:
            return TaskStatus.FAILED
        if self.in_progress:
            return TaskStatus.IN_PROGRESS
        return TaskStatus.PENDING if self.pending or not self.total else TaskStatus.COMPLETED

    @property
    def progress(self) -> float:
        """Share of completed tasks, 0 to 1."""
        return self.completed / self.total if self.total else 0.0

    @property
    def tokens(self) -> TokenUsage:
        """Tokens of each class."""
        return TokenUsage(self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_creation_tokens)

    @property
    def cost_usd(self) -> float | None:
        """US dollars of all tasks with a known cost, None if there are none; see `unpriced` for the rest."""
        return self.cost_nano / _NANO if self.priced else None

    @property
    def cost(self) -> str:
        """The cost as text, with marks for estimated or missing parts."""
        return costs(self.cost_usd, unpriced=bool(self.unpriced), estimated=bool(self.estimated))

    def duration(self, now: float) -> float:
        """Seconds of work so far: of ended tasks, and of running tasks up to `now` (on the run's clock)."""
        running = self.running * round(now * _MICRO) - self.started_us
        return (self.ended_us + max(0, running)) / _MICRO


_FIELDS = len(Rollup.__struct_fields__)
_Figures = tuple[int, ...]


def _figures(state: TaskState) -> _Figures:
    """The fields of the rollup of one task."""
    status, usage = state.status, state.token_usage
    started = _started(state)
    return (
        1,
        status == TaskStatus.PENDING,
        status == TaskStatus.IN_PROGRESS,
        status == TaskStatus.COMPLETED,
        status == TaskStatus.FAILED,
        state.skipped and status == TaskStatus.COMPLETED,
        state.was_cancelled,
        state.is_blocked,
        round(state.elapsed * _MICRO) if started is None else 0,
        started is not None,
        started or 0,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_creation_tokens,
        round((state.cost_usd or 0.0) * _NANO),
        state.cost_usd is not None,
        state.cost_usd is None and usage.total > 0,
        state.estimated,
    )


def _started(state: TaskState) -> int | None:
    """Start of a running task in microseconds on the run's clock, or None."""
    start = began(state) if state.has_worker else None
    return None if start is None else round(start * _MICRO)


def _total(figures: Iterable[_Figures]) -> Rollup:
    return Rollup(*map(sum, zip(*figures, strict=True)))


def rollup(states: Iterable[TaskState]) -> Rollup:
    """The rollup of these tasks, counted from zero."""
    return _total(map(_figures, states))


class RollupTree:
    """Rollups of the project, its branches and their groups; `update` costs the depth of the tree, not its size.

    `branches` maps branch -> group -> ids, as in a cascade; tasks without a state are pending.
    """

    def __init__(self, branches: Branches, tasks: Mapping[str, TaskState] | None = None) -> None:
        self._place = {i: (b, g) for b, groups in branches.items() for g, ids in groups.items() for i in ids}
        self._groups = {(b, g): [0] * _FIELDS for b, groups in branches.items() for g in groups}
        self._branches = {b: [0] * _FIELDS for b in branches}
        self._project = [0] * _FIELDS
        known = tasks or {}
        for task_id in self._place:
            self._add(task_id, _figures(known.get(task_id, NEW)))

    def update(self, task_id: str, old: TaskState, new: TaskState) -> None:
        """The task changed from `old` to `new`; a task that is not in the plan does not count."""
        if task_id in self._place:
            before, after = _figures(old), _figures(new)
            self._add(task_id, [b - a for a, b in zip(before, after, strict=True)])

    def _add(self, task_id: str, change: Sequence[int]) -> None:
        branch, group = self._place[task_id]
        for node in (self._project, self._branches[branch], self._groups[branch, group]):
            for i, number in enumerate(change):
                if number:
                    node[i] += number

    @property
    def project(self) -> Rollup:
        """All tasks of the plan."""
        return Rollup(*self._project)

    def branch(self, branch: str) -> Rollup:
        """The tasks of a branch. Raises `KeyError` for an unknown branch."""
        return Rollup(*self._branches[branch])

    def group(self, branch: str, group: str) -> Rollup:
        """The tasks of a group of a branch. Raises `KeyError` for an unknown branch or group."""
        return Rollup(*self._groups[branch, group])
