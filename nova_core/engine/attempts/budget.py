"""The budget of a run: what tasks have cost, will cost at most, and may cost. US dollars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import fsum
from typing import NamedTuple

from nova_core.engine.attempts.attempt import Attempt, Figures
from nova_core.engine.attempts.parts import Parts
from nova_core.model import Task
from nova_core.state.database import AttemptRow
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_core.text import money

Kind = tuple[str | None, str | None]
_CENT = 1e-6  # sums of floats


class Grant(NamedTuple):
    """What a task may cost at most; as much of the budget is set aside for it."""

    cap: float | None = None


class Budget:
    """Adds up the store's tasks and the attempts in flight; remembers the dearest attempt of each kind.

    Attempts of earlier engines count, too. `limit` is None for no budget; once it `is_over` nothing that costs anything
    starts any more in this run.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.limit = parts.config.budget
        self._has_changed = True  # since it was last looked at
        self._dearest: dict[Kind, float] = {}
        past = parts.store.database.attempts() if self.limit is not None else []
        for row in past:
            if row.cost_usd is not None:
                self.remember(row.agent, row.task, row.cost_usd, _tokens(row))
        self._gone = self._cost_of_gone(past)
        self.is_over = False

    def _cost_of_gone(self, past: Sequence[AttemptRow]) -> float:
        """What attempts of this run have cost that no task tells of: their rows have left the plan since."""
        store = self._parts.store
        costs: dict[str, float] = {}
        for row in past:
            if row.run == store.run.id:
                costs[row.task] = costs.get(row.task, 0.0) + (row.cost_usd or 0.0)
        told = {task_id: task.cost_usd or 0.0 for task_id, task in store.tasks.items()}
        return fsum(max(0.0, cost - told.get(task_id, 0.0)) for task_id, cost in costs.items())

    # may it start

    def grant(self, task: Task, agents: Sequence[str], workers: int) -> Grant | None:
        """What a task may spend that these agents may do, or a command that names its model; None if it must not start
        while others run, or any more (then the budget `is_over`).

        What runs counts with what is set aside for it. A task takes its cap, else its share of what is left for the
        `workers` that are free, but no less than the dearest of its kind has cost; where nobody knows yet, it runs
        alone, for then all that is left is its own.
        """
        cap = task.budget if task.budget is not None else self._parts.launcher.cap_of(task)
        if self.limit is None:
            return Grant(cap)
        left = self.limit - self._committed()
        need = cap if cap is not None else self._expected(task, agents)
        if need is not None and left > _CENT and need <= left + _CENT:
            return Grant(max(need, left / self._sharers(workers)) if cap is None else cap)
        if any(attempt.cap for attempt in self._parts.active.values()):
            return None
        if need is None and left > _CENT:
            return Grant(left)
        self._reach(self._spent(), f", and {task.id} needs about {money(need)}" if need is not None else "")
        return None

    def newly_reached(self) -> str | None:
        """Why agents at work are to be ended, said once: the budget is spent. Counts only when a cost has changed."""
        if self.limit is None or self.is_over or not self._has_changed:
            return None
        self._has_changed = False
        spent = self._spent()
        if spent < self.limit - _CENT:
            return None
        self._reach(spent, "")
        return f"{money(spent)} of {money(self.limit)} spent"

    def _reach(self, spent: float, why: str) -> None:
        self.is_over = True
        text = f"{money(spent)} of {money(self.limit)} spent{why}: nothing new starts"
        self._parts.store.record(EventKind.BUDGET_REACHED, None, text)

    def _spent(self) -> float:
        """What the run has cost so far, running tasks included, as far as anybody knows."""
        return self._gone + fsum(task.cost_usd or 0.0 for task in self._parts.store.tasks.values())

    def _committed(self) -> float:
        """What is spent, and what else is set aside for attempts that run."""
        prices, active = self._parts.prices, self._parts.active.values()
        return self._spent() + fsum(max(0.0, (one.cap or 0.0) - (one.cost(prices) or 0.0)) for one in active)

    def _expected(self, task: Task, agents: Sequence[str]) -> float | None:
        """What the dearest attempt of its kind (agent and model) has cost so far; None if there is none."""
        known = [cost for name in agents or (None,) if (cost := self._dearest.get((name, task.model))) is not None]
        return max(known, default=None)

    def _sharers(self, most: int) -> int:
        """How many tasks may want a part of what is left, `most` at most: those that wait and can cost anything."""
        board = self._parts.board
        states = ((i, board.state(i)) for i in board.work)
        waiting = (i for i, state in states if state.status is TaskStatus.PENDING and not state.blocked_by)
        return max(1, sum(1 for _ in islice(filter(self._can_cost, waiting), most)))

    def _can_cost(self, task_id: str) -> bool:
        task = self._parts.board.task(task_id)
        return bool(task.model or self._parts.launcher.agents_of(task))

    # what attempts come to

    def cost_so_far(self, attempt: Attempt, figures: Figures) -> float | None:
        """What the attempt's task has cost by now; a lower bound if nobody knows what some attempt did."""
        if figures.cost is None:
            return attempt.base_cost
        self._has_changed = True
        return figures.cost + (attempt.base_cost or 0.0)

    def remember(self, agent: str | None, task_id: str, cost: float, tokens: int) -> None:
        """An attempt is over. Its kind is told by the model that the plan names: more is not known of the next one.

        One that cost nothing tells something only if it did anything.
        """
        if cost or tokens:
            task = self._parts.board.cascade.tasks.get(task_id)
            kind = agent, task.model if task else None
            self._dearest[kind] = max(cost, self._dearest.get(kind, 0.0))


def _tokens(row: AttemptRow) -> int:
    return row.input_tokens + row.output_tokens + row.cache_read_tokens + row.cache_creation_tokens
