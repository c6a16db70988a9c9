"""Pauses the run if an attempt has a budget, but what it costs turns out to be unknown."""

from __future__ import annotations

import math

from nova_core.agents.outcome import Ending, Verdict
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.launch.invocation import agent_named
from nova_core.launch.model_prices import tells_cost
from nova_core.state.events import EventKind

_WORDS = (
    "add it to `prices:` in nova.yaml before the next run, or start with --allow-unpriced; `nova resume` continues "
    "without a price"
)


class PriceQuestion:
    """Asks once. Somebody who resumes the run has answered that it continues without the price."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._has_asked = False

    def ask(self, attempt: Attempt) -> Ending | None:
        """Pause the run and return why, if the attempt uses tokens of unknown price; None otherwise."""
        store = self._parts.store
        if not self._is_open(attempt) or not attempt.usage.total or attempt.cost(self._parts.prices) is not None:
            return None
        if self._has_asked and not store.run.paused:
            return None
        model = attempt.log.model or attempt.model
        what = f"no price is known for model {model}" if model else "its model, and so its price, is unknown"
        if not self._has_asked:
            text = f"paused: a budget cannot be kept for {attempt.task_id}: {what}; {_WORDS}"
            store.record(EventKind.RUN_PAUSED, None, text, paused=True)
            self._has_asked = True
        return Ending(Verdict.OVER_BUDGET, what)

    def _is_open(self, attempt: Attempt) -> bool:
        """Returns True if the attempt has a budget, and is of an agent that may not report its cost."""
        config, name = self._parts.config, attempt.by.agent
        capped = attempt.cap not in (None, math.inf)  # infinite: it was adopted without one
        if config.allow_unpriced or not (capped or config.budget is not None) or attempt.is_silent:
            return False
        agent = agent_named(config, name) if name else None
        return not (agent and name and tells_cost(name, agent))
