"""Which providers are rate limited now, and until when. Pure."""

from __future__ import annotations

from nova_core.clock import local_time, seconds
from nova_core.state.schema import Hold, RunState

MOST_REFUSALS = 20  # in a row without a stated end, before a task fails: about seven hours


def current_holds(run: RunState, now: float) -> dict[str, Hold]:
    """Returns the holds that have not ended at `now` (seconds since the epoch), by provider."""
    return {name: hold for name, hold in run.quotas.items() if is_current(hold, now)}


def is_current(hold: Hold, now: float) -> bool:
    """Whether the hold is not over yet; one with a time that cannot be read is not."""
    return hold.until is None or (left(hold.until, now) or 0.0) > 0


def left(until: str | None, now: float) -> float | None:
    """Seconds until then; None for no time, or one that cannot be read."""
    try:
        return None if until is None else seconds(until) - now
    except ValueError:
        return None


def hold_words(provider: str, hold: Hold, now: float) -> str:
    """`anthropic: rate limited until 15:00 (too many requests)`."""
    until = local_time(hold.until, now) if hold.until else ""
    when = f"rate limited until {until}" if until else "not used again in this run"
    return f"{provider}: {when} ({hold.reason})"


def refused_words(refusals: int) -> str:
    """How many rate limits in a row a task has met, of how many; empty for the first."""
    return f" ({refusals} times in a row, of at most {MOST_REFUSALS})" if refusals > 1 else ""
