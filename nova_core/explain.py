"""What a run would do with each task, and why, in the order it would start them. Pure: nothing is locked or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from nova_core.changes import Changes, compare, fingerprint
from nova_core.parser import Cascade
from nova_core.record import TaskState, TaskStatus
from nova_core.scheduler import Frontier, Limits, ReadyQueue, blockers

_NEW = TaskState()


class Explanation(msgspec.Struct, frozen=True):
    """`action` is "run", "wait" (something must happen first) or "skip" (nothing to do)."""

    task_id: str
    action: str
    why: str


def explain(
    cascade: Cascade,
    tasks: Mapping[str, TaskState],
    selected: Sequence[str],
    order: Sequence[float],
    rerun_changed: bool = False,
) -> list[Explanation]:
    """One explanation per selected task: first those that would run, in order, then those that wait, then the rest.

    `order` holds the expected seconds of each task by index (`scheduler.weights`).
    """  # fmt: skip
    changes = compare(cascade.tasks, tasks, {i: fingerprint(t) for i, t in cascade.tasks.items()})
    again = set(changes.edited) if rerun_changed else set()
    again |= cascade.dag.descendants(again)
    free = {i for i in changes.edited if tasks[i].status is TaskStatus.FAILED} | again
    states = {i: _NEW if i in free else tasks.get(i, _NEW) for i in cascade.tasks}
    chosen = set(selected)
    running = _run_order(cascade, states, chosen, order)
    explained = [Explanation(i, "run", _why_run(i, cascade, tasks, changes, again)) for i in running]
    failed = {i for i, t in states.items() if t.status is TaskStatus.FAILED}
    going = {i for i, t in states.items() if t.status in (TaskStatus.COMPLETED, TaskStatus.IN_PROGRESS)}
    blocked = blockers(cascade.dag, failed, going)
    will_run = set(running)
    others = [i for i in selected if i not in will_run]
    rest = [_why_not(i, states[i], blocked.get(i, ()), cascade, states, chosen, changes) for i in others]
    return explained + sorted(rest, key=lambda e: e.action == "skip")


def _run_order(
    cascade: Cascade, states: Mapping[str, TaskState], chosen: set[str], order: Sequence[float]
) -> list[str]:
    """Walk the graph as one worker would, taking every task for a success."""
    dag = cascade.dag
    done = {i for i, t in states.items() if t.status is TaskStatus.COMPLETED}
    frontier, queue = Frontier(dag, done), ReadyQueue(dag, cascade.tasks, order, Limits())
    ids = []

    def offer(index: int) -> None:
        state = states[dag.ids[index]]
        if dag.ids[index] in chosen and frontier.is_free(index) and state.status is TaskStatus.PENDING:
            queue.push(index)

    for index, task_id in enumerate(dag.ids):
        if states[task_id].status is TaskStatus.IN_PROGRESS and states[task_id].approval != "waiting":
            ids.append(task_id)
            for freed in frontier.complete(index):
                offer(freed)
        offer(index)
    while (index_or_none := queue.pop()) is not None:
        ids.append(dag.ids[index_or_none])
        queue.finish(index_or_none)
        for freed in frontier.complete(index_or_none):
            offer(freed)
    return ids


def _why_run(task_id: str, cascade: Cascade, tasks: Mapping[str, TaskState], changes: Changes, again: set[str]) -> str:
    state = tasks.get(task_id)
    if state is not None and task_id in again:
        return "it was edited" if task_id in changes.edited else "something it depends on was edited and runs again"
    if state is not None and state.status is TaskStatus.FAILED:
        return "it failed, and was edited since"
    if state is not None and state.status is TaskStatus.IN_PROGRESS:
        return "it was running: it is taken over if alive, collected if ended"
    after = cascade.tasks[task_id].depends_on
    first = "never run" if state is None or not state.attempt else f"attempt {state.attempt + 1}"
    return f"{first}; after {', '.join(after)}" if after else f"{first}; depends on nothing"


def _why_not(
    task_id: str, state: TaskState, blocked: tuple[str, ...], cascade: Cascade, states: Mapping[str, TaskState],
    chosen: set[str], changes: Changes,
) -> Explanation:  # fmt: skip
    if state.status is TaskStatus.COMPLETED:
        why = "skipped by hand" if state.skipped else f"completed {state.completed_at or 'earlier'}"
        edited = "; edited since (--rerun-changed runs it again)" if task_id in changes.edited else ""
        return Explanation(task_id, "skip", why + edited)
    if state.status is TaskStatus.FAILED:
        return Explanation(task_id, "wait", f"failed: {state.error}; `nova retry {task_id}`")
    if state.approval == "waiting":
        return Explanation(task_id, "wait", f"waits for a person: `nova approve {task_id}`")
    if blocked:
        return Explanation(task_id, "wait", f"blocked by {', '.join(blocked)}")
    unmet = [d for d in cascade.tasks[task_id].depends_on if states[d].status is not TaskStatus.COMPLETED]
    outside = [d for d in unmet if d not in chosen]
    return Explanation(task_id, "wait", f"needs {', '.join(outside or unmet)}" + (", not selected" if outside else ""))
