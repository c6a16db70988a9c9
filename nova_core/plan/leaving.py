"""Running tasks whose row has left the plan: they stay in it, as they were started, until they have ended. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from nova_core.dag import DAG
from nova_core.model import Criterion, Task
from nova_core.parser import Cascade
from nova_core.parser.cascade import branches_of
from nova_core.state.schema import TaskState, TaskStatus

ROW = ("branch", "group", "outputs", "approval", "retries", "timeout", "workspace")
"""The fields of a task that its start records, to judge an attempt by."""


def leaving(plan: Cascade, states: Mapping[str, TaskState]) -> list[str]:
    """Returns the running tasks that the plan does not have."""
    return [i for i, state in states.items() if state.status is TaskStatus.IN_PROGRESS and i not in plan.tasks]


def with_leaving(plan: Cascade, ids: Collection[str], rows: Mapping[str, Mapping[str, Any]]) -> Cascade:
    """Returns the plan with these tasks at its end, as far as `rows`, the records of their starts, describe them."""
    tasks = {i: restored(i, rows[i], None) if "row" in rows.get(i, {}) else Task(i, i) for i in ids}
    return grown(tasks, plan, ids)


def grown(old: Mapping[str, Task], new: Cascade, running: Collection[str]) -> Cascade:
    """Returns the new plan, in which running tasks keep the text they were started with, from `old`. Pure.

    A running task that the new plan does not have stays at the end of the plan until it has ended.
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


def restored(task_id: str, patch: Mapping[str, Any], now: Task | None) -> Task:
    """Returns a task as the record of its start describes it; the other fields are those of `now`, the plan's row."""
    row = {name: tuple(value) if name == "outputs" else value for name, value in patch["row"].items() if name in ROW}
    criteria = tuple(Criterion(c["text"], c["command"]) for c in patch.get("criteria", ()))
    if row.get("approval") is True:  # written by 0.1.0, which asked after the work
        row["approval"] = "after"
    rest = {"outputs": (), "approval": "", "retries": None, "timeout": None, "workspace": ""}
    words = {**rest, **row, "name": str(patch.get("name", task_id)), "criteria": criteria}
    return msgspec.structs.replace(now or Task(task_id, task_id), **words)


def _kept(task: Task, new: Cascade) -> Task:
    now = new.tasks.get(task.id)
    if now is None:
        return msgspec.structs.replace(task, depends_on=tuple(i for i in task.depends_on if i in new.tasks))
    return msgspec.structs.replace(task, depends_on=now.depends_on, group=now.group, branch=now.branch, line=now.line)
