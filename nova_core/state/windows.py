"""How much of the providers' limits is used, as text. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from nova_core.clock import local_time, seconds
from nova_core.state.schema import RunState, Window

_WORDS = {"five_hour": "5-hour", "one_day": "daily", "seven_day": "weekly"}


def window_lines(run: RunState, now: float) -> list[str]:
    """`anthropic: 5-hour limit 90% used, resets 15:00`, per provider; windows that have ended since are left out."""
    lines = []
    for provider, windows in sorted(run.windows.items()):
        if words := window_words(windows, now):
            lines.append(f"{provider}: {words}")
    return lines


def window_words(windows: Mapping[str, Window], now: float) -> str:
    """The windows of one provider in words; empty if none is known."""
    return "; ".join(
        f"{_name(name)} limit {window.used:.0%} used{_reset(window, now)}"
        for name, window in windows.items()
        if window.used is not None and is_open(window, now)
    )


def is_open(window: Window, now: float) -> bool:
    """Whether the window is not over; one with a time that cannot be read is."""
    try:
        return window.resets_at is None or seconds(window.resets_at) > now
    except ValueError:
        return False


def _name(name: str) -> str:
    for known, words in _WORDS.items():
        if name.startswith(known):
            return f"{words}{name.removeprefix(known).replace('_', ' ')}"
    return name.replace("_", " ")


def _reset(window: Window, now: float) -> str:
    return f", resets {local_time(window.resets_at, now)}" if window.resets_at else ""
