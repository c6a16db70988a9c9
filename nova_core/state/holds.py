"""Describes which providers are held and for how long. Pure."""

from __future__ import annotations

from nova_core.clock import seconds
from nova_core.state.schema import Hold, RunState, TaskState
from nova_core.text import duration

MOST_REFUSALS = 20  # in a row without a stated time before a task fails: about seven hours


def current_holds(run: RunState, now: float) -> dict[str, Hold]:
    """Returns the holds that have not ended at `now` (seconds since the epoch), by provider."""
    return {name: hold for name, hold in run.quotas.items() if is_current(hold, now)}


def is_current(hold: Hold, now: float) -> bool:
    """Returns True if the hold has not ended; False if its end cannot be parsed."""
    return hold.until is None or (left(hold.until, now) or 0.0) > 0


def left(until: str | None, now: float) -> float | None:
    """Returns seconds until a time (ISO 8601); None if there is no time or it cannot be parsed."""
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
    """Returns how often the provider refused a task, out of the allowed number; empty up to the first refusal."""
    return f" (refused {refusals} times in a row, of {MOST_REFUSALS} at most)" if refusals > 1 else ""


def waits_words(state: TaskState, now: float) -> str:
    """Returns which provider a task waits for and how long; empty if it waits for none."""
    if state.waits_for is None:
        return ""
    wait = left(state.retry_at, now)
    return f"{state.waits_for} in {duration(max(0.0, wait))}" if wait is not None else f"{state.waits_for} is not used"
