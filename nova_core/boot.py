"""The time since the machine started: no change of the system time moves it, only a reboot resets it.

Standard library only: holders import this in an isolated interpreter.
"""

from __future__ import annotations

import sys
from functools import partial
from time import CLOCK_MONOTONIC, clock_gettime

# CLOCK_BOOTTIME, the clock of /proc/PID/stat. Unlike CLOCK_MONOTONIC it also counts the time a laptop sleeps.
_CLOCK = 7 if sys.platform == "linux" else CLOCK_MONOTONIC

# Returns seconds since the machine started, comparable among processes and only within one boot.
since_boot = partial(clock_gettime, _CLOCK)


def boot_id() -> str:
    """Returns this boot's random id; empty if the system has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
