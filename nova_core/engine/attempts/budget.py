"""What tasks have cost, will cost at most, and have set aside: the figures a budget is kept by. US dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from math import fsum

from nova_core.agents.pricing import Price
from nova_core.engine.attempts.attempt import Attempt
from nova_core.launch.launcher import Launcher
from nova_core.plan.board import Board
from nova_core.state.database import AttemptRow
from nova_core.state.schema import TaskStatus

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
        past = board.store.database.attempts() if with_past else []
        for row in past:
            self.remember(row.agent, row.task, row.cost_usd, _tokens(row))
        self._gone = self._cost_of_gone(past)

    def _cost_of_gone(self, past: Sequence[AttemptRow]) -> float:
        """What attempts of this run have cost that no task tells of: their rows have left the plan since."""
        costs: dict[str, float] = {}
        for row in past:
            if row.run == self._board.store.run.id:
                costs[row.task] = costs.get(row.task, 0.0) + (row.cost_usd or 0.0)
        told = {task_id: task.cost_usd or 0.0 for task_id, task in self._board.store.tasks.items()}
        return fsum(max(0.0, cost - told.get(task_id, 0.0)) for task_id, cost in costs.items())

    def spent(self) -> float:
        """What the run has cost so far, running tasks included, as far as anybody knows."""
        return self._gone + fsum(task.cost_usd or 0.0 for task in self._board.store.tasks.values())

    def committed(self) -> float:
        """What is spent, and what else is set aside for attempts that run."""
        return self.spent() + fsum(
            max(0.0, (attempt.cap or 0.0) - (attempt.cost(self._prices) or 0.0)) for attempt in self._active.values()
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

    def sharers(self, most: int) -> int:
        """How many tasks may want a part of what is left, `most` at most: those that wait and can cost anything."""
        states = ((i, self._board.state(i)) for i in self._board.work)
        waiting = (i for i, state in states if state.status is TaskStatus.PENDING and not state.blocked_by)
        return max(1, sum(1 for _ in islice(filter(self.is_costly, waiting), most)))

    def remember(self, agent: str | None, task_id: str, cost: float | None, tokens: int) -> None:
        """An attempt is over. Its kind is told by the model that the plan names: more is not known of the next one.

        One that cost nothing tells something only if it did anything.
        """
        if cost is not None and (cost or tokens):
            task = self._board.cascade.tasks.get(task_id)
            kind = agent, task.model if task else None
            self._dearest[kind] = max(cost, self._dearest.get(kind, 0.0))


def _tokens(row: AttemptRow) -> int:
    return row.input_tokens + row.output_tokens + row.cache_read_tokens + row.cache_creation_tokens
