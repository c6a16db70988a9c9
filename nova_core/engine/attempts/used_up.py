"""Finds what a done task has used up: outputs of earlier tasks that it moved or deleted, so that nobody misses them."""

from __future__ import annotations

import os
from collections import deque
from stat import S_ISREG

from nova_core.engine.attempts.parts import Parts
from nova_core.files.outputs import lost_outputs
from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.plan.stale import has_run

_MOST = 32  # earlier tasks that are looked at when a task is done


class UsedUp:
    """Looks at the outputs of the nearest tasks that a done task depends on, directly or not.

    It is recorded with the end of the task, so that an engine that is killed later does not make these outputs again.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._cascade: Cascade | None = None
        self._makers: frozenset[str] = frozenset()

    def by(self, task_id: str) -> tuple[str, ...]:
        """Returns the tasks whose outputs are used up, now that the task is done and its own outputs are new."""
        cascade, known = self._parts.board.cascade, self._parts.store.run.used_up
        if self._cascade is not cascade:
            self._cascade = cascade
            self._makers = frozenset(i for i, task in cascade.tasks.items() if task.outputs and not task.gate)
        if not self._makers:
            return known
        gone = [i for i in self._above(cascade, task_id) if i not in known and self._is_gone(cascade.tasks[i])]
        return (*(i for i in known if i != task_id), *gone)

    def _above(self, cascade: Cascade, task_id: str) -> list[str]:
        """Returns the nearest tasks with outputs among those that the task depends on."""
        seen, queue, makers = {task_id}, deque(cascade.tasks[task_id].depends_on), []
        while queue and len(seen) <= _MOST:
            above = queue.popleft()
            if above in seen or above not in cascade.tasks:
                continue
            seen.add(above)
            queue.extend(cascade.tasks[above].depends_on)
            if above in self._makers and above not in self._parts.board.missed:
                makers.append(above)
        return makers

    def _is_gone(self, task: Task) -> bool:
        root = self._parts.project.root
        if not has_run(self._parts.board.state(task.id)) or all(_is_there(f"{root}/{path}") for path in task.outputs):
            return False
        return bool(lost_outputs(task, root))


def _is_there(path: str) -> bool:
    """Returns True for a file with content: by far the most frequent case, and the cheapest to see."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # a NUL in the name
        return False
    return S_ISREG(status.st_mode) and status.st_size > 0
