"""Looks at the end of a run whether files of the project's own folder were changed, which no task should reach."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nova_core.engine.attempts.own_trees import PROJECT
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.trees.base import Base
from nova_core.text import first_of

_KEY = "+look"  # of its step; no id of a task begins with a plus
_MOST_NAMES = 5


class FolderLook:
    """Warns once for a run of files that changed meanwhile, and not by landing: by a task that left its tree, or you.

    Where tasks work in the folder, or Nova writes status files for scripts, it says nothing.
    """

    def __init__(self, base: Base) -> None:
        self._base = base
        self._before = self._marks(base.parts.trees.dirty)
        self._is_due = False

    def begin(self) -> None:
        """A task has started: there will be something to look for."""
        cascade = self._base.board.cascade
        shared = any(task.tree == PROJECT for task in cascade.tasks.values())
        self._is_due = not shared and cascade.format != "protocol"

    def is_over(self) -> bool:
        """Returns True if there is nothing to look at; starts the look otherwise."""
        if not self._is_due:
            return True
        self._is_due = False
        base = self._base
        base.steps.post(_KEY, base.git.dirty, self._compare, bool)
        return False

    def _compare(self, dirty: tuple[str, ...]) -> None:
        now = self._marks(not_novas(self._base.parts, dirty))
        names = [name for name, mark in now.items() if self._before.get(name, ()) != mark]
        if names:
            text = f"files in your folder changed during the run, not by landing: {first_of(names, _MOST_NAMES)}"
            self._base.warn(None, text)

    def _marks(self, names: Iterable[str]) -> dict[str, tuple[int, ...]]:
        root = self._base.parts.project.root
        return {name: _mark(os.path.join(root, name)) for name in names}


def _mark(path: str) -> tuple[int, ...]:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return (0,)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def not_novas(parts: Parts, names: Iterable[str]) -> tuple[str, ...]:
    """Returns the names without the plan, the settings and Nova's own files."""
    project = parts.project
    plan = os.path.relpath(parts.board.cascade.path, project.root)
    own = {plan, "nova.yaml", "nova.yml", "milestones.yaml", project.state_file.name}
    folders = (".nova/", f"{project.logs}/", f"{project.state_file.name}.")
    left = (name for name in names if name not in own)
    return tuple(name for name in left if not name.startswith(folders) and name.rstrip("/") not in folders)
