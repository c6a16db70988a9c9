"""A folder copied from one with a run: what the copy inherits names processes of the original, which are left alone."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

import msgspec

from nova_core.config import Config
from nova_core.errors import StateError
from nova_core.files.project import Project
from nova_core.isolation.survey import choose_trees, survey
from nova_core.places import Origin
from nova_core.state.events import EventKind
from nova_core.state.manager import StateManager
from nova_core.state.schema import CLEARED, TaskStatus
from nova_core.state.store import Store
from nova_core.text import first_of

_SHOWN = 8


def part_from_original(project: Project, origin: Origin) -> str:
    """Drop what would let a copy act on the original, or the original on the copy, before anything is read.

    Returns a line that names the tasks that run in the original, empty if there were none. Raises `OSError`.
    """
    for part in ("tmp", "new", "ack"):  # messages to the engine of the original
        for path in (project.inbox_dir / part).iterdir():
            with suppress(OSError):
                path.unlink()
    project.secret_file.unlink(missing_ok=True)
    for path in project.nova_dir.glob("nova.db*"):
        if path.lstat().st_nlink > 1:  # a copy made of hard links
            own = path.with_name(f"{path.name}.own")
            shutil.copy2(path, own)
            os.replace(own, path)
    return _words(project, origin)


def _words(project: Project, origin: Origin) -> str:
    try:
        tasks = StateManager(project.state_file).load().tasks
    except (OSError, StateError):
        return ""
    busy = [task_id for task_id, task in tasks.items() if task.is_running]
    if not busy:
        return ""
    names, are = first_of(busy, _SHOWN), "is" if len(busy) == 1 else "are"
    return f"this folder is a copy of {origin.root}, where {names} {are} running: left alone there, run again here"


def reset_copied(store: Store, project: Project, config: Config) -> None:
    """What was under way when the folder was copied is not done here: it will run again. Trees are the original's."""
    for task_id, task in list(store.tasks.items()):
        if task.is_running or (task.tree and not task.is_over):
            reset(store, task_id)
        elif task.tree:
            store.record(EventKind.TASK_RESET, task_id, f"{task_id} has its tree in the original", tree=None)
    if store.run.git is not None:
        git = msgspec.structs.replace(store.run.git, trees=_own_trees(project, config, store.run.git.trees))
        store.record(EventKind.WARNING, None, f"the trees of tasks will be in {git.trees}", git=git)


def _own_trees(project: Project, config: Config, original: str) -> str:
    """The folder for the trees of a copy, which may share the setting with the original."""
    found = survey(project.root)
    folder = choose_trees(found.top or str(project.root), config.git.trees)
    return folder if folder != original else f"{folder}/{project.identity[1]:x}"


def reset(store: Store, task_id: str) -> None:
    """Let a task run again that was running in the original."""
    text = f"{task_id} was under way in the folder that this one is a copy of; will run"
    store.record(EventKind.TASK_RESET, task_id, text, **{**CLEARED, "tree": None}, status=TaskStatus.PENDING)
