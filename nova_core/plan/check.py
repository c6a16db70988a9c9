"""Summarizes a plan, and finds problems that need the whole graph. O(V + E), without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import fsum

import msgspec

from nova_core.errors import Problem
from nova_core.parser.cascade import Cascade
from nova_core.parser.findings import quoted, shown_path

_MAX_STEPS = 1_000_000  # edges walked in search of tasks that write the same file at the same time


class PlanSummary(msgspec.Struct, frozen=True):
    """The figures of a plan. `critical_path` is one longest chain of ids; its seconds are None unless all are known.

    Gates do not count as tasks. `depth` is the number of layers, `widest` the largest number of tasks in one layer,
    `work_seconds` the sum of all known durations.
    """

    tasks: int
    branches: int
    groups: int
    edges: int
    roots: int
    depth: int
    widest: int
    critical_path: tuple[str, ...]
    critical_seconds: float | None
    work_seconds: float
    with_duration: int
    with_command: int
    with_outputs: int
    with_criteria: int
    with_approval: int


def summarize(cascade: Cascade, weights: Mapping[str, float] | None = None) -> PlanSummary:
    """Returns the figures of `cascade`. `weights` are past seconds by task id; declared durations fill gaps."""
    tasks, dag = [task for task in cascade.tasks.values() if not task.gate], cascade.dag
    history = weights or {}
    seconds = [0.0 if t.gate else history.get(t.id, t.duration) for t in cascade.tasks.values()]
    known = [s for task in tasks if (s := seconds[dag.index[task.id]]) is not None]
    average = fsum(known) / len(known) if known else 1.0
    path = dag.critical_path([average if s is None else s for s in seconds])
    on_path = [seconds[dag.index[task_id]] for task_id in path]
    return PlanSummary(
        tasks=len(tasks),
        branches=len(cascade.branches),
        groups=sum(map(len, cascade.branches.values())),
        edges=sum(map(len, dag.dependencies)),
        roots=sum(not task.depends_on for task in tasks),
        depth=round(max(dag.remaining_paths([float(not task.gate) for task in cascade.tasks.values()]), default=0)),
        widest=dag.widest_wave,
        critical_path=tuple(path),
        critical_seconds=None if None in on_path else fsum(s for s in on_path if s is not None),
        work_seconds=fsum(known),
        with_duration=len(known),
        with_command=sum(task.command is not None for task in tasks),
        with_outputs=sum(bool(task.outputs) for task in tasks),
        with_criteria=sum(bool(task.criteria) for task in tasks),
        with_approval=sum(bool(task.approval) for task in tasks),
    )


def find_warnings(cascade: Cascade) -> tuple[Problem, ...]:
    """Returns every warning about a valid plan in file order, including outputs that two tasks may write at once."""
    return tuple(sorted((*cascade.warnings, *_shared_outputs(cascade)), key=lambda p: p.line or 1 << 60))


def _shared_outputs(cascade: Cascade) -> list[Problem]:
    writers: dict[str, list[str]] = {}
    for task in cascade.tasks.values():
        for path in task.outputs:
            if not task.workspace or "/" in path.rstrip("/"):  # a bare name is written to the task's own folder
                writers.setdefault(path.removeprefix("./"), []).append(task.id)
    shared = {path: ids for path, ids in writers.items() if len(ids) > 1}
    if not shared:
        return []
    order = _Order(cascade)
    found = []
    for path, ids in shared.items():
        pair = order.unordered_pair(ids)
        if pair:
            first, second = pair
            message = f"{second} and {first} both write {quoted(path)}, and neither depends on the other"
            hint = f"let {second} depend on {first}, or give both the same lock"
            place = cascade.tasks[second].file or shown_path(cascade.path)
            found.append(Problem(place, cascade.tasks[second].line, message, hint, warning=True))
    return found


class _Order:
    """Finds tasks that can run at the same time; gives up after `_MAX_STEPS` edges."""

    def __init__(self, cascade: Cascade) -> None:
        self._tasks = cascade.tasks
        self._dag = cascade.dag
        self._rank = {node: at for at, node in enumerate(cascade.dag.order)}
        self._steps = _MAX_STEPS

    def unordered_pair(self, ids: list[str]) -> tuple[str, str] | None:
        """Returns two of `ids`, in plan order, that may run at once: topological neighbours without a link."""
        nodes = sorted((self._dag.index[task_id] for task_id in ids), key=self._rank.__getitem__)
        for first, second in pairwise(nodes):
            if self._share_lock(first, second) or self._leads_to(first, second):
                continue
            if self._steps <= 0:
                return None
            low, high = sorted((first, second))
            return self._dag.ids[low], self._dag.ids[high]
        return None

    def _share_lock(self, first: int, second: int) -> bool:
        one, other = (self._tasks[self._dag.ids[node]].locks for node in (first, second))
        return not set(one).isdisjoint(other)

    def _leads_to(self, first: int, second: int) -> bool:
        """Returns True if `second` waits for `first`, directly or not: walks up to the rank of `first`."""
        limit, seen, stack = self._rank[first], {second}, [second]
        while stack and self._steps > 0:
            dependencies = self._dag.dependencies[stack.pop()]
            self._steps -= len(dependencies) + 1
            if first in dependencies:
                return True
            above = [d for d in dependencies if d not in seen and self._rank[d] > limit]
            seen.update(above)
            stack += above
        return False
