"""Which providers are left alone now, and for how long, in words. Pure."""

from __future__ import annotations

from nova_core.clock import seconds
from nova_core.state.schema import Hold, RunState, TaskState
from nova_core.text import duration

MOST_REFUSALS = 20  # in a row that Nova had to guess the end of, before a task fails: about seven hours


def current_holds(run: RunState, now: float) -> dict[str, Hold]:
    """The holds that are not over at `now` (seconds since the epoch), by provider."""
    return {name: hold for name, hold in run.quotas.items() if is_current(hold, now)}


def is_current(hold: Hold, now: float) -> bool:
    """Whether the hold is not over yet; one until a moment that cannot be read is."""
    return hold.until is None or (left(hold.until, now) or 0.0) > 0


def left(until: str | None, now: float) -> float | None:
    """Seconds until then; None for no moment, or for one that cannot be read."""
    try:
        return None if until is None else seconds(until) - now
    except ValueError:
        return None


def hold_words(provider: str, hold: Hold, now: float) -> str:
    """`anthropic: again in 4m 12s (rate limited)`."""
    wait = left(hold.until, now)
    when = "not used any more in this run" if wait is None else f"again in {duration(max(0.0, wait))}"
    return f"{provider}: {when} ({hold.reason})"


def refused_words(refusals: int) -> str:
    """How much of the patience with a provider a task has used up; empty at first."""
    return f" (refused {refusals} times in a row, of {MOST_REFUSALS} at most)" if refusals > 1 else ""


def waits_words(state: TaskState, now: float) -> str:
    """What a task that waits for a provider waits for; empty for any other."""
    if state.waits_for is None:
        return ""
    wait = left(state.retry_at, now)
    return f"{state.waits_for} in {duration(max(0.0, wait))}" if wait is not None else f"{state.waits_for} is not used"
