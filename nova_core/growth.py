"""A plan that changes while it runs: what is new comes in, what runs keeps its words, what is done stays done."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from nova_core.dag import DAG
from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.parser.cascade import branches_of


def grown(old: Cascade, new: Cascade, running: Collection[str]) -> Cascade:
    """The new plan, in which each task that is running keeps the words it was started with. Pure.

    One that the new plan has no longer stays until it has ended, at the end of the plan.
    """
    kept = [i for i in old.tasks if i in running]
    if not kept:
        return new
    tasks = dict(new.tasks)
    for task_id in kept:
        tasks[task_id] = _kept(old.tasks[task_id], new)
    dag = DAG({i: task.depends_on for i, task in tasks.items()})
    branches = branches_of(task for task in tasks.values() if not task.gate)
    return msgspec.structs.replace(new, tasks=tasks, dag=dag, branches=branches)


def _kept(task: Task, new: Cascade) -> Task:
    now = new.tasks.get(task.id)
    if now is None:
        return msgspec.structs.replace(task, depends_on=tuple(i for i in task.depends_on if i in new.tasks))
    return msgspec.structs.replace(task, depends_on=now.depends_on, group=now.group, branch=now.branch, line=now.line)
