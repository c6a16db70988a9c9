"""`nova run -n` and `--explain`: what a run would do, without starting, locking or writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova_core.board import Selection
from nova_core.cli.output import columns, out_lines
from nova_core.explain import Explanation, explain
from nova_core.importers import read_plan
from nova_core.scheduler import weights
from nova_core.text import clean

if TYPE_CHECKING:
    from nova_core.project import Project
    from nova_core.record import TaskState


def preview(
    plan: str, project: Project, selection: Selection, *, fresh: bool, rerun_changed: bool, reasons: bool
) -> int:
    """Print the tasks that would run, in order; with `reasons` every selected task, and why."""
    cascade = read_plan(plan)
    tasks = {} if fresh else saved_tasks(project)
    order = weights(cascade.dag, cascade.tasks, {} if fresh else saved_durations(project))
    found = explain(cascade, tasks, selection.ids(cascade), order, rerun_changed)
    if reasons:
        out_lines(columns([(clean(e.task_id), e.action, clean(e.why)) for e in found]))
    else:
        out_lines(columns([row(e, cascade.tasks[e.task_id].name) for e in found if e.action == "run"]))
    return 0


def row(explanation: Explanation, name: str) -> tuple[str, str]:
    """A task that would run."""
    return clean(explanation.task_id), clean(name)


def saved_tasks(project: Project) -> dict[str, TaskState]:
    """What earlier runs left of each task."""
    from nova_core.state import StateManager

    try:
        return StateManager(project.state_file).load().tasks
    except FileNotFoundError:
        return {}


def saved_durations(project: Project) -> dict[str, float]:
    """Seconds each task took last time; they decide the order."""
    if not project.database.exists():
        return {}
    from nova_core.database import Database

    database = Database(project.database)
    try:
        return database.durations()
    finally:
        database.close()
