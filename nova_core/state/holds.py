"""Which providers are rate limited now, and until when. Pure."""

from __future__ import annotations

import re

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


def hold_name(provider: str, models: tuple[str, ...] = ()) -> str:
    """The name of a hold: `anthropic`, or `anthropic opus` if it is only for that model."""
    return f"{provider} {models[0]}" if models else provider


def is_of(name: str, hold: Hold, provider: str) -> bool:
    """Whether the hold of this name is one of the provider, or of one of its models."""
    return name == hold_name(provider, hold.models)


def covers(hold: Hold, agent: str | None, model: str | None) -> bool:
    """Whether the hold of its provider keeps this agent from starting; `model` is None for the agent's own default."""
    if not hold.models:
        return True
    return agent in hold.agents if model is None else any(is_same_model(name, model) for name in hold.models)


def is_same_model(name: str, model: str) -> bool:
    """Whether both name one model, or the first is the family of the second: `opus`, `claude-opus-5-5`."""
    wanted, found = _parts(name), _parts(model)
    return wanted == found or (len(wanted) == 1 and wanted[0].isalpha() and wanted[0] in found)


def _parts(model: str) -> list[str]:
    """The parts of a name, without its provider, its maker and its date."""
    parts = re.findall(r"[a-z]+|\d+(?:\.\d+)?", model.lower().rpartition("/")[2])
    kept = [part for part in parts if part not in ("claude", "latest") and not (len(part) == 8 and part.isdigit())]
    return kept or parts


def left(hold: Hold, now: float) -> float:
    """Seconds until the hold ends; 0 for one without an end, or with one that cannot be read."""
    return wait_left(hold.due, hold.until, now) or 0.0


def hold_words(provider: str, hold: Hold, now: float) -> str:
    """`anthropic: rate limited until 15:00 (too many requests)`; `anthropic opus` if that is only for one model."""
    until = local_time(hold.until, now) if hold.until else ""
    when = f"rate limited until {until}" if until else "not used again in this run"
    return f"{provider}: {when} ({hold.reason})"


def refused_words(refusals: int) -> str:
    """How many rate limits in a row a task has met, of how many; empty for the first."""
    return f" ({refusals} times in a row, of at most {MOST_REFUSALS})" if refusals > 1 else ""
