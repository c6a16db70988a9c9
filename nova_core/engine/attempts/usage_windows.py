"""Keeps what agents report of their providers' limits before these are reached."""

from __future__ import annotations

from collections.abc import Mapping

from nova_core.agents.windows import MOST_WINDOWS
from nova_core.agents.windows import Window as Reported
from nova_core.clock import iso
from nova_core.engine.attempts.parts import Parts
from nova_core.state.events import EventKind
from nova_core.state.schema import Window
from nova_core.state.windows import is_open, window_words

_LATEST = 4e9  # seconds since the epoch; a later reset is noise


class UsageWindows:
    """The windows are part of the run, so they survive a restart."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    def take(self, provider: str, reported: Mapping[str, Reported]) -> bool:
        """Record the windows that an agent of the provider has reported; returns False if they are no news."""
        now = self._parts.clock.now()
        known = self._store.run.windows
        mine = {name: window for name, window in known.get(provider, {}).items() if is_open(window, now)}
        new = {name: _recorded(window) for name, window in reported.items()}
        merged = dict(list({**mine, **new}.items())[:MOST_WINDOWS])
        if not new or merged == known.get(provider):
            return False
        text = f"{provider}: {window_words(merged, now)}"
        self._store.record(EventKind.PROVIDER_USAGE, None, text, windows={**known, provider: merged})
        return True


def _recorded(window: Reported) -> Window:
    used = None if window.used is None else round(window.used, 2)
    at = window.resets_at
    return Window(used, iso(at) if at is not None and at < _LATEST else None)
