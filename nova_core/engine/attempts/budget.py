"""The run's budget: spent, reserved and remaining, in US dollars.

It is a wall: what all attempts spend exceeds it by at most one message, because a message that is under way cannot be
taken back. Therefore each running attempt reserves its cap and its most expensive message; only the largest of these
messages is not reserved.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import fsum, inf
from typing import NamedTuple

from nova_core.agents.outcome import Ending
from nova_core.engine.attempts.attempt import Attempt, EndedBy, Figures
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.past_costs import Kind, PastCosts
from nova_core.launch.invocation import base_of
from nova_core.model import Task
from nova_core.state.database import AttemptRow
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_core.text import money

_CENT = 1e-6  # tolerance for sums of floats
_A_LITTLE_MORE = 1.01  # an attempt that costs as much as the most expensive one is not stopped at its last message
_REACHED = 0.99  # of its share: an agent that stops there by itself may round
_FIRST = 8  # the part of an equal share that an attempt gets at first, unless its kind needs more
_GROWTH = 6.0  # times the share that was too small: an agent that cannot continue its session begins again


class Grant(NamedTuple):
    """The highest cost of an attempt, in US dollars; the budget reserves this amount."""

    cap: float | None = None


class Budget:
    """Sums the cost of tasks and running attempts; remembers what attempts and messages of each kind have cost.

    Attempts of earlier engines count. `limit` is None without a budget; once `is_over`, no task that costs money starts
    in this run.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.limit = parts.config.budget
        self._has_changed = True  # since the last check
        self._past = PastCosts()
        past = parts.store.database.attempts() if self.limit is not None else []
        for row in past:
            if row.cost_usd is not None:
                self._remember(self._kind(row.agent, row.task), row.cost_usd, _tokens(row))
        for task_id, state in parts.store.tasks.items():
            if state.message_usd:
                self._past.saw_message(self._kind(state.agent, task_id), state.message_usd)
        self._gone = self._cost_of_gone(past)
        self._untold = 0.0  # what ended attempts cost by estimate beyond what their logs say
        self._outgrown: dict[str, float] = {}  # shares that were too small, by task
        self._started_with: dict[str, float] = {}  # the caps with which attempts started whose shares have grown
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

        The grant is the task's own cap. Without one, it is a share of what the `workers` that are free can spend: at
        least what the most expensive attempt of its kind cost, or a multiple of the share that was too small for the
        task before. When money is short, fewer tasks start. Alone, a task may spend the whole remaining budget, also
        if its cost is unknown.
        """
        own = self._own_cap(task)
        if self.limit is None:
            return Grant(own)
        kinds = [_kind_named(name, task.model) for name in agents or (None,)]
        room, left = self._past.message(kinds), self.limit - self._spent()
        active = [attempt for attempt in self._parts.active.values() if attempt.cap and attempt.is_spending]
        rooms = [self._room(attempt) for attempt in active]
        free = left - fsum(map(self._exposed, active)) + max((room, *rooms))
        need = own if own is not None else self._need(task.id, self._past.highest(kinds))
        if need is not None and left > _CENT and need + room <= free + _CENT:
            sharers = self._sharers(workers)
            share = self._share(need, free / sharers - room) if sharers > 1 or active else free - room
            return Grant(min(share, max(need, free - room)) if own is None else own)
        if active:
            return None
        if left > _CENT and left + _CENT >= min(filter(None, (room, self._past.lowest(kinds), need)), default=0.0):
            return Grant(left if own is None else min(own, left))
        self._reach(left, f", and {task.id} needs about {money(need)}" if need is not None else "")
        return None

    def _need(self, task_id: str, highest: float | None) -> float | None:
        """Returns what a task needs at least: what its kind has cost, and more than a share that was too small."""
        outgrown = self._outgrown.get(task_id)
        return highest if outgrown is None else max(highest or 0.0, _GROWTH * outgrown)

    def _share(self, need: float, equal: float) -> float:
        """Returns the share of an attempt beside others, at most an `equal` one if that is enough.

        It leaves money to others and is soon known to be too small: an agent that begins again pays for it twice.
        """
        return max(need * _A_LITTLE_MORE, min(equal, max(2 * need, equal / _FIRST)))

    def extend(self, attempt: Attempt) -> bool:
        """Raise the share that a running attempt has used up; returns False if that is no share, or nothing is free."""
        cap, own = attempt.cap, self._own_cap(attempt.task)
        if self.limit is None or self.is_over or cap is None or (own is not None and cap >= own - _CENT):
            return False
        active = [one for one in self._parts.active.values() if one.cap and one.is_spending]
        free = self.limit - self._spent() - fsum(map(self._exposed, active)) + max(map(self._room, active), default=0.0)
        spent = self.spent_by(attempt)
        if free <= max(self._room(attempt), _CENT) or spent >= cap + free:
            return False
        self._started_with.setdefault(attempt.key, cap)
        attempt.cap = min(max(cap, spent) + free, 2 * max(cap, spent), own if own is not None else inf)
        text = f"{attempt.task_id} may spend {money(attempt.cap)}: its share of the budget grows"
        self._parts.store.record(EventKind.TASK_PROGRESS, attempt.task_id, text, cap=attempt.cap)
        return True

    def _own_cap(self, task: Task) -> float | None:
        """Returns the cap that the plan or the settings give an attempt."""
        return task.budget if task.budget is not None else self._parts.launcher.cap_of(task)

    def _sharers(self, most: int) -> int:
        """Returns the number of waiting tasks that can cost money and share the rest of the budget: 1 to `most`."""
        board = self._parts.board
        states = ((i, board.state(i)) for i in board.work)
        waiting = (i for i, state in states if state.status is TaskStatus.PENDING and not state.blocked_by)
        return max(1, sum(1 for _ in islice(filter(self._can_cost, waiting), most)))

    def _can_cost(self, task_id: str) -> bool:
        task = self._parts.board.task(task_id)
        return bool(task.model or self._parts.launcher.agents_of(task))

    # the wall

    def newly_reached(self) -> str | None:
        """Returns once, when the budget is spent, why agents must end. Recalculates only after a change of cost."""
        if self.limit is None or self.is_over or not self._has_changed:
            return None
        self._has_changed = False
        left = self.limit - self._spent()
        if left > _CENT:
            return None
        self._reach(left, "")
        return f"{money(self.limit - left)} of {money(self.limit)} spent"

    def surplus(self) -> list[Attempt]:
        """Returns the attempts that must end now: if each sent one more message, it would be more than one too many.

        Shares prevent this, unless messages have become more expensive, or agents do not keep their caps.
        """
        if self.limit is None or self.is_over:
            return []
        active = [attempt for attempt in self._parts.active.values() if self._can_be_ended(attempt)]
        left, surplus = self.limit - self._spent(), []
        rooms = [self._room(attempt) for attempt in active]
        while len(rooms) > 1 and fsum(rooms) - max(rooms) > left + _CENT:
            surplus.append(active[len(rooms) - 1])  # the last to start, which has done least
            rooms.pop()
        return surplus

    def _can_be_ended(self, attempt: Attempt) -> bool:
        at_work = attempt.ended is None and attempt.ending in (None, EndedBy.EARLIER_STOP)
        return at_work and attempt.by.agent is not None and not attempt.log.is_final

    def _reach(self, left: float, why: str) -> None:
        self.is_over = True
        text = f"{money((self.limit or 0.0) - left)} of {money(self.limit)} spent{why}: no new tasks will start"
        self._parts.store.record(EventKind.BUDGET_REACHED, None, text)

    def continues(self, attempt: Attempt, figures: Figures) -> bool:
        """Returns True if an attempt was ended only because it used up the share that Nova gave it.

        That says nothing about its task, which gets a new share, or waits until other tasks return money.
        """
        if attempt.is_held:
            return not self.is_over
        if self.limit is None or self.is_over or attempt.cap is None:
            return False
        own = self._own_cap(attempt.task)
        is_share = own is None or attempt.cap < own - _CENT
        told = self._started_with.get(attempt.key, attempt.cap)  # the agent may keep that itself
        reached = isinstance(attempt.ending, Ending) or (figures.cost or 0.0) >= _REACHED * told
        if is_share and reached and figures.cost:
            self._outgrown[attempt.task_id] = max(figures.cost, attempt.cap)
            return True
        return False

    def _spent(self) -> float:
        """Returns the known cost of the run so far, running tasks included."""
        active = self._parts.active
        over = fsum(task.cost_usd or 0.0 for task_id, task in self._parts.store.tasks.items() if task_id not in active)
        return (
            self._gone
            + self._untold
            + over
            + fsum((one.base_cost or 0.0) + self.spent_by(one) for one in active.values())
        )

    def _exposed(self, attempt: Attempt) -> float:
        """Returns what a running attempt may still spend: the rest of its cap, and the message that exceeds it."""
        return max(0.0, (attempt.cap or 0.0) - self.spent_by(attempt)) + self._room(attempt)

    def _room(self, attempt: Attempt) -> float:
        """Returns the cost of the most expensive message that the attempt is known to send."""
        return max(self._past.message((self._kind_of(attempt),)), attempt.meter.largest)

    @property
    def is_watched(self) -> bool:
        """True if running attempts must be looked at often, because they cost money of a budget."""
        return self.limit is not None or any(attempt.cap is not None for attempt in self._parts.active.values())

    def spent_by(self, attempt: Attempt) -> float:
        """Returns the cost of a running attempt so far; what its agent reports meanwhile may be too little."""
        cost = attempt.cost(self._parts.prices) or 0.0
        guess = attempt.is_live_guess and attempt.live is None
        return cost * self._past.scale(self._kind_of(attempt)) if guess else cost

    # the cost of attempts

    def measure(self, attempt: Attempt) -> None:
        """Take what a running attempt has cost until now."""
        cost = attempt.cost(self._parts.prices)
        if cost is None or not attempt.is_live_guess:
            return
        self._has_changed = True
        kind, meter = self._kind_of(attempt), attempt.meter
        if not attempt.tail.caught_up:
            meter.start_at(cost, attempt.messages)
            return
        meter.take(cost, attempt.messages)
        self._past.saw_message(kind, self._largest(attempt))

    def _largest(self, attempt: Attempt) -> float:
        scale = self._past.scale(self._kind_of(attempt)) if attempt.live is None else 1.0
        return attempt.meter.largest * scale

    def cost_so_far(self, attempt: Attempt, figures: Figures) -> float | None:
        """Returns the cost of the attempt's task so far; a lower bound if the cost of an attempt is unknown."""
        if figures.cost is None:
            return attempt.base_cost
        self._has_changed = True
        return figures.cost + (attempt.base_cost or 0.0)

    def message_of(self, attempt: Attempt, figures: Figures) -> float | None:
        """Returns the cost of the most expensive message of the attempt's task so far, None if unknown.

        An attempt that was never seen at work may have sent only one.
        """
        known = self._parts.store.tasks[attempt.task_id].message_usd or 0.0
        whole = 0.0 if attempt.is_spending else figures.cost or 0.0
        return max(known, self._largest(attempt) or whole) or None

    def remember(self, attempt: Attempt, figures: Figures) -> None:
        """Record the cost of a finished attempt; an attempt without cost counts only if it used tokens."""
        if figures.cost is None:
            return
        kind = self._kind_of(attempt)
        self._remember(kind, figures.cost, figures.tokens)
        if not figures.estimated and attempt.live is None:
            self._past.saw_scale(kind, attempt.meter.understated(figures.cost, attempt.messages))
        elif attempt.records is None:
            self._untold += figures.cost * (self._past.scale(kind) - 1.0)
        self._past.saw_message(kind, self._largest(attempt) or figures.cost)

    def _remember(self, kind: Kind, cost: float, tokens: int) -> None:
        if cost or tokens:
            self._past.finished(kind, cost)

    def _kind_of(self, attempt: Attempt) -> Kind:
        return self._kind(attempt.by.agent, attempt.task_id)

    def _kind(self, agent: str | None, task_id: str) -> Kind:
        task = self._parts.board.cascade.tasks.get(task_id)
        return _kind_named(agent, task.model if task else None)


def _kind_named(agent: str | None, model: str | None) -> Kind:
    """All accounts of an agent are of one kind."""
    return base_of(agent) if agent else None, model


def _tokens(row: AttemptRow) -> int:
    return row.input_tokens + row.output_tokens + row.cache_read_tokens + row.cache_creation_tokens
