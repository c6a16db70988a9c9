"""What tasks have cost, will cost at most, and have set aside: the figures a budget is kept by. US dollars."""

from __future__ import annotations

from collections.abc import Mapping

from nova_core.attempt import Attempt
from nova_core.board import Board
from nova_core.launch import Launcher
from nova_core.pricing import Price

Kind = tuple[str | None, str | None]


class Costs:
    """Adds up the store's tasks and the attempts in flight; remembers the dearest attempt of each kind.

    `with_past` begins with the attempts of earlier engines, which only a budget needs.
    """

    def __init__(
        self, board: Board, launcher: Launcher, prices: Mapping[str, Price], active: Mapping[str, Attempt],
        *, with_past: bool,
    ) -> None:  # fmt: skip
        self._board = board
        self._launcher = launcher
        self._prices = prices
        self._active = active
        self.changed = True  # since the budget was last looked at
        self._dearest: dict[Kind, float] = {}
        for row in board.store.database.attempts() if with_past else ():
            self.remember(row.agent, row.task, row.cost_usd)

    def spent(self) -> float:
        """What all tasks have cost so far, running ones included, as far as anybody knows."""
        return sum(task.cost_usd or 0.0 for task in self._board.store.tasks.values())

    def committed(self) -> float:
        """What is spent, and what else is set aside for attempts that run."""
        return self.spent() + sum(
            max(0.0, attempt.reserve - (attempt.cost(self._prices) or 0.0)) for attempt in self._active.values()
        )

    def is_costly(self, task_id: str) -> bool:
        """Whether the task can cost anything: an agent does it, or a command that names the model it uses."""
        task = self._board.task(task_id)
        return bool(self._launcher.agents_of(task) or task.model)

    def cap_of(self, task_id: str) -> float | None:
        """The most that one attempt of the task may cost, by its row or by its agent's settings."""
        task = self._board.task(task_id)
        return task.budget if task.budget is not None else self._launcher.cap_of(task)

    def expected(self, task_id: str) -> float | None:
        """What the dearest attempt of its kind (agent and model) has cost so far; None if there is none."""
        task = self._board.task(task_id)
        names = self._launcher.agents_of(task) or (None,)
        known = [cost for name in names if (cost := self._dearest.get((name, task.model))) is not None]
        return max(known, default=None)

    def remember(self, agent: str | None, task_id: str, cost: float | None) -> None:
        """An attempt is over. Its kind is told by the model that the plan names: more is not known of the next one."""
        task = self._board.cascade.tasks.get(task_id)
        if task is not None and cost:
            kind = agent, task.model
            self._dearest[kind] = max(cost, self._dearest.get(kind, 0.0))
