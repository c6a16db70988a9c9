"""Quotas: a provider that limits us is left alone until it said that it will serve again; the others go on."""

from __future__ import annotations

import os

from nova_core.clock import Clock, iso
from nova_core.config import Config
from nova_core.state.events import EventKind
from nova_core.state.holds import is_current, left
from nova_core.state.schema import Hold
from nova_core.state.store import Store
from nova_core.text import duration

_LONGEST_GUESS = 1800.0  # seconds; what a provider says itself may be longer
_LONGEST = 8 * 86400.0  # weekly limits exist
_SHORTEST = 1.0
_ROUNDING = 1.0  # two who are told the same moment


class Quotas:
    """Which providers are held, and until when. The holds are part of the run, so that they survive a restart."""

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._store = store
        self._config = config
        self._clock = clock

    def held(self, provider: str) -> Hold | None:
        """The hold that keeps the provider's agents from starting now, if there is one."""
        hold = self._store.run.quotas.get(provider)
        return hold if hold is not None and is_current(hold, self._clock.now()) else None

    def strike(self, provider: str, why: str, wait: float | None) -> Hold:
        """The provider refused: hold it for `wait` seconds, if it said so, else for longer each time.

        Who is refused again, right after the moment that was named, waits for longer as well. What is refused while it
        is held already, by attempts that were under way, makes nothing longer, unless it names a later moment.
        """
        before = self._store.run.quotas.get(provider)
        if before is not None and is_current(before, self._clock.now()):
            return self._extend(provider, before, why, wait)
        tries = before.tries + 1 if before else 1
        if wait is None or tries > 1:
            wait = max(wait or 0.0, self._guess(tries))
        return self._hold(provider, why, wait, tries)

    def _extend(self, provider: str, before: Hold, why: str, wait: float | None) -> Hold:
        remaining = left(before.until, self._clock.now()) or 0.0
        if before.until is None or wait is None or wait <= remaining + _ROUNDING:
            return before
        return self._hold(provider, why, wait, before.tries)

    def _guess(self, tries: int) -> float:
        longest = min(_LONGEST_GUESS, self._config.quota_delay * 2.0 ** min(tries - 1, 20))
        return longest * (0.75 + os.urandom(1)[0] / 510)

    def _hold(self, provider: str, why: str, wait: float, tries: int) -> Hold:
        wait = min(_LONGEST, max(_SHORTEST, wait))
        hold = Hold(iso(self._clock.now() + wait), why, tries)
        set_hold(self._store, f"{provider} is left alone for {duration(wait)}: {why}", provider, hold)
        return hold

    def block(self, provider: str, why: str) -> None:
        """No agent of the provider can work in this run, whatever it said of a moment."""
        before = self._store.run.quotas.get(provider)
        if before is None or before.until is not None:
            text = f"{provider} is not used any more in this run: {why}"
            set_hold(self._store, text, provider, Hold(None, why, 1))

    def lift(self, provider: str) -> None:
        """Try the provider again now."""
        lift(self._store, provider)

    def worked(self, provider: str) -> None:
        """An agent of the provider was served to its end: the next hold is a first one again."""
        hold = self._store.run.quotas.get(provider)
        if hold is not None and not is_current(hold, self._clock.now()):
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
