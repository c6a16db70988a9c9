"""What tasks changed when they ran before: read from the saved run, and from the newest one that was moved aside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nova_core.runs.merging import in_conflict
from nova_core.state.manager import StateManager
from nova_core.state.schema import NEW, TaskState, TaskStatus

if TYPE_CHECKING:
    from nova_core.files.project import Project


def learned_files(project: Project) -> dict[str, tuple[str, ...]]:
    """The files of tasks that may run again, by id; only of those that had trees, as else it is unknown whose they are.

    Of a finished run, which the next one repeats, these are all tasks; else those that are not done.
    """
    now = _tasks_in(project.state_file)
    if now and all(task.status is TaskStatus.COMPLETED for task in now.values()):
        return _merged(now)
    aside = sorted(project.old_dir.glob(f"*/{project.state_file.name}"))
    before = _merged(_tasks_in(aside[-1])) if aside else {}
    return {i: files for i, files in before.items() if now.get(i, NEW).status is not TaskStatus.COMPLETED}


def _merged(tasks: Mapping[str, TaskState]) -> dict[str, tuple[str, ...]]:
    """What is merged, or could not be merged."""
    known = {i: task for i, task in tasks.items() if task.merge == "merged" or in_conflict(task)}
    found = {i: tuple(dict.fromkeys((*task.files_changed, *task.conflict))) for i, task in known.items()}
    return {i: files for i, files in found.items() if files}


def _tasks_in(path: Path) -> Mapping[str, TaskState]:
    """The tasks of a saved state; none if it cannot be read, which other commands report."""
    try:
        return StateManager(path).load().tasks
    except (OSError, ValueError):
        return {}
