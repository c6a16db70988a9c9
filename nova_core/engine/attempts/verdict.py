"""Finds out, from a process's end and its log whether an attempt failed, and why. Pure.

What then happens to the task is one of the four decisions below; `attempts.finish` takes it.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from nova_core.agents.outcome import Ending, Outcome, Verdict
from nova_core.executors.base import Ended, EndReason
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason
from nova_core.text import duration

_LIMITS = {EndReason.TIMEOUT: Reason.TIMEOUT, EndReason.IDLE_TIMEOUT: Reason.IDLE_TIMEOUT}
_REASONS = {
    Verdict.RATE_LIMITED: Reason.RATE_LIMITED,
    Verdict.OVERLOADED: Reason.RATE_LIMITED,
    Verdict.OVER_BUDGET: Reason.BUDGET,
}
# A retry would fail the same way.
FINAL = frozenset({Verdict.BAD_CREDENTIALS, Verdict.PERMISSION_DENIED, Verdict.OVER_BUDGET})


class Failure(NamedTuple):
    """Why an attempt failed; `may_retry` is False if another attempt would lose work."""

    reason: Reason
    error: str
    may_retry: bool = True


class Completed(msgspec.Struct, frozen=True):
    """The task is done."""


class NeedsApproval(msgspec.Struct, frozen=True):
    """The work is done, and needs a person's approval."""


class Queued(msgspec.Struct, frozen=True):
    """The work is done, and waits for its merge."""


class Again(msgspec.Struct, frozen=True):
    """The task will run again, as soon as possible or (`waits`) at the time in `patch`.

    `kind`, `why` and `patch` are recorded.
    """

    kind: EventKind
    why: str
    patch: Mapping[str, Any] = {}
    waits: bool = False


class Failed(msgspec.Struct, frozen=True):
    """The task failed for good."""

    patch: Mapping[str, Any]


Decision = Completed | NeedsApproval | Queued | Again | Failed


def failure(ended: Ended, limit: float) -> Failure | None:
    """Returns why the process failed, None for exit code 0. `limit` is the timeout that applied, in seconds."""
    if ended.reason is EndReason.EXIT:
        return _exit_failure(ended)
    if ended.reason in _LIMITS:
        words = "no output for" if ended.reason is EndReason.IDLE_TIMEOUT else "still running after"
        return Failure(_LIMITS[ended.reason], f"{words} {duration(limit)}; stopped")
    if ended.reason is EndReason.CANCELLED:
        return Failure(Reason.CANCELLED, "cancelled")
    if ended.reason is EndReason.SPAWN_ERROR:
        return Failure(Reason.SPAWN_ERROR, f"could not start: {ended.detail}")
    return Failure(Reason.LOST, f"it started, but how it ended is unknown ({ended.detail or 'its holder was killed'})")


def agent_failure(ended: Ended, outcome: Outcome, limit: float) -> Failure | None:
    """Returns why an agent failed: its output takes precedence over its exit code, unless it was ended from outside."""
    if ended.reason is not EndReason.EXIT:
        return failure(ended, limit)
    if outcome.verdict is Verdict.INTERRUPTED and ended.signal is not None:
        return _exit_failure(ended)
    return log_failure(outcome)


def log_failure(outcome: Outcome) -> Failure | None:
    """Returns why an agent failed by its log alone; None if that says that it is done."""
    return None if outcome.verdict is Verdict.DONE else of_ending(Ending(outcome.verdict, outcome.reason))


def of_ending(ending: Ending) -> Failure:
    """Returns a verdict as the reason of a failure."""
    words = ending.verdict.value.replace("_", " ")
    text = ending.reason if ending.verdict is Verdict.FAILED else f"{words}: {ending.reason}"
    return Failure(_REASONS.get(ending.verdict, Reason.AGENT_ERROR), text)


def exit_code_of(ended: Ended) -> int | None:
    """Returns the exit code for judging an agent's log: -N for signal N."""
    return -ended.signal if ended.signal is not None else ended.code


def _exit_failure(ended: Ended) -> Failure | None:
    if ended.signal is not None:
        return Failure(Reason.SIGNAL, f"killed by {_signal_name(ended.signal)}")
    if ended.code:
        hint = " (command not found)" if ended.code == 127 else ""
        return Failure(Reason.EXIT_CODE, f"exit code {ended.code}{hint}")
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
