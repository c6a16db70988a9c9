"""The prompts of a project: as one would be now, and as attempts were given them."""

from __future__ import annotations

import os
from pathlib import Path

from nova_core.config import load_config
from nova_core.errors import UsageError
from nova_core.files.project import Project
from nova_core.importers import read_plan
from nova_core.launch.launcher import Launcher
from nova_core.launch.prompt import Done
from nova_core.model import is_safe_id
from nova_core.state.manager import StateManager
from nova_core.state.schema import NEW

DEFAULT_PLAN = "CASCADE.md"


def prompt_now(project: Project, task_id: str, plan: Path | None = None) -> str:
    """What the task's agent would be told now. Raises `UsageError` for an unknown task, `InputError` for a bad plan."""
    try:
        state = StateManager(project.state_file).load()
        tasks, known = state.tasks, state.project.cascade_file
    except FileNotFoundError:
        tasks, known = {}, ""
    cascade = read_plan(plan or project.root / (known or DEFAULT_PLAN), root=project.root)
    if task_id not in cascade.tasks:
        raise UsageError(f"the plan has no task {task_id!r}", hint="`nova graph` shows what it has")
    task = cascade.tasks[task_id]
    config = load_config(None, environ=os.environ, root=project.root)
    launcher = Launcher(project, config, cascade.name, "", b"", cascade.tasks)
    done = []
    for name in task.depends_on:
        found = tasks.get(name, NEW)
        done.append(Done(name, cascade.tasks[name].name, found.files_changed, found.commit_sha, found.handoff))
    return launcher.prompt(task, done, next(iter(launcher.agents_of(task)), None))


def kept_prompt(project: Project, task_id: str, attempt: int) -> str:
    """What an attempt was told. Raises `UsageError` if it was told nothing: it was a command, or never was."""
    try:
        if not is_safe_id(task_id) or attempt < 1:
            raise FileNotFoundError
        return project.prompt_file(task_id, attempt).read_text("utf-8", "replace")
    except FileNotFoundError:
        text = f"no prompt of attempt {attempt} of {task_id} was kept"
        raise UsageError(text, hint=f"`nova logs {task_id}` lists its attempts") from None
