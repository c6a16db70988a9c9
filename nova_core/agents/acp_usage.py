"""What the figures of agents mean that speak the Agent Client Protocol: the protocol leaves that to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from nova_core.agents.fields import count, rows, table, text, word
from nova_core.model import TokenUsage


class Scope(StrEnum):
    """What the tokens in the answer to a prompt cover."""

    TURN = "turn"  # the whole answer
    STEP = "step"  # only the last message of the model: the sum is an estimate


class Meaning(msgspec.Struct, frozen=True):
    """What an agent means by its figures, and how it reports an error.

    `scope`: what its tokens cover. `error`: the beginning of a last message that is an error, though the turn ended
    normally; group 1 is the error. `cost_of_session`: its cost counts on when a session is resumed by a new process.
    """

    scope: Scope = Scope.TURN
    error: re.Pattern[str] | None = None
    cost_of_session: bool = False


_RETRIED = r"(?:Info: [^\n]{0,200}?\.\.\.\s{0,10}){0,20}"
# By a part of the name that the agent gives itself (`agentInfo.name`), in lower case.
_MEANINGS = {
    "copilot": Meaning(error=re.compile(rf"\s{{0,10}}{_RETRIED}Error: (.{{1,2000}})", re.DOTALL)),
    "opencode": Meaning(scope=Scope.STEP, cost_of_session=True),
    "qwen": Meaning(error=re.compile(r"\s{0,10}\[(API Error: .{1,2000})", re.DOTALL)),
}
_USUAL = Meaning()
_NO_MODEL = ("", "default", "auto", "inherit")


def meaning_of(agent: str) -> Meaning:
    """The meaning of the figures of the agent with this name."""
    name = agent.lower()
    return next((found for part, found in _MEANINGS.items() if part in name), _USUAL)


def tokens_of(usage: Mapping[str, Any]) -> TokenUsage:
    """The tokens of a `usage` of the protocol, in classes that do not overlap.

    Agents differ in whether the input contains the cache, and the output the thoughts; their total shows which.
    """
    given, output = count(usage.get("inputTokens")), count(usage.get("outputTokens"))
    read, written = count(usage.get("cachedReadTokens")), count(usage.get("cachedWriteTokens"))
    thoughts, total = count(usage.get("thoughtTokens")), count(usage.get("totalTokens"))
    cached = read + written
    whole = total > 0 and total in (given + output, given + output + thoughts)
    inside = cached if whole and cached <= given else 0
    if thoughts and total in (given + output + thoughts, given + output + cached + thoughts):
        output += thoughts
    return TokenUsage(given - inside, output, read, written)


def quota_of(answer: Mapping[str, Any]) -> TokenUsage:
    """The tokens that gemini reports beside the answer to a prompt: the cache counts as input."""
    told = table(table(table(answer.get("_meta")).get("quota")).get("token_count"))
    return TokenUsage(count(told.get("input_tokens")), count(told.get("output_tokens")))


def model_of(session: Mapping[str, Any]) -> str:
    """The model of a new session, from its answer; empty if it names none that could have a price."""
    for option in map(table, rows(session.get("configOptions"))):
        if option.get("category") == "model":
            return _plain(word(option.get("currentValue")))
    return _plain(word(table(session.get("models")).get("currentModelId")))


def model_of_quota(answer: Mapping[str, Any]) -> str:
    """The model that has answered most of a prompt, as gemini reports it."""
    told = rows(table(table(answer.get("_meta")).get("quota")).get("model_usage"))
    found = [(quota_of({"_meta": {"quota": row}}).total, _plain(word(table(row).get("model")))) for row in told]
    return max(((total, name) for total, name in found if name), default=(0, ""))[1]


def _plain(name: str) -> str:
    """The name without what an agent adds to it: qwen writes `$runtime|openai|gpt-5(openai)`."""
    name = text(name).rpartition("|")[2].partition("(")[0]
    return "" if name.lower() in _NO_MODEL else name
