"""What agents report of their limits before these are reached: how much of a window of time is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from nova_core.agents.fields import amount, count, table, word

_NAME = re.compile(r"[a-z0-9_]{1,40}")
_MINUTES = {300: "five_hour", 1440: "one_day", 10080: "seven_day"}
MOST_WINDOWS = 20  # of one provider


class Window(msgspec.Struct, frozen=True):
    """A limit for a window of time. `used` is from 0 to 1, `resets_at` in seconds since the epoch; None: unknown."""

    used: float | None = None
    resets_at: float | None = None


def claude_window(info: Mapping[str, Any]) -> dict[str, Window]:
    """The window of a `rate_limit_event`, by its name: `five_hour`, `seven_day`, `seven_day_opus`."""
    name = word(info.get("rateLimitType"))
    if _NAME.fullmatch(name) is None:
        return {}
    used = 1.0 if info.get("status") == "rejected" else amount(info.get("utilization"))
    return {name: Window(None if used is None else min(used, 1.0), amount(info.get("resetsAt")))}


def codex_windows(told: Mapping[str, Any], now: float) -> dict[str, Window]:
    """The windows of codex's `rate_limits`, by the same names; `now` is when it was written, in seconds."""
    found = {}
    for window in map(table, (told.get("primary"), told.get("secondary"))):
        used, minutes = amount(window.get("used_percent")), count(window.get("window_minutes"))
        after, at = amount(window.get("resets_in_seconds")), amount(window.get("resets_at"))
        if used is not None and minutes:
            resets = at if at is not None or after is None else now + after
            found[_MINUTES.get(minutes, f"{minutes}_minutes")] = Window(min(used / 100, 1.0), resets)
    return found
