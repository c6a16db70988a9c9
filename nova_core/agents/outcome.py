"""The outcome of an agent's log: verdict, tokens, cost, files."""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import NamedTuple

import msgspec

from nova_core.model import TokenUsage


class Verdict(StrEnum):
    """How an agent's work ended, by its output and exit code."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    PERMISSION_DENIED = "permission_denied"
    MAX_TURNS = "max_turns"
    OVER_BUDGET = "over_budget"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    BAD_CREDENTIALS = "bad_credentials"
    LIMIT_REACHED = "limit_reached"
    ASKED = "asked"
    NOTHING_DONE = "nothing_done"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"


class CostBasis(StrEnum):
    """The source of a cost."""

    AGENT = "agent"
    AGENT_GUESS = "agent_guess"  # the agent did not know the model and used another's price
    PRICE_TABLE = "price_table"
    NEAREST_PRICE = "nearest_price"  # of another version of the model: an estimate
    UNPRICED = "unpriced"


def cost_of_agent(dollars: float | None) -> tuple[float | None, CostBasis]:
    """Returns what an agent says it cost, in US dollars, and the source; it says 0 of a model without a price."""
    return (dollars, CostBasis.AGENT) if dollars else (None, CostBasis.UNPRICED)


_MOST_REASON = 2000


class _Ending(NamedTuple):
    verdict: Verdict
    reason: str


class Ending(_Ending):
    """A verdict and its reason, which another program may have written: a long reason is cut."""

    __slots__ = ()

    def __new__(cls, verdict: Verdict, reason: str) -> Ending:
        cut = reason if len(reason) <= _MOST_REASON else reason[: _MOST_REASON - 1] + "…"
        return super().__new__(cls, verdict, cut)


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of one attempt of an agent. `cost_usd` is US dollars, None if unpriced; `estimated` covers both.

    The fields are the keys of `nova parse-log --json`.
    """

    verdict: Verdict
    reason: str
    token_usage: TokenUsage = TokenUsage()
    estimated: bool = False
    cost_usd: float | None = None
    cost_basis: CostBasis = CostBasis.UNPRICED
    model: str | None = None
    session_id: str | None = None
    final_text: str | None = None
    files_changed: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


def was_killed(exit_code: int) -> bool:
    """Returns True if a signal ended the process: negative as in Python, or 128 + n for the usual n, as in shells."""
    return exit_code < 0 or exit_code in (129, 130, 131, 134, 137, 143)


def exit_words(exit_code: int) -> str:
    """The exit code as text."""
    if not was_killed(exit_code):
        return f"exit code {exit_code}"
    number = -exit_code if exit_code < 0 else exit_code - 128
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
