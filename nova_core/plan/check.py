"""Summarizes a plan, and finds problems that need the whole graph. O(V + E), without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum

import msgspec

from nova_core.errors import Problem
from nova_core.parser.cascade import Cascade
from nova_core.parser.findings import quoted, shown_path
from nova_core.plan.overlaps import overlap_warnings
from nova_core.plan.side_by_side import SideBySide


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


def find_warnings(cascade: Cascade, learned: Mapping[str, tuple[str, ...]] | None = None) -> tuple[Problem, ...]:
    """Returns every warning about a valid plan in file order, including files that two tasks may change at once.

    `learned` are files that tasks changed in an earlier run, by id.
    """
    found = (*cascade.warnings, *_shared_outputs(cascade), *overlap_warnings(cascade, learned))
    return tuple(sorted(found, key=lambda p: p.line or 1 << 60))


def _shared_outputs(cascade: Cascade) -> list[Problem]:
    writers: dict[str, list[str]] = {}
    for task in cascade.tasks.values():
        for path in task.outputs if not task.gate else ():
            if not task.workspace or "/" in path.rstrip("/"):  # a bare name is written to the task's own folder
                writers.setdefault(path.removeprefix("./"), []).append(task.id)
    shared = {path: ids for path, ids in writers.items() if len(ids) > 1}
    if not shared:
        return []
    apart = SideBySide(cascade)
    found = []
    for path, ids in shared.items():
        if pair := next(apart.pairs(ids), None):
            first, second = pair
            message = f"{second} and {first} both write {quoted(path)}, and neither depends on the other"
            hint = f"let {second} depend on {first}, or give both the same lock"
            place = cascade.tasks[second].file or shown_path(cascade.path)
            found.append(Problem(place, cascade.tasks[second].line, message, hint, warning=True))
    return found
