"""Holds back tasks that lack something they need: an input, or a dependency that the plan does not have."""

from __future__ import annotations

from nova_core.engine.attempts.parts import Parts
from nova_core.files.outputs import missing
from nova_core.model import Task
from nova_core.state.events import EventKind


class MissingInputs:
    """Holds such tasks back, and queues them as soon as what they need exists. `waiting` are the tasks held back."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._board = parts.board
        self._root = parts.project.root
        self._trees = parts.trees
        self._ask_inputs = parts.config.inputs == "required"
        self.waiting: dict[str, None] = {}

    def keep_back(self, task: Task) -> bool:
        """Returns True if something the task needs is missing; then it waits, and its state lists what is missing."""
        missing = self._missing(task)
        if not missing:
            return False
        self._board.leave(task.id)
        self.waiting[task.id] = None
        if self._store.tasks[task.id].missing != missing:
            text = f"{task.id} blocked: missing {', '.join(missing)}"
            self._store.record(EventKind.TASK_HELD, task.id, text, missing=missing)
        return True

    def look(self) -> None:
        """Check again for what was missing."""
        for task_id in list(self.waiting):
            task = self._board.cascade.tasks.get(task_id)
            if task is None or not self._missing(task):
                del self.waiting[task_id]
            if task is not None and task_id not in self.waiting:
                if self._store.tasks[task_id].missing:
                    text = f"{task_id} no longer blocked: nothing is missing"
                    self._store.record(EventKind.TASK_RESET, task_id, text, missing=())
                self._board.offer(task_id)

    def _missing(self, task: Task) -> tuple[str, ...]:
        words = tuple(f"dependency {word}" for word in task.missing)
        if not (task.inputs and self._ask_inputs):
            return words
        absent = missing(task.inputs, self._root)
        if absent and self._trees.is_on:  # what is merged is not in the project's folder before it lands
            absent = [path for path in absent if not self._trees.has(path)]
        return words + tuple(f"input {path}" for path in absent)
