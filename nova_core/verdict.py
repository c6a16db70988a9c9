"""From how a process ended to whether its task failed, and why, in words. Pure."""

from __future__ import annotations

import signal

from nova_core.executors.base import Ended, EndReason
from nova_core.record import Reason
from nova_core.text import duration

_LIMITS = {EndReason.TIMEOUT: Reason.TIMEOUT, EndReason.IDLE_TIMEOUT: Reason.IDLE_TIMEOUT}


def failure(ended: Ended, limit: float) -> tuple[Reason, str] | None:
    """Why the process failed, or None for exit code 0. `limit` is the timeout that applied, in seconds."""
    if ended.reason is EndReason.EXIT:
        return _exit_failure(ended)
    if ended.reason in _LIMITS:
        words = "no output for" if ended.reason is EndReason.IDLE_TIMEOUT else "still running after"
        return _LIMITS[ended.reason], f"{words} {duration(limit)}; ended"
    if ended.reason is EndReason.CANCELLED:
        return Reason.CANCELLED, "cancelled"
    if ended.reason is EndReason.SPAWN_ERROR:
        return Reason.SPAWN_ERROR, f"could not be started: {ended.detail}"
    return Reason.LOST, f"it began, and nobody can know how it ended ({ended.detail or 'its holder was killed'})"


def _exit_failure(ended: Ended) -> tuple[Reason, str] | None:
    if ended.signal is not None:
        return Reason.SIGNAL, f"killed by {_signal_name(ended.signal)}"
    if ended.code:
        hint = " (command not found)" if ended.code == 127 else ""
        return Reason.EXIT_CODE, f"exit code {ended.code}{hint}"
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
