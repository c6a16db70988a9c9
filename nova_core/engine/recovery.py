"""Recovers what earlier engines left: attempts that still run, ended, or never started while no engine ran."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from nova_core.clock import iso, seconds
from nova_core.engine.attempts.criteria import CriteriaRunner
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.rate_limits import RateLimits
from nova_core.engine.attempts.starter import Starter
from nova_core.engine.copies import reset
from nova_core.executors.base import Report, Started
from nova_core.files.project import log_name
from nova_core.model import attempt_key
from nova_core.plan.board import Board
from nova_core.state.events import EventKind
from nova_core.state.schema import CLEARED, Reason, TaskStatus

_STEP = -1  # in place of the number of a criterion: a command for the task's tree


def recover(
    parts: Parts, starter: Starter, criteria: CriteriaRunner, rate_limits: RateLimits, reports: Iterable[Report]
) -> list[Report]:
    """Settle what earlier engines left; returns reports to handle like any other.

    A kill can leave record, state and events in any order. An attempt with a record counts as begun, even if the state
    does not have it; an attempt in the state without a record never started.
    """
    board = parts.board
    by_key = {report.key: report for report in reports}
    mains: dict[str, tuple[int, Report]] = {}
    for key, report in by_key.items():
        task_id, number, check = _split(key)
        if check == _STEP:
            _end_step(parts, report)
        elif check:
            criteria.recovered[key] = report
        elif number > mains.get(task_id, (0, report))[0]:
            mains[task_id] = number, report
    for key, report in by_key.items():
        task_id, number, check = _split(key)
        if check == _STEP:
            continue
        if not _is_open(board, task_id, number) or (not check and mains[task_id][0] != number):
            _drop(parts, report)
            criteria.recovered.pop(key, None)
    found = []
    for task_id, (number, report) in mains.items():
        if _is_open(board, task_id, number):
            found.append(_take_over(parts, starter, number, report))
    _give_up_unknown(parts, rate_limits)
    return found


def _split(key: str) -> tuple[str, int, int]:
    task_id, _, rest = key.partition("@")
    number, _, check = rest.partition("+")
    first = check.partition(".")[0]
    return task_id, int(number), int(first or 0) if first.isdecimal() or not first else _STEP


def _end_step(parts: Parts, report: Report) -> None:
    """End a command that ran in a task's tree beside its worker: what it was for is done again."""
    if isinstance(report, Started) and parts.trees.place is not None:
        parts.trees.end(report.key)
        parts.executor.cancel(report.key, 0.0)
    else:
        _drop(parts, report)


def _is_open(board: Board, task_id: str, number: int) -> bool:
    """Returns True if the state still waits for the end of this attempt, or does not have its start."""
    if task_id not in board.cascade.tasks:
        return False
    state = board.state(task_id)
    return number > state.attempt or (number == state.attempt and state.is_running)


def _drop(parts: Parts, report: Report) -> None:
    if isinstance(report, Started):
        parts.executor.cancel(report.key, 0.0)
    parts.executor.release([report.key])


def _take_over(parts: Parts, starter: Starter, number: int, report: Report) -> Report:
    task_id = _split(report.key)[0]
    state = parts.board.state(task_id)
    started, began = report.started_at, _began(parts, report)
    patch: dict[str, Any] = {}
    if number > state.attempt:
        patch = {
            **CLEARED,
            "attempt": number,
            "started_at": iso(started),
            "began": began,
            "worker_id": report.key,
            "log": log_name(task_id),
        }
    elif state.started_at:
        with contextlib.suppress(ValueError):  # another program may have written it
            started = seconds(state.started_at)
        began = began if state.began is None else min(state.began, parts.store.time())
    patch |= {"status": TaskStatus.IN_PROGRESS, "pid": report.pid, "verifying": False, "criteria_met": ()}
    if state.is_unchecked:
        patch |= {"exit_code": None, "signal": None, "current_step": None}
    finished = "finished while no engine was running"
    how = f"still running as pid {report.pid}" if isinstance(report, Started) else finished
    parts.store.record(EventKind.TASK_ADOPTED, task_id, f"{task_id} {how}", **patch)
    starter.adopt(task_id, started, began)
    return report


def _began(parts: Parts, report: Report) -> float:
    """When the job began, on the run's clock; by the system time only where nothing else is known."""
    now, clock = parts.store.time(), parts.clock
    if isinstance(report, Started) and report.since_boot is not None:
        return now - max(0.0, clock.since_boot() - report.since_boot)
    return now - max(0.0, clock.now() - report.started_at)


def _give_up_unknown(parts: Parts, rate_limits: RateLimits) -> None:
    """Tasks in progress without a holder never started if the history has their start; otherwise they are lost."""
    board, store = parts.board, parts.store
    history: dict[str, int] | None = None
    for task_id in board.cascade.tasks:
        state = board.state(task_id)
        if not state.is_running or task_id in parts.active:
            if state.status is TaskStatus.PENDING:
                rate_limits.take_up(task_id)
            continue
        if attempt_key(task_id, state.attempt) in parts.executor.foreign:
            reset(store, task_id)
            continue
        history = store.database.last_attempts() if history is None else history
        if history.get(task_id) != state.attempt:
            error = "it started, but how it ended is unknown (its records are gone)"
            board.fail(task_id, f"{task_id} lost: {error}", reason=Reason.LOST, error=error, pid=None)
        else:
            text = f"{task_id} never started; will run"
            store.record(EventKind.TASK_RESET, task_id, text, **CLEARED, status=TaskStatus.PENDING)
