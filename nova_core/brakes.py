"""What keeps new tasks from starting: a stop, a pause, the budget, a failure, a disk that refuses."""

from __future__ import annotations

from nova_core.attempts import Attempts
from nova_core.clock import Clock
from nova_core.config import Config
from nova_core.events import EventKind
from nova_core.store import Store

_DISK_PATIENCE = 10.0  # seconds to wait for a disk that refuses, once nothing runs


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

    def _reaches_budget(self, attempts: Attempts) -> bool:
        """Whether the cap is reached; looked at again only when a cost has changed."""
        budget = self._config.budget
        if budget is not None and not self.over_budget and attempts.cost_changed:
            attempts.cost_changed = False
            spent = sum(t.cost_usd or 0.0 for t in self._store.tasks.values())
            if spent >= budget:
                self.over_budget = True
                text = f"${spent:.2f} of ${budget:.2f} spent: nothing new starts"
                self._store.record(EventKind.BUDGET_REACHED, None, text)
        return self.over_budget

    def disk_is_hopeless(self) -> bool:
        """Whether the disk has refused for longer than Nova waits with nothing running."""
        now = self._clock.monotonic()
        if self._store.disk_error is None:
            self._disk_since = None
            return False
        if self._disk_since is None:
            self._disk_since = now
        return now - self._disk_since > _DISK_PATIENCE
