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
        f"{window_name(name)} limit {window.used:.0%} used{_reset(window, now)}"
        for name, window in windows.items()
        if window.used is not None and is_open(window, now)
    )


def fullest_window(run: RunState, now: float) -> tuple[float, str] | None:
    """How much of the limit is used of which most is used, and that in words; None if none is known."""
    found = (
        (window.used, f"{provider} {window_name(name)} limit {window.used:.0%} used")
        for provider, windows in run.windows.items()
        for name, window in windows.items()
        if window.used is not None and is_open(window, now)
    )
    return max(found, default=None)


def is_open(window: Window, now: float) -> bool:
    """Whether the window is not over; one with a time that cannot be read is."""
    try:
        return window.resets_at is None or seconds(window.resets_at) > now
    except ValueError:
        return False


def seconds_left(window: Window, now: float) -> float | None:
    """Seconds until the window ends; None if that is unknown or over."""
    return None if window.resets_at is None or not is_open(window, now) else seconds(window.resets_at) - now


def window_name(name: str) -> str:
    """`5-hour`, `weekly`, `weekly opus`."""
    for known, words in _WORDS.items():
        if name.startswith(known):
            return f"{words}{name.removeprefix(known).replace('_', ' ')}"
    return name.replace("_", " ")


def _reset(window: Window, now: float) -> str:
    return f", resets {local_time(window.resets_at, now)}" if window.resets_at else ""
