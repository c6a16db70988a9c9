"""Finds completed tasks whose result may be out of date, and why. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from nova_core.parser import Cascade
from nova_core.state.schema import NEW, TaskState, TaskStatus
from nova_core.text import first_of


def stale(
    cascade: Cascade,
    tasks: Mapping[str, TaskState],
    edited: Collection[str] = (),
    lost: Mapping[str, Sequence[str]] | None = None,
    only: Collection[str] | None = None,
) -> dict[str, str]:
    """Returns why, by task in dependency order, the results of completed tasks may be out of date.

    `edited` are the tasks whose text is another than the one they were done with, `lost` says of tasks which of their
    outputs are gone. What depends on such a task, directly or not, or started before a dependency ran again, is stale,
    too. With `only`, just these tasks and what they depend on are looked at.
    """
    gone = lost or {}
    wanted = None if only is None else {*only, *cascade.dag.ancestors(only)}
    found: dict[str, str] = {}
    causes: dict[str, str] = {}  # why what depends on a task is stale
    for index in cascade.dag.order:
        task_id = cascade.dag.ids[index]
        if wanted is not None and task_id not in wanted:
            continue
        task, state = cascade.tasks[task_id], tasks.get(task_id, NEW)
        above = next((causes[d] for d in task.depends_on if d in causes), "")
        if state.status is not TaskStatus.COMPLETED:
            causes[task_id] = f"{task_id} is not done" if state.attempt and not task.gate else above
        elif task_id in edited:
            found[task_id], causes[task_id] = "edited since it was done", f"{task_id} was edited"
        elif not has_run(state) or task.gate:
            causes[task_id] = above  # it made nothing itself
        elif task_id in gone:
            found[task_id], causes[task_id] = "; ".join(gone[task_id]), f"an output of {task_id} is gone"
        else:
            again = newer(state, task.depends_on, tasks)
            causes[task_id] = above if not again else f"{', '.join(again)} ran again later"
            if causes[task_id]:
                found[task_id] = causes[task_id]
        if not causes[task_id]:
            del causes[task_id]
    return found


def has_run(state: TaskState) -> bool:
    """Returns True if the task is completed and was not skipped, nor marked as done without having run."""
    return state.status is TaskStatus.COMPLETED and not state.skipped and bool(state.started_at)


def newer(state: TaskState, depends_on: Iterable[str], tasks: Mapping[str, TaskState]) -> list[str]:
    """The dependencies of a completed task that ran again after it started.

    The run's clock decides, which does not jump. Tasks of an older Nova have stamps only: these are compared as text,
    because all have the same length and zone.
    """
    if not has_run(state):
        return []
    return [i for i in depends_on if _ran_after(tasks.get(i, NEW), state)]


def _ran_after(other: TaskState, state: TaskState) -> bool:
    if other.status is not TaskStatus.COMPLETED:
        return False
    if other.began is not None and state.began is not None:
        return other.began > state.began
    return (other.completed_at or "") > (state.started_at or "")


def listed(found: Mapping[str, str], most: int = 5) -> str:
    """`A (edited since it was done), B (A was edited) and 3 more`."""
    return first_of([f"{task_id} ({why})" for task_id, why in found.items()], most)
