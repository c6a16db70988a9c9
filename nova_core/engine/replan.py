"""A plan that changes while it runs: what is new comes in, what runs keeps its words, what is done stays done."""

from __future__ import annotations

from collections.abc import Callable

from nova_core.config import Config
from nova_core.engine.plan_watch import PlanWatch
from nova_core.engine.recovery import accept_plan
from nova_core.engine.startup import limits_of
from nova_core.errors import NovaError
from nova_core.launch.launcher import Launcher
from nova_core.parser import Cascade
from nova_core.plan.board import Board
from nova_core.plan.scheduler import weights
from nova_core.plan.sync import grown
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus


class Growth:
    """Takes a changed plan in, between two turns of the engine. One that cannot be used is told once, and left alone.

    `follow` is told of each new plan; `latest` is the one that is known now.
    """

    def __init__(
        self, board: Board, launcher: Launcher, config: Config, watch: PlanWatch, latest: Cascade,
        follow: Callable[[Cascade], object],
    ) -> None:  # fmt: skip
        self._board = board
        self._store = board.store
        self._launcher = launcher
        self._config = config
        self._watch = watch
        self._latest = latest
        self._follow = follow

    def look(self, *, last: bool = False) -> bool:
        """Whether a new plan came in; `last` says that the run would end otherwise."""
        found = self._watch.last_look() if last else self._watch.look()
        if found is None and self._has_left():
            found = self._latest
        if found is None:
            return False
        try:
            if isinstance(found, NovaError):
                raise found
            self._take(found)
        except NovaError as error:
            hint = f" ({error.hint})" if error.hint else ""
            text = f"{error.message}{hint}; the run goes on with the plan as it was"
            self._store.record(EventKind.WARNING, None, text)
            return False
        return True

    def _has_left(self) -> bool:
        """Whether a task that was at work when its row went has ended: then it goes, too."""
        states = self._store.tasks
        return any(states[i].status is not TaskStatus.IN_PROGRESS for i in self._board.leaving if i in states)

    def _take(self, new: Cascade) -> None:
        running = {i for i, state in self._store.tasks.items() if state.status is TaskStatus.IN_PROGRESS}
        plan = grown(self._board.cascade.tasks, new, running)
        self._board.selection.ids(plan)  # raises before anything has changed
        known = self._store.tasks
        added = (task for task in plan.tasks.values() if task.id not in known and not task.settled)
        self._launcher.require_commands(added, plan.path)
        accept_plan(plan, self._store)
        order = weights(plan.dag, plan.tasks, self._store.database.durations())
        self._board.take_plan(plan, limits_of(self._config, plan), order)
        self._board.leaving = plan.tasks.keys() - new.tasks.keys()
        self._latest = new
        self._launcher.take_plan(plan.tasks)
        self._follow(plan)
