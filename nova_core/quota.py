"""Quotas: a provider that limits us is left alone until it said that it will serve again; the others go on."""

from __future__ import annotations

import os

from nova_core.clock import Clock, iso, seconds
from nova_core.config import Config
from nova_core.events import EventKind
from nova_core.record import Hold
from nova_core.store import Store
from nova_core.text import duration

_LONGEST_GUESS = 1800.0  # seconds; what a provider says itself may be longer
_LONGEST = 8 * 86400.0  # weekly limits exist
_SHORTEST = 1.0


class Quotas:
    """Which providers are held, and until when. The holds are part of the run, so that they survive a restart."""

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._store = store
        self._config = config
        self._clock = clock

    def held(self, provider: str) -> Hold | None:
        """The hold that keeps the provider's agents from starting now, if there is one."""
        hold = self._store.run.quotas.get(provider)
        return hold if hold is not None and self.is_current(hold) else None

    def is_current(self, hold: Hold) -> bool:
        """Whether the hold is not over yet."""
        return hold.until is None or seconds(hold.until) > self._clock.now()

    def strike(self, provider: str, why: str, wait: float | None) -> Hold:
        """The provider refused: hold it for `wait` seconds, if it said so, else for longer each time.

        What is refused while it is held already, by attempts that were under way, makes nothing longer.
        """
        before = self._store.run.quotas.get(provider)
        if before is not None and self.is_current(before):
            return before
        tries = before.tries + 1 if before else 1
        if wait is None:
            guess = min(_LONGEST_GUESS, self._config.quota_delay * 2.0 ** min(tries - 1, 20))
            wait = guess * (0.75 + os.urandom(1)[0] / 510)
        wait = min(_LONGEST, max(_SHORTEST, wait))
        hold = Hold(iso(self._clock.now() + wait), why, tries)
        set_hold(self._store, f"{provider} is left alone for {duration(wait)}: {why}", provider, hold)
        return hold

    def block(self, provider: str, why: str) -> None:
        """No agent of the provider can work in this run."""
        if self._store.run.quotas.get(provider) is None or self.held(provider) is None:
            text = f"{provider} is not used any more in this run: {why}"
            set_hold(self._store, text, provider, Hold(None, why, 1))

    def lift(self, provider: str) -> None:
        """Try the provider again now."""
        lift(self._store, provider)

    def worked(self, provider: str) -> None:
        """An agent of the provider was served to its end: the next hold is a first one again."""
        hold = self._store.run.quotas.get(provider)
        if hold is not None and not self.is_current(hold):
            set_hold(self._store, f"{provider} serves again", provider, None)

    def forget_blocks(self) -> None:
        """A new run may come with new credentials."""
        for provider, hold in list(self._store.run.quotas.items()):
            if hold.until is None:
                self.lift(provider)


def lift(store: Store, provider: str) -> None:
    """Try the provider again now, also when no engine runs."""
    if provider in store.run.quotas:
        set_hold(store, f"{provider} is tried again", provider, None)


def set_hold(store: Store, text: str, provider: str, hold: Hold | None) -> None:
    """Record that a provider is left alone, or no longer."""
    others = {name: other for name, other in store.run.quotas.items() if name != provider}
    kind = EventKind.PROVIDER_PAUSED if hold else EventKind.PROVIDER_RESUMED
    store.record(kind, None, text, quotas={**others, provider: hold} if hold else others)
