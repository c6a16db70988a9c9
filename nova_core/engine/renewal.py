"""Finds done tasks whose outputs are gone or whose text was edited, and lets them run again."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import msgspec

from nova_core.files.outputs import lost_outputs
from nova_core.parser import Cascade
from nova_core.plan.changes import fingerprint
from nova_core.plan.stale import has_run, listed, stale
from nova_core.state.git_run import MERGED
from nova_core.state.schema import NEW, RESET, RunState, TaskState, TaskStatus
from nova_core.text import clean, number_of

if TYPE_CHECKING:  # `nova status` starts faster without the database
    from nova_core.state.store import Store

Root = str | os.PathLike[str]
Tasks = Mapping[str, TaskState]


class Staleness(msgspec.Struct, frozen=True):
    """`found` says why done tasks are stale; `lost` names, for those among them, the outputs that are gone."""

    found: Mapping[str, str]
    lost: Mapping[str, list[str]]


def find_stale(cascade: Cascade, tasks: Tasks, root: Root, used_up: Collection[str] = ()) -> Staleness:
    """Returns the stale tasks. `used_up` are tasks whose outputs need not be there: a later task has used them up.

    Nor do those that a running task may just be using up: its engine was killed, and it will be taken over.
    """
    edited = edited_done(cascade, tasks)
    lost = lost_work(cascade, tasks, root, {*used_up, *edited, *_read_by_running(cascade, tasks)})
    return Staleness(stale(cascade, tasks, edited, lost), lost)


def edited_done(cascade: Cascade, tasks: Tasks) -> list[str]:
    """Returns the done tasks whose text is another than the one they were done with."""
    done = [i for i, state in tasks.items() if state.status is TaskStatus.COMPLETED and i in cascade.tasks]
    to_compare = (i for i in done if not cascade.tasks[i].settled and tasks[i].fingerprint is not None)
    return [i for i in to_compare if tasks[i].fingerprint != fingerprint(cascade.tasks[i])]


def lost_work(cascade: Cascade, tasks: Tasks, root: Root, but: Collection[str] = ()) -> dict[str, list[str]]:
    """Returns the outputs that are gone, for each done task that made them; tasks in `but` are not looked at."""
    found = {}
    for task in cascade.tasks.values():
        if task.outputs and not task.gate and task.id not in but and _succeeded(tasks.get(task.id, NEW)):
            gone = lost_outputs(task, os.fspath(root))
            if gone:
                found[task.id] = gone
    return found


def _read_by_running(cascade: Cascade, tasks: Tasks) -> set[str]:
    """Returns what running tasks depend on."""
    running = (cascade.tasks[i] for i, state in tasks.items() if state.is_running and i in cascade.tasks)
    return {dependency for task in running for dependency in task.depends_on}


def _succeeded(state: TaskState) -> bool:
    """Returns True if the last attempt made the task completed, not a person after it had failed."""
    return has_run(state) and (state.exit_code == 0 or state.verdict == "done")


def renew(
    cascade: Cascade, store: Store, root: Root, chosen: Collection[str], *, rerun_changed: bool
) -> frozenset[str]:
    """Let chosen tasks whose outputs are gone run again; with `rerun_changed`, all chosen tasks that are stale.

    What is done, and what is stale besides, becomes warnings of the run. Returns the tasks that stay done without their
    outputs.
    """
    from nova_core.state.events import EventKind  # `nova status`, which only looks, starts faster

    now = find_stale(cascade, store.tasks, root, not_missed(store.run, store.tasks))
    again = {i: why for i, why in now.found.items() if i in chosen and (rerun_changed or i in now.lost)}
    for task_id, why in again.items():
        mark = fingerprint(cascade.tasks[task_id])
        store.record(EventKind.TASK_RESET, task_id, f"{task_id} will run again: {why}", **RESET, fingerprint=mark)
    if again:
        store.warnings.append(f"{number_of(len(again), 'done task')} will run again: {clean(listed(again))}")
    rest = {i: why for i, why in now.found.items() if i not in again}
    if rest:
        text = f"{number_of(len(rest), 'done task')} may be stale: {clean(listed(rest))}"
        store.warnings.append(f"{text}; run them again with: nova run --rerun-changed")
    return frozenset(now.lost.keys() - again.keys())


def used_up_since(cascade: Cascade, store: Store, root: Root, missed: Collection[str]) -> tuple[str, ...]:
    """Returns the done tasks whose outputs went away in this run: a later task used them up, so nobody misses them.

    `missed` are those whose outputs were gone before it.
    """
    return tuple(lost_work(cascade, store.tasks, root, {*missed, *unlanded(store.run, store.tasks)}))


def not_missed(run: RunState, tasks: Tasks) -> set[str]:
    """Returns the tasks whose outputs need not be there: a later task has used them up, or they have not landed yet."""
    return {*run.used_up, *unlanded(run, tasks)}


def unlanded(run: RunState, tasks: Tasks) -> set[str]:
    """Returns the tasks that are merged, while the project's folder does not have all that is."""
    if run.git is None or run.git.tip == run.git.landed:
        return set()
    return {i for i, state in tasks.items() if state.merge == MERGED}
