"""What a new engine finds: a plan that may have changed, and attempts that went on, ended or never began."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from nova_core.clock import iso, seconds
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.executors.base import Executor, Report, Started
from nova_core.files.project import log_name
from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.plan.board import Board
from nova_core.plan.changes import Changes, compare, fingerprint, same_words
from nova_core.state.events import EventKind
from nova_core.state.schema import CLEARED, RESET, Reason, TaskState, TaskStatus
from nova_core.state.store import Store


def accept_plan(cascade: Cascade, store: Store, *, rerun_changed: bool = False) -> None:
    """Bring the store up to the plan.

    Finished tasks stay finished (with `rerun_changed`, edited ones and what depends on them run again); an edited task
    that had failed is free to run; one that is running keeps the words it was started with.
    """
    prints = {task_id: fingerprint(task) for task_id, task in cascade.tasks.items()}
    changes = compare(cascade.tasks, store.tasks, prints)
    again = set(changes.edited) if rerun_changed else set()
    again |= cascade.dag.descendants(again)
    if changes:
        _tell(store, changes, prints)
    for task_id in changes.removed:
        store.remove(task_id)
    for task_id in dict.fromkeys((*changes.edited, *(i for i in cascade.tasks if i in again))):
        _accept_edit(store, task_id, prints[task_id], task_id in again)
    # An id that is used again goes on counting: what the old task left, records or reports, must not pass for its own.
    used = store.database.last_attempts() if changes.added else {}
    for task in cascade.tasks.values():
        _settle(store, task)
    store.add_tasks({i: _fresh(store.tasks.get(i), t, prints[i], used.get(i, 0)) for i, t in cascade.tasks.items()})


def _tell(store: Store, changes: Changes, prints: Mapping[str, str]) -> None:
    """Say what changed, and remember what was done of tasks that leave: one that comes back with its words is done."""
    gone = dict(store.run.gone)
    known = {i: gone.pop(i) for i in changes.added if i in gone}
    back = {i: state for i, state in known.items() if same_words(state.fingerprint, prints[i])}
    gone |= {i: store.tasks[i] for i in changes.removed if store.tasks[i].status is TaskStatus.COMPLETED}
    patch = {"gone": gone} if gone != store.run.gone else {}
    store.record(EventKind.PLAN_CHANGED, None, f"the plan changed: {changes}", **patch)
    for task_id, state in back.items():
        known_of_it = {name: getattr(state, name) for name in TaskState.__struct_fields__}
        store.record(EventKind.TASK_CHANGED, task_id, f"{task_id} is back in the plan, and done already", **known_of_it)


def _accept_edit(store: Store, task_id: str, mark: str, again: bool) -> None:
    status = store.tasks[task_id].status if task_id in store.tasks else TaskStatus.PENDING
    if status is TaskStatus.FAILED or (again and status is TaskStatus.COMPLETED):
        text = f"{task_id} will run again: it, or what it depends on, was edited"
        store.record(EventKind.TASK_RESET, task_id, text, **RESET, fingerprint=mark)
    elif status is TaskStatus.PENDING:
        store.record(EventKind.PLAN_CHANGED, task_id, f"{task_id} was edited", fingerprint=mark)


def _settle(store: Store, task: Task) -> None:
    """A task that the plan now calls done, and did not before, is done; `nova retry` runs it even so."""
    state = store.tasks.get(task.id)
    if state is None or not task.settled or state.settled == task.settled:
        return
    if state.status in (TaskStatus.PENDING, TaskStatus.FAILED):
        patch = {**RESET, "status": TaskStatus.COMPLETED, "skipped": task.dropped, "settled": task.settled}
        store.record(EventKind.TASK_COMPLETED, task.id, f"{task.id} is {task.settled}, says the plan", **patch)


def _fresh(state: TaskState | None, task: Task, mark: str, used: int) -> TaskState:
    if state is None:
        status = TaskStatus.COMPLETED if task.settled else TaskStatus.PENDING
        return TaskState(status, attempt=used, skipped=task.dropped, fingerprint=mark, settled=task.settled)
    if state.fingerprint and state.settled == task.settled:
        return state
    # The plan's word for a task that is at work is taken when that is over.
    settled = task.settled if state.status is TaskStatus.COMPLETED or not task.settled else state.settled
    return msgspec.structs.replace(state, fingerprint=state.fingerprint or mark, settled=settled)


def recover(board: Board, attempts: Attempts, executor: Executor, reports: Iterable[Report]) -> list[Report]:
    """Settle what earlier engines left; returns reports that are now to be handled like any other.

    Every order in which a kill can leave record, state and events is met here: an attempt the state does not know began
    (its record says so) counts; one the state knows and no record does never began.
    """
    by_key = {report.key: report for report in reports}
    mains: dict[str, tuple[int, Report]] = {}
    for key, report in by_key.items():
        task_id, number, check = _split(key)
        if check:
            attempts.checks.recovered[key] = report
        elif number > mains.get(task_id, (0, report))[0]:
            mains[task_id] = number, report
    for key, report in by_key.items():
        task_id, number, check = _split(key)
        if not _is_open(board, task_id, number) or (not check and mains[task_id][0] != number):
            _drop(executor, report)
            attempts.checks.recovered.pop(key, None)
    found = []
    for task_id, (number, report) in mains.items():
        if _is_open(board, task_id, number):
            found.append(_take_over(board, attempts, task_id, number, report))
    _give_up_unknown(board, attempts)
    return found


def _split(key: str) -> tuple[str, int, int]:
    task_id, _, rest = key.partition("@")
    number, _, check = rest.partition("+")
    return task_id, int(number), int(check or 0)


def _is_open(board: Board, task_id: str, number: int) -> bool:
    """Whether the state still waits for the end of this attempt (or has not heard of its start)."""
    if task_id not in board.cascade.tasks:
        return False
    state = board.state(task_id)
    return number > state.attempt or (number == state.attempt and state.is_running)


def _drop(executor: Executor, report: Report) -> None:
    if isinstance(report, Started):
        executor.cancel(report.key, 0.0)
    executor.release([report.key])


def _take_over(board: Board, attempts: Attempts, task_id: str, number: int, report: Report) -> Report:
    state = board.state(task_id)
    began = report.started_at
    patch: dict[str, Any] = {}
    if number > state.attempt:
        patch = {
            **CLEARED,
            "attempt": number,
            "started_at": iso(began),
            "worker_id": report.key,
            "log": log_name(task_id),
        }
    elif state.started_at:
        with contextlib.suppress(ValueError):  # another program's words
            began = seconds(state.started_at)
    patch |= {"status": TaskStatus.IN_PROGRESS, "pid": report.pid, "verifying": False, "criteria_met": ()}
    how = f"still running, as pid {report.pid}" if isinstance(report, Started) else "ended while no engine ran"
    board.record(EventKind.TASK_ADOPTED, task_id, f"{task_id} {how}", **patch)
    attempts.adopt(task_id, began)
    return report


def _give_up_unknown(board: Board, attempts: Attempts) -> None:
    """Tasks in progress that no holder knows: they never began, if the history tells of their start, else are lost."""
    history: dict[str, int] | None = None
    for task_id in board.cascade.tasks:
        state = board.state(task_id)
        if not state.is_running or task_id in attempts.active:
            if state.status is TaskStatus.PENDING:
                attempts.waiting.take_up(task_id)
            continue
        history = board.store.database.last_attempts() if history is None else history
        if history.get(task_id) != state.attempt:
            text = f"{task_id} is lost: it was running, and Nova's records of it are gone"
            board.fail(task_id, text, reason=Reason.LOST, error=text, pid=None)
        else:
            text = f"{task_id} never began; it will run"
            board.record(EventKind.TASK_RESET, task_id, text, **CLEARED, status=TaskStatus.PENDING)
