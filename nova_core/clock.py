"""The clock. Pure code takes the time as a parameter; tests set it.

The system time may be set at any moment, so it serves only for what people and other programs read: stamps, names of
files, comparisons with times that others wrote. Durations and waits use the boot clock, mostly as the clock of a run
(`state.run_clock`), or the monotonic clock where they end with the process.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, tzinfo
from functools import cache, lru_cache
from math import modf

from nova_core.boot import boot_id, since_boot


@cache
def _boot() -> str:
    return boot_id() or f"process {os.getpid()}"  # without boot ids, other processes cannot compare their clocks


class Clock:
    """The machine's clocks: the system time, and two that nobody sets.

    `now` is the system time in seconds since the epoch, `monotonic` counts seconds from an arbitrary start, and
    `since_boot` those since the machine started, also while it slept; it is comparable among processes of one
    `boot_id`.
    """

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    since_boot = staticmethod(since_boot)

    def stamp(self) -> str:
        """The system time in the format of timestamps on disk."""
        return iso(self.now())

    def boot_id(self) -> str:
        """The id of the boot."""
        return _boot()


def iso(seconds: float) -> str:
    """ISO 8601 UTC with milliseconds, as every timestamp on disk."""
    fraction, whole = modf(seconds)
    micros = round(fraction * 1e6)
    if not 0 <= micros < 1_000_000:
        whole, micros = (whole - 1, micros + 1_000_000) if micros < 0 else (whole + 1, 0)
    return f"{_second(int(whole))}.{micros // 1000:03}+00:00"


@lru_cache(maxsize=8)
def _second(whole: int) -> str:
    """A stamp up to its seconds: thousands of events share it."""
    return datetime.fromtimestamp(whole, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def seconds(stamp: str) -> float:
    """Seconds since the epoch of an ISO 8601 stamp; a stamp without a zone is UTC. Raises `ValueError`."""
    when = datetime.fromisoformat(stamp)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def zone(name: str) -> tzinfo | None:
    """The time zone of an IANA name; None, which stands for the machine's zone, if there is none of this name."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # none of this name, or no database of zones
        return None


def local_time(stamp: str, now: float) -> str:
    """`15:00` in the local zone, with the date on another day than `now` (seconds since the epoch); "" for no stamp."""
    try:
        when = datetime.fromtimestamp(seconds(stamp)).astimezone()
    except (ValueError, OverflowError, OSError):  # another program may have written it
        return ""
    today = datetime.fromtimestamp(now).astimezone().date()
    return when.strftime("%H:%M" if when.date() == today else "%Y-%m-%d %H:%M")
