"""What the rest of a run will probably take, in time and in money; nothing where too little is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

import msgspec

from nova_core.parser import Cascade
from nova_core.runs.worktime import Span
from nova_core.state.run_clock import ran_for
from nova_core.state.schema import NEW, TaskState, TaskStatus

LEAST = 5
"""The number of tasks whose figures are known, below which nothing is said of a task without figures of its own."""
Latest = tuple[str, float, float | None]
"""A task, the seconds that its latest completed attempt took, and what that cost in US dollars, if it is known."""


class Past:
    """What tasks have taken and cost: their `latest` completed attempts in any run, and the longest attempt of this."""

    def __init__(self, latest: Iterable[Latest] = (), spans: Iterable[Span] = ()) -> None:
        self.seconds: dict[str, float] = {}
        self.usd: dict[str, float] = {}
        self.longest: dict[str, float] = {}
        for task_id, took, usd in latest:
            if took > 0:
                self.seconds[task_id] = took
            if usd:
                self.usd[task_id] = usd
        for task_id, _, took, _ in spans:
            self.ended(task_id, took)

    def ended(self, task_id: str, took: float) -> None:
        """Take in how long an attempt of this run took, whatever its end."""
        self.longest[task_id] = max(took, self.longest.get(task_id, 0.0))


_NOTHING = Past()


def seconds_left(
    cascade: Cascade, tasks: Mapping[str, TaskState], jobs: int, now: float, past: Past = _NOTHING
) -> float | None:
    """Returns the seconds until the remaining tasks are done; None if that is unknown for one of them.

    A task takes what its last completed attempt took, else what the plan says, else the median of all known ones, if
    these are `LEAST`; never less than an attempt of this run that did not end well. With `jobs` workers (0: unknown)
    the rest takes at least its longest chain, and its work shared among them. A task that is late adds nothing: nobody
    knows when it will end. If only such tasks remain the rest is unknown. Blocked tasks and those that need a person
    are left out.
    """
    done = {i: t.elapsed for i, t in tasks.items() if _is_done(t) and i in cascade.tasks and not cascade.tasks[i].gate}
    known = {**past.seconds, **done}
    usual = median(known.values()) if len(known) >= LEAST else None
    left = [_left(cascade, i, tasks.get(i, NEW), past, usual, now) for i in cascade.dag.ids]
    figures = [figure for figure in left if figure is not None]
    if len(figures) < len(left):
        return None
    busy = sum(t.is_running for t in tasks.values())
    found = max(max(cascade.dag.remaining_paths(figures), default=0.0), sum(figures) / max(1, jobs or busy))
    return found or None


def _is_done(state: TaskState) -> bool:
    return state.status is TaskStatus.COMPLETED and state.elapsed > 0 and not state.skipped


def _left(
    cascade: Cascade, task_id: str, state: TaskState, past: Past, usual: float | None, now: float
) -> float | None:
    task = cascade.tasks[task_id]
    if task.gate or state.is_over or state.is_blocked or state.awaits_approval or state.is_unchecked or task.settled:
        return 0.0
    expected = past.seconds.get(task_id, task.duration if task.duration is not None else usual)
    if expected is None:
        return None
    ran = ran_for(state, now) if state.is_running else None
    return max(0.0, max(expected, past.longest.get(task_id, 0.0)) - (ran or 0.0))


class CostLeft(msgspec.Struct, frozen=True):
    """The number of tasks that will probably cost money, and what they will cost in US dollars; None if unknown."""

    tasks: int
    usd: float | None


def cost_left(cascade: Cascade, tasks: Mapping[str, TaskState], past: Past = _NOTHING) -> CostLeft | None:
    """Returns what the remaining tasks will cost, but none less than it has cost; None if nothing remains.

    A task costs what its last completed attempt cost, else the median of all known ones, if these are `LEAST`; if that
    is unknown for one of them, all is. Blocked tasks are left out.
    """
    priced = {i: t.cost_usd for i, t in tasks.items() if t.status is TaskStatus.COMPLETED and t.cost_usd}
    known = {**past.usd, **priced}
    usual = median(known.values()) if len(known) >= LEAST else None
    rest = {
        i: tasks.get(i, NEW)
        for i, task in cascade.tasks.items()
        if not task.gate and not task.settled and not task.command
    }
    open_ones = {i: t for i, t in rest.items() if not t.is_over and not t.is_blocked and not t.awaits_approval}
    expected = [(past.usd.get(i, usual), t.cost_usd or 0.0) for i, t in open_ones.items()]
    figures = [max(0.0, usd - spent) for usd, spent in expected if usd is not None]
    if not expected:
        return None
    return CostLeft(len(expected), sum(figures) if len(figures) == len(expected) else None)
