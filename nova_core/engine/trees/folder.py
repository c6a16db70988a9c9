"""Tasks that work in the project's own folder beside tasks with trees: after landing, one at a time."""

from __future__ import annotations

from nova_core.engine.trees.base import Base
from nova_core.engine.trees.lander import Lander
from nova_core.model import Task
from nova_core.state.events import EventKind
from nova_core.state.git_run import LANDING

_PAUSE = 5.0  # seconds between looks whether the branch can land now


class Folder:
    """Holds such tasks back until what is merged has landed, and nobody else works in the folder."""

    def __init__(self, base: Base, lander: Lander) -> None:
        self._base = base
        self._lander = lander
        self._next = 0.0  # monotonic
        self.waiting: dict[str, None] = {}

    def keep_back(self, task: Task) -> bool:
        """Returns True if the task must wait; then it is held until the folder is its own."""
        if self._is_free():
            return False
        self._base.board.leave(task.id)
        self.waiting[task.id] = None
        text = f"{task.id} waits until what is merged has landed"
        if not self._base.state(task.id).missing:
            self._base.store.record(EventKind.TASK_HELD, task.id, text, missing=(LANDING,))
        return True

    def _is_free(self) -> bool:
        run = self._base.run
        return run.tip == run.landed and not run.landing and not self._lander.is_busy and not self._lander.is_kept_off

    def turn(self) -> None:
        """Land for the tasks that wait, and queue one of them once that is done."""
        if not self.waiting:
            return
        if self._is_free():
            self._release(next(iter(self.waiting)))
        elif not self._lander.is_busy and not self._lander.is_kept_off:
            now = self._base.parts.clock.monotonic()
            if self._lander.is_due or now >= self._next:
                self._next = now + _PAUSE
                self._lander.begin()

    def _release(self, task_id: str) -> None:
        del self.waiting[task_id]
        board = self._base.board
        if task_id in board.cascade.tasks:
            if self._base.state(task_id).missing:
                self._base.store.record(EventKind.TASK_RESET, task_id, f"{task_id} no longer waits", missing=())
            board.offer(task_id)
