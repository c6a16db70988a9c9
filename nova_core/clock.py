"""The clock. Pure code takes the time as a parameter; tests set it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The machine's clock. `now` is seconds since the epoch, `monotonic` never goes back."""

    def now(self) -> float:
        """Wall time in seconds since the epoch."""
        return time.time()

    def stamp(self) -> str:
        """Wall time in the format of timestamps on disk."""
        return iso(self.now())

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()


def iso(seconds: float) -> str:
    """ISO 8601 UTC with milliseconds, as every timestamp on disk."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def seconds(stamp: str) -> float:
    """Seconds since the epoch of an ISO 8601 stamp; a stamp without a zone is UTC. Raises `ValueError`."""
    when = datetime.fromisoformat(stamp)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def local_time(stamp: str, now: float) -> str:
    """`15:00` in the local zone, with the date on another day than `now` (seconds since the epoch); "" for no stamp."""
    try:
        when = datetime.fromtimestamp(seconds(stamp)).astimezone()
    except (ValueError, OverflowError, OSError):  # another program may have written it
        return ""
    today = datetime.fromtimestamp(now).astimezone().date()
    return when.strftime("%H:%M" if when.date() == today else "%Y-%m-%d %H:%M")
