"""What the rest of a run will probably take, in time and in money; nothing where too little is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

import msgspec

from nova_core.parser import Cascade
from nova_core.state.run_clock import ran_for
from nova_core.state.schema import NEW, TaskState, TaskStatus

LEAST = 5
"""The number of done tasks below which nothing is guessed."""
_LONGER = 0.25  # of the time that a task has run which is already late: what it is expected to need again


def seconds_left(cascade: Cascade, tasks: Mapping[str, TaskState], jobs: int, now: float) -> float | None:
    """Returns the seconds until the remaining tasks are done; None with fewer than `LEAST` done tasks.

    A task takes what the plan says, else the median of the done ones. With `jobs` workers (0: unknown) the rest takes
    at least its longest chain, and its work shared among them. Blocked tasks and those that need a person are left out.
    """
    done = [t.elapsed for i, t in tasks.items() if _is_done(t) and i in cascade.tasks and not cascade.tasks[i].gate]
    if len(done) < LEAST:
        return None
    usual = median(done)
    left = [_left(cascade, i, tasks.get(i, NEW), usual, now) for i in cascade.dag.ids]
    busy = sum(t.is_running for t in tasks.values())
    return max(max(cascade.dag.remaining_paths(left), default=0.0), sum(left) / max(1, jobs or busy))


def _is_done(state: TaskState) -> bool:
    return state.status is TaskStatus.COMPLETED and state.elapsed > 0 and not state.skipped


def _left(cascade: Cascade, task_id: str, state: TaskState, usual: float, now: float) -> float:
    task = cascade.tasks[task_id]
    if task.gate or state.is_over or state.is_blocked or state.awaits_approval or state.is_unchecked or task.settled:
        return 0.0
    expected = task.duration if task.duration is not None else usual
    ran = ran_for(state, now) if state.is_running else None
    return expected if ran is None else max(expected - ran, ran * _LONGER)


class CostLeft(msgspec.Struct, frozen=True):
    """The number of tasks that will probably cost money, and what they will cost in US dollars."""

    tasks: int
    usd: float


def cost_left(cascade: Cascade, tasks: Mapping[str, TaskState]) -> CostLeft | None:
    """Returns what the remaining tasks will cost, each the median of the done ones but never less than it has cost.

    None with fewer than `LEAST` done tasks with a price, or if nothing remains. Blocked tasks are left out.
    """
    priced = [t.cost_usd for t in tasks.values() if t.status is TaskStatus.COMPLETED and t.cost_usd]
    if len(priced) < LEAST:
        return None
    usual = median(priced)
    rest = [
        tasks.get(i, NEW)
        for i, task in cascade.tasks.items()
        if not task.gate and not task.settled and not task.command
    ]
    open_ones = [t for t in rest if not t.is_over and not t.is_blocked and not t.awaits_approval]
    if not open_ones:
        return None
    return CostLeft(len(open_ones), sum(max(0.0, usual - (t.cost_usd or 0.0)) for t in open_ones))
