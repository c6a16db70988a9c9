"""The run's budget: spent, reserved and remaining, in US dollars."""

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
_CENT = 1e-6  # tolerance for sums of floats


class Grant(NamedTuple):
    """The highest cost of an attempt, in US dollars; the budget reserves this amount."""

    cap: float | None = None


class Budget:
    """Sums the cost of tasks and running attempts; remembers the most expensive attempt of each kind.

    Attempts of earlier engines count. `limit` is None without a budget; once `is_over`, no task that costs money starts
    in this run.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.limit = parts.config.budget
        self._has_changed = True  # since the last check
        self._highest: dict[Kind, float] = {}
        past = parts.store.database.attempts() if self.limit is not None else []
        for row in past:
            if row.cost_usd is not None:
                self.remember(row.agent, row.task, row.cost_usd, _tokens(row))
        self._gone = self._cost_of_gone(past)
        self.is_over = False

    def _cost_of_gone(self, past: Sequence[AttemptRow]) -> float:
        """Cost of attempts whose tasks have since been removed from the plan."""
        store = self._parts.store
        costs: dict[str, float] = {}
        for row in past:
            if row.run == store.run.id:
                costs[row.task] = costs.get(row.task, 0.0) + (row.cost_usd or 0.0)
        told = {task_id: task.cost_usd or 0.0 for task_id, task in store.tasks.items()}
        return fsum(max(0.0, cost - told.get(task_id, 0.0)) for task_id, cost in costs.items())

    # admission

    def grant(self, task: Task, agents: Sequence[str], workers: int) -> Grant | None:
        """Reserve money for a task. None: it must wait for running tasks, or the budget is used up (`is_over`).

        Reservations of running attempts count as spent. The grant is the task's cap; without one, its share of the
        remaining budget among the `workers` that are free, but at least what the most expensive attempt of its kind
        cost. If that is unknown, the task runs alone and may spend the whole remaining budget.
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
        """Returns once, when the budget is spent, why agents must end. Recalculates only after a change of cost."""
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
        text = f"{money(spent)} of {money(self.limit)} spent{why}: no new tasks will start"
        self._parts.store.record(EventKind.BUDGET_REACHED, None, text)

    def _spent(self) -> float:
        """Returns the known cost of the run so far, running tasks included."""
        return self._gone + fsum(task.cost_usd or 0.0 for task in self._parts.store.tasks.values())

    def _committed(self) -> float:
        """Returns what is spent plus what is reserved for running attempts."""
        prices, active = self._parts.prices, self._parts.active.values()
        return self._spent() + fsum(max(0.0, (one.cap or 0.0) - (one.cost(prices) or 0.0)) for one in active)

    def _expected(self, task: Task, agents: Sequence[str]) -> float | None:
        """Returns the highest cost of an attempt of this kind (agent and model); None if there is none."""
        known = [cost for name in agents or (None,) if (cost := self._highest.get((name, task.model))) is not None]
        return max(known, default=None)

    def _sharers(self, most: int) -> int:
        """Returns the number of waiting tasks that can cost money and share the rest of the budget: 1 to `most`."""
        board = self._parts.board
        states = ((i, board.state(i)) for i in board.work)
        waiting = (i for i, state in states if state.status is TaskStatus.PENDING and not state.blocked_by)
        return max(1, sum(1 for _ in islice(filter(self._can_cost, waiting), most)))

    def _can_cost(self, task_id: str) -> bool:
        task = self._parts.board.task(task_id)
        return bool(task.model or self._parts.launcher.agents_of(task))

    # the cost of attempts

    def cost_so_far(self, attempt: Attempt, figures: Figures) -> float | None:
        """Returns the cost of the attempt's task so far; a lower bound if the cost of an attempt is unknown."""
        if figures.cost is None:
            return attempt.base_cost
        self._has_changed = True
        return figures.cost + (attempt.base_cost or 0.0)

    def remember(self, agent: str | None, task_id: str, cost: float, tokens: int) -> None:
        """Record the cost of a finished attempt.

        Kinds are keyed by agent and planned model, the only facts known before a start. An attempt without cost counts
        only if it used tokens.
        """
        if cost or tokens:
            task = self._parts.board.cascade.tasks.get(task_id)
            kind = agent, task.model if task else None
            self._highest[kind] = max(cost, self._highest.get(kind, 0.0))


def _tokens(row: AttemptRow) -> int:
    return row.input_tokens + row.output_tokens + row.cache_read_tokens + row.cache_creation_tokens
