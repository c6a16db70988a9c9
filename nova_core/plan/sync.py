"""Updates a run to its plan: records changes, keeps done tasks done, and keeps the text of running tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.plan.changes import Changes, compare, fingerprint, same_words
from nova_core.plan.leaving import ROW, grown, restored
from nova_core.state.events import EventKind
from nova_core.state.schema import NEW, RESET, TaskState, TaskStatus
from nova_core.state.store import Store


def accept_plan(cascade: Cascade, store: Store, leaving: Collection[str] = ()) -> None:
    """Update the store to the plan.

    Finished tasks stay finished; an edited task that failed can run again; a running task keeps the text it was started
    with, also one of the `leaving`, which have no row any more.
    """
    prints = {task_id: fingerprint(task) for task_id, task in cascade.tasks.items() if task_id not in leaving}
    prints |= {i: store.tasks[i].fingerprint or "" for i in leaving}
    changes = compare(cascade.tasks, store.tasks, prints)
    if changes:
        _tell(store, changes, prints)
    for task_id in changes.removed:
        store.remove(task_id)
    for task_id in changes.edited:
        _accept_edit(store, task_id, prints[task_id])
    # A reused id continues its attempt numbers, so that records of the old task are not taken for the new one's.
    if changes.added:
        store.commit()  # the history must have every start
    used = store.database.last_attempts() if changes.added else {}
    for task in cascade.tasks.values():
        _settle(store, task)
    store.add_tasks({i: _fresh(store.tasks.get(i), t, prints[i], used.get(i, 0)) for i, t in cascade.tasks.items()})


def _tell(store: Store, changes: Changes, prints: Mapping[str, str]) -> None:
    """Record the change, and remember completed and cancelled tasks that leave: one that returns with the same text
    is still done, or cancelled."""
    gone = dict(store.run.gone)
    known = {i: gone.pop(i) for i in changes.added if i in gone}
    back = {i: state for i, state in known.items() if same_words(state.fingerprint, prints[i])}
    gone |= {i: store.tasks[i] for i in changes.removed if _lasts(store.tasks[i])}
    patch = {"gone": gone} if gone != store.run.gone else {}
    store.record(EventKind.PLAN_CHANGED, None, f"the plan changed: {changes}", **patch)
    for task_id, state in back.items():
        known_of_it = {name: getattr(state, name) for name in TaskState.__struct_fields__}
        what = "still cancelled" if state.was_cancelled else "already done"
        store.record(EventKind.TASK_CHANGED, task_id, f"{task_id} is back in the plan, and {what}", **known_of_it)


def _lasts(state: TaskState) -> bool:
    return state.status is TaskStatus.COMPLETED or state.was_cancelled


def _accept_edit(store: Store, task_id: str, mark: str) -> None:
    status = store.tasks[task_id].status if task_id in store.tasks else TaskStatus.PENDING
    if status is TaskStatus.FAILED:
        text = f"{task_id} will run again: it was edited"
        store.record(EventKind.TASK_RESET, task_id, text, **RESET, fingerprint=mark)
    elif status is TaskStatus.PENDING:
        # An approval was for the old text.
        store.record(EventKind.PLAN_CHANGED, task_id, f"{task_id} was edited", fingerprint=mark, approval=None)


def _settle(store: Store, task: Task) -> None:
    """Mark a task done that the plan newly marks as done; `nova retry` still runs it."""
    state = store.tasks.get(task.id)
    if state is None or not task.settled or state.settled == task.settled:
        return
    if state.status in (TaskStatus.PENDING, TaskStatus.FAILED):
        patch = {**RESET, "status": TaskStatus.COMPLETED, "skipped": task.dropped, "settled": task.settled}
        store.record(EventKind.TASK_COMPLETED, task.id, f"the plan says that {task.id} is {task.settled}", **patch)


def _fresh(state: TaskState | None, task: Task, mark: str, used: int) -> TaskState:
    if state is None:
        status = TaskStatus.COMPLETED if task.settled else TaskStatus.PENDING
        return msgspec.structs.replace(
            NEW, status=status, attempt=used, skipped=task.dropped, fingerprint=mark, settled=task.settled
        )  # its empty values are those of all new tasks
    if state.fingerprint and state.settled == task.settled:
        return state
    # The plan's mark on a running task takes effect when the task has ended.
    settled = task.settled if state.status is TaskStatus.COMPLETED or not task.settled else state.settled
    return msgspec.structs.replace(state, fingerprint=state.fingerprint or mark, settled=settled)


def row_of(task: Task) -> dict[str, Any]:
    """Returns the fields of a task for the history: enough to judge its end, and to read it without the plan."""
    row = {name: value for name in ROW if (value := getattr(task, name)) not in ("", (), None, False)}
    words: dict[str, Any] = {"name": task.name, "row": row}
    if task.criteria:
        words["criteria"] = [{"text": criterion.text, "command": criterion.command} for criterion in task.criteria]
    return words


def as_started(cascade: Cascade, store: Store) -> Cascade:
    """Returns the plan, in which tasks that an earlier engine left running have the text they were started with."""
    going = {i for i, state in store.tasks.items() if state.status is TaskStatus.IN_PROGRESS}
    rows = store.database.started(going) if going else {}
    tasks = {i: restored(i, patch, cascade.tasks.get(i)) for i, patch in rows.items() if "row" in patch}
    return grown(tasks, cascade, tasks)
