"""Blocked tasks: those below a failed task, reached through pending tasks only. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nova_core.dag import DAG
from nova_core.state.schema import NEW, TaskState, TaskStatus

BLOCKERS_SHOWN = 3  # listing all failures would take quadratic space when thousands fail

States = Mapping[str, TaskState]


def blockers(dag: DAG, states: States) -> dict[str, tuple[str, ...]]:
    """Returns for each blocked task up to three failed tasks that block it, the nearest first. O(V + E)."""
    statuses = [states.get(task_id, NEW).status for task_id in dag.ids]
    if TaskStatus.FAILED not in statuses:
        return {}
    blocked: list[tuple[str, ...]] = [()] * len(dag)
    found = {}
    for i in dag.order:
        if statuses[i] is not TaskStatus.PENDING:
            continue
        causes: dict[str, None] = {}
        for d in dag.dependencies[i]:
            causes.update(dict.fromkeys((dag.ids[d],) if statuses[d] is TaskStatus.FAILED else blocked[d]))
        if causes:
            blocked[i] = found[dag.ids[i]] = tuple(causes)[:BLOCKERS_SHOWN]
    return found


def newly_blocked(dag: DAG, states: States, failed: str) -> dict[str, tuple[str, ...]]:
    """Returns the tasks that a new failure blocks and that need another mark, with their new marks, nearest first.

    A task with enough marks is already blocked by others, and so is everything that waits for it.
    """

    def lacks_mark(state: TaskState) -> bool:
        causes = state.blocked_by
        return state.status is TaskStatus.PENDING and failed not in causes and len(causes) < BLOCKERS_SHOWN

    below = _reached(dag, dag.dependents, states, failed, lacks_mark)
    return {i: (*states.get(i, NEW).blocked_by, failed) for i in below}


def blocked_tasks(dag: DAG, states: States, failed: str) -> tuple[str, ...]:
    """Returns all pending tasks that a failed task blocks, nearest first; none if the plan does not have it."""
    return tuple(_reached(dag, dag.dependents, states, failed, lambda state: state.status is TaskStatus.PENDING))


def failed_above(dag: DAG, states: States, task_id: str) -> tuple[str, ...]:
    """Returns all failed tasks that block a task, the nearest first."""
    pending = (task_id, *_reached(dag, dag.dependencies, states, task_id, lambda s: s.status is TaskStatus.PENDING))
    above = (dag.ids[d] for i in pending for d in dag.dependencies[dag.index[i]])
    return tuple(dict.fromkeys(i for i in above if states.get(i, NEW).status is TaskStatus.FAILED))


def _reached(
    dag: DAG, edges: Sequence[Sequence[int]], states: States, start: str, goes_on: Callable[[TaskState], bool]
) -> list[str]:
    """Returns the tasks reached from `start` over tasks for which `goes_on` is True, nearest first, without `start`."""
    todo = [dag.index[start]] if start in dag.index else []
    seen = set(todo)
    for index in todo:
        for other in edges[index]:
            if other not in seen and goes_on(states.get(dag.ids[other], NEW)):
                seen.add(other)
                todo.append(other)
    return [dag.ids[i] for i in todo[1:]]
