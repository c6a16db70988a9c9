"""Agents' own records of a session: tokens of runs that were killed before they reported them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from nova_core.agents.fields import count, rows, table, text, word
from nova_core.agents.windows import Window, codex_windows
from nova_core.model import TokenUsage

_decode = msgspec.json.Decoder().decode


class Records(msgspec.Struct, frozen=True):
    """The usage of a session since a time. `exact`: no request was running when the records end.

    `windows` are the limits that were reported last, by name.
    """

    usage: TokenUsage = TokenUsage()
    exact: bool = False
    model: str | None = None
    windows: dict[str, Window] = {}


def claude_records(lines: Iterable[bytes], since: float) -> Records:
    """Claude Code's transcript, `projects/<folder>/<session>.jsonl`: its messages have their final counts.

    `since` is seconds since the epoch. The usage of sub-agents is in other files: with a sub-agent, the sum is not
    exact.
    """
    messages: dict[str, TokenUsage] = {}
    model: str | None = None
    asked = helped = False
    for event in _since(lines, since):
        message = table(event.get("message"))
        if event.get("type") == "user":
            asked = True
        elif event.get("type") == "assistant" and message.get("model") != "<synthetic>":
            asked = False
            model = word(message.get("model")) or model
            messages[word(message.get("id"))] = claude_usage(table(message.get("usage")))
            helped |= any(table(block).get("name") in ("Agent", "Task") for block in rows(message.get("content")))
    return Records(sum(messages.values(), TokenUsage()), bool(messages) and not asked and not helped, model)


def codex_records(lines: Iterable[bytes], since: float) -> Records:
    """Codex's rollout, `sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`: one record of usage for each response."""
    total = TokenUsage()
    model: str | None = None
    windows: dict[str, Window] = {}
    asked = found = False
    for event in _since(lines, since):
        payload = table(event.get("payload"))
        what = text(payload.get("type"))
        if event.get("type") == "token_usage_record":
            asked, found = False, True
            total += codex_usage(table(payload.get("usage")))
        elif what == "token_count" and payload.get("rate_limits"):
            windows |= codex_windows(table(payload.get("rate_limits")), _time_of(event))
        elif event.get("type") == "turn_context":
            model = word(payload.get("model")) or model
        elif what.endswith("_output") or what == "task_started":
            asked = True
    return Records(total, found and not asked, model, windows)


def copilot_records(lines: Iterable[bytes], since: float) -> Records:
    """Copilot's `session-state/<session>/events.jsonl`: one record of usage for each response of the model.

    Its input includes the cache, its output the reasoning.
    """
    total = TokenUsage()
    model: str | None = None
    asked = found = False
    for event in _since(lines, since):
        if event.get("type") == "session.usage_record":
            asked, found = False, True
            told = table(table(event.get("data")).get("usage"))
            model = word(told.get("model")) or model
            read, written = count(told.get("cacheReadTokens")), count(told.get("cacheWriteTokens"))
            uncached = max(0, count(told.get("inputTokens")) - read - written)
            total += TokenUsage(uncached, count(told.get("outputTokens")), read, written)
        elif event.get("type") == "assistant.turn_start":
            asked = True
    return Records(total, found and not asked, model)


def codex_usage(told: dict[str, Any]) -> TokenUsage:
    """`input_tokens` includes both kinds of cache, `output_tokens` the reasoning."""
    read, written = count(told.get("cached_input_tokens")), count(told.get("cache_write_input_tokens"))
    uncached = max(0, count(told.get("input_tokens")) - read - written)
    return TokenUsage(uncached, count(told.get("output_tokens")), read, written)


def claude_usage(told: dict[str, Any]) -> TokenUsage:
    """Four disjoint classes, as in `TokenUsage`."""
    return TokenUsage(
        count(told.get("input_tokens")), count(told.get("output_tokens")),
        count(told.get("cache_read_input_tokens")), count(told.get("cache_creation_input_tokens")),
    )  # fmt: skip


def _time_of(event: dict[str, Any]) -> float:
    """Seconds since the epoch. Raises `ValueError` for an event without a time."""
    return datetime.fromisoformat(text(event.get("timestamp"))).timestamp()


def _since(lines: Iterable[bytes], since: float) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            event = _decode(line)
            if isinstance(event, dict) and _time_of(event) >= since:
                yield event
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
            continue


# By format: where the file is below the agent's own folder, the variable that names the folder, its usual place.
Place = tuple[str, str, str, Callable[[Iterable[bytes], float], Records]]
RECORDS: dict[str, Place] = {
    "claude": ("projects/*/{session}.jsonl", "CLAUDE_CONFIG_DIR", ".claude", claude_records),
    "copilot": ("session-state/{session}/events.jsonl", "COPILOT_HOME", ".copilot", copilot_records),
    "codex": ("sessions/*/*/*/rollout-*-{session}.jsonl", "CODEX_HOME", ".codex", codex_records),
}
