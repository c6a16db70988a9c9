"""Tasks whose turn it is while something they need is not there: an input, or a dependency the plan has not got."""

from __future__ import annotations

from nova_core.files.outputs import missing
from nova_core.files.project import Project
from nova_core.model import Task
from nova_core.plan.board import Board
from nova_core.state.events import EventKind


class Needs:
    """Keeps such tasks back, and lets them go as soon as what they need is there."""

    def __init__(self, board: Board, project: Project, *, ask_inputs: bool = True) -> None:
        self._board = board
        self._ask_inputs = ask_inputs
        self._root = project.root
        self._waiting: dict[str, None] = {}

    def must_wait(self, task_id: str) -> bool:
        """Whether something that the task needs is missing; then it waits, and its state says for what."""
        missing = self._missing(self._board.task(task_id))
        if not missing:
            return False
        self._board.leave(task_id)
        self._waiting[task_id] = None
        if self._board.state(task_id).missing != missing:
            text = f"{task_id} cannot start without {', '.join(missing)}"
            self._board.record(EventKind.TASK_HELD, task_id, text, missing=missing)
        return True

    def look(self) -> None:
        """See whether what was missing is there now."""
        for task_id in list(self._waiting):
            if task_id not in self._board.cascade.tasks or not self._missing(self._board.task(task_id)):
                del self._waiting[task_id]
                if task_id in self._board.cascade.tasks:
                    if self._board.state(task_id).missing:
                        text = f"{task_id} has what it needs now"
                        self._board.record(EventKind.TASK_RESET, task_id, text, missing=())
                    self._board.offer(task_id)

    def _missing(self, task: Task) -> tuple[str, ...]:
        words = tuple(f"dependency {word}" for word in task.missing)
        if not (task.inputs and self._ask_inputs):
            return words
        return words + tuple(f"input {path}" for path in missing(task.inputs, self._root))
