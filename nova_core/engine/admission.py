"""What keeps new tasks from starting: a stop, a pause, the budget, a failure, a disk that refuses."""

from __future__ import annotations

from typing import NamedTuple

from nova_core.clock import Clock
from nova_core.config import Config
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.state.events import EventKind
from nova_core.state.store import Store
from nova_core.text import money

_DISK_PATIENCE = 10.0  # seconds to wait for a disk that refuses, once nothing runs
_CENT = 1e-6  # sums of floats


class Grant(NamedTuple):
    """What a task may cost at most, in US dollars; as much of the budget is set aside for it."""

    cap: float | None


class Brakes:
    """Judges whether tasks may start. `stops` counts the requests to end the run; it may grow in a signal handler."""

    def __init__(self, config: Config, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._disk_since: float | None = None
        self.stops = 0
        self.over_budget = False

    def hold(self, attempts: Attempts) -> bool:
        """Whether nothing new may start now."""
        if self.stops or self._reaches_budget(attempts) or self._failed_fast(attempts):
            return True
        return self._store.run.paused or self._store.disk_error is not None

    def are_final(self, attempts: Attempts) -> bool:
        """Whether nothing new will start any more in this run."""
        return bool(self.stops) or self.over_budget or self._failed_fast(attempts)

    def _failed_fast(self, attempts: Attempts) -> bool:
        return self._config.fail_fast and attempts.failed > 0

    def watch(self, attempts: Attempts) -> None:
        """Look at what running tasks have cost by now."""
        self._reaches_budget(attempts)

    # the budget

    def grant(self, task_id: str, attempts: Attempts, workers: int) -> Grant | None:
        """What the task may spend; None if it must not start while others run, or any more (then `over_budget`).

        What runs counts with what is set aside for it. A task takes its cap, else its share of what is left for the
        `workers` that are free, but no less than the dearest of its kind has cost; where nobody knows yet, it runs
        alone, for then all that is left is its own.
        """
        costs, budget = attempts.costs, self._config.budget
        if not costs.is_costly(task_id):
            return Grant(None)
        cap = costs.cap_of(task_id)
        if budget is None:
            return Grant(cap)
        left = budget - costs.committed()
        need = cap if cap is not None else costs.expected(task_id)
        if need is not None and left > _CENT and need <= left + _CENT:
            return Grant(max(need, left / costs.sharers(workers)) if cap is None else cap)
        if any(attempt.cap for attempt in attempts.active.values()):
            return None
        if need is None and left > _CENT:
            return Grant(left)
        self._reach(costs.spent(), f", and {task_id} needs about {money(need)}" if need is not None else "")
        return None

    def _reaches_budget(self, attempts: Attempts) -> bool:
        """Whether the cap is reached; looked at again only when a cost has changed."""
        budget = self._config.budget
        if budget is not None and not self.over_budget and attempts.costs.changed:
            attempts.costs.changed = False
            spent = attempts.costs.spent()
            if spent >= budget - _CENT:
                self._reach(spent, "")
                attempts.end_costly(f"{money(spent)} of {money(budget)} spent")
        return self.over_budget

    def _reach(self, spent: float, why: str) -> None:
        self.over_budget = True
        text = f"{money(spent)} of {money(self._config.budget)} spent{why}: nothing new starts"
        self._store.record(EventKind.BUDGET_REACHED, None, text)

    def disk_is_hopeless(self) -> bool:
        """Whether the disk has refused for longer than Nova waits with nothing running."""
        now = self._clock.monotonic()
        if self._store.disk_error is None:
            self._disk_since = None
            return False
        if self._disk_since is None:
            self._disk_since = now
        return now - self._disk_since > _DISK_PATIENCE
