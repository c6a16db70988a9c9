"""Tasks that are at work keep the words they were started with, whatever becomes of the plan meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from nova_core.dag import DAG
from nova_core.model import Criterion, Task
from nova_core.parser import Cascade
from nova_core.parser.cascade import branches_of
from nova_core.state.schema import TaskStatus
from nova_core.state.store import Store

_ROW = ("branch", "group", "outputs", "approval", "retries", "timeout", "workspace")  # what an end is judged by


def row_of(task: Task) -> dict[str, Any]:
    """What the history keeps of a task's row: to judge its end by, and to be understood without the plan."""
    row = {name: value for name in _ROW if (value := getattr(task, name)) not in ("", (), None, False)}
    words: dict[str, Any] = {"name": task.name, "row": row}
    if task.criteria:
        words["criteria"] = [{"text": criterion.text, "command": criterion.command} for criterion in task.criteria]
    return words


def as_started(cascade: Cascade, store: Store) -> Cascade:
    """The plan, in which what an earlier engine left at work has the words it was started with."""
    going = {i for i, state in store.tasks.items() if state.status is TaskStatus.IN_PROGRESS}
    rows = store.database.started(going) if going else {}
    tasks = {i: _restored(i, patch, cascade.tasks.get(i)) for i, patch in rows.items() if "row" in patch}
    return grown(tasks, cascade, tasks)


def grown(old: Mapping[str, Task], new: Cascade, running: Collection[str]) -> Cascade:
    """The new plan, in which each task that is running keeps the words it was started with, those of `old`. Pure.

    One that the new plan has no longer stays until it has ended, at the end of the plan.
    """
    kept = [i for i in old if i in running]
    if not kept:
        return new
    tasks = dict(new.tasks)
    for task_id in kept:
        tasks[task_id] = _kept(old[task_id], new)
    dag = DAG({i: task.depends_on for i, task in tasks.items()})
    branches = branches_of(task for task in tasks.values() if not task.gate)
    return msgspec.structs.replace(new, tasks=tasks, dag=dag, branches=branches)


def _restored(task_id: str, patch: Mapping[str, Any], now: Task | None) -> Task:
    row = {name: tuple(value) if name == "outputs" else value for name, value in patch["row"].items() if name in _ROW}
    criteria = tuple(Criterion(c["text"], c["command"]) for c in patch.get("criteria", ()))
    rest = {"outputs": (), "approval": False, "retries": None, "timeout": None, "workspace": ""}
    words = {**rest, **row, "name": str(patch.get("name", task_id)), "criteria": criteria}
    return msgspec.structs.replace(now or Task(task_id, task_id), **words)


def _kept(task: Task, new: Cascade) -> Task:
    now = new.tasks.get(task.id)
    if now is None:
        return msgspec.structs.replace(task, depends_on=tuple(i for i in task.depends_on if i in new.tasks))
    return msgspec.structs.replace(task, depends_on=now.depends_on, group=now.group, branch=now.branch, line=now.line)
