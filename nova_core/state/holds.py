"""Which providers are rate limited now, and until when. Pure."""

from __future__ import annotations

from nova_core.clock import local_time
from nova_core.state.run_clock import wait_left
from nova_core.state.schema import Hold, RunState

MOST_REFUSALS = 20  # in a row without a stated end, before a task fails: about seven hours


def current_holds(run: RunState, now: float) -> dict[str, Hold]:
    """Returns the holds that have not ended at `now` (on the run's clock), by provider."""
    return {name: hold for name, hold in run.quotas.items() if is_current(hold, now)}


def is_current(hold: Hold, now: float) -> bool:
    """Whether the hold is not over yet; one with a time that cannot be read is not."""
    return hold.until is None or left(hold, now) > 0


def left(hold: Hold, now: float) -> float:
    """Seconds until the hold ends; 0 for one without an end, or with one that cannot be read."""
    return wait_left(hold.due, hold.until, now) or 0.0


def hold_words(provider: str, hold: Hold, now: float) -> str:
    """`anthropic: rate limited until 15:00 (too many requests)`."""
    until = local_time(hold.until, now) if hold.until else ""
    when = f"rate limited until {until}" if until else "not used again in this run"
    return f"{provider}: {when} ({hold.reason})"


def refused_words(refusals: int) -> str:
    """How many rate limits in a row a task has met, of how many; empty for the first."""
    return f" ({refusals} times in a row, of at most {MOST_REFUSALS})" if refusals > 1 else ""
