"""Agents' own records of a session: tokens of runs that were killed before they reported them."""

from __future__ import annotations

from collections.abc import Callable
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
    messages: int = 0
    windows: dict[str, Window] = {}


class RecordsReader:
    """Reads the records of a session line by line; events before `since` (seconds since the epoch) are left out."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._model: str | None = None
        self._asked = False

    def feed(self, line: bytes) -> None:
        """Read one line."""
        try:
            event = _decode(line)
            if not isinstance(event, dict):
                return
            if _time_of(event) >= self._since:
                self._take(event)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
            return

    def _take(self, event: dict[str, Any]) -> None:
        """Read one event."""

    @property
    def found(self) -> Records:
        """What was read so far."""
        return Records()


class ClaudeRecords(RecordsReader):
    """Claude Code's transcript, `projects/<folder>/<session>.jsonl`: its messages have their final counts.

    The usage of sub-agents is in other files: with a sub-agent, the sum is not exact.
    """

    def __init__(self, since: float) -> None:
        super().__init__(since)
        self._messages: dict[str, TokenUsage] = {}
        self._helped = False

    def _take(self, event: dict[str, Any]) -> None:
        message = table(event.get("message"))
        if event.get("type") == "user":
            self._asked = True
        elif event.get("type") == "assistant" and message.get("model") != "<synthetic>":
            self._asked = False
            self._model = word(message.get("model")) or self._model
            self._messages[word(message.get("id"))] = claude_usage(table(message.get("usage")))
            helpers = (table(block).get("name") in ("Agent", "Task") for block in rows(message.get("content")))
            self._helped |= any(helpers)

    @property
    def found(self) -> Records:
        exact = bool(self._messages) and not self._asked and not self._helped
        return Records(sum(self._messages.values(), TokenUsage()), exact, self._model, len(self._messages))


class CodexRecords(RecordsReader):
    """Codex's rollout, `sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`: one record of usage for each response."""

    def __init__(self, since: float) -> None:
        super().__init__(since)
        self._total = TokenUsage()
        self._responses = 0
        self._windows: dict[str, Window] = {}

    def _take(self, event: dict[str, Any]) -> None:
        payload = table(event.get("payload"))
        what = text(payload.get("type"))
        if event.get("type") == "token_usage_record":
            self._asked = False
            self._responses += 1
            self._total += codex_usage(table(payload.get("usage")))
        elif what == "token_count" and payload.get("rate_limits"):
            self._windows |= codex_windows(table(payload.get("rate_limits")), _time_of(event))
        elif event.get("type") == "turn_context":
            self._model = word(payload.get("model")) or self._model
        elif what.endswith("_output") or what == "task_started":
            self._asked = True

    @property
    def found(self) -> Records:
        return Records(
            self._total, self._responses > 0 and not self._asked, self._model, self._responses, self._windows
        )


class GeminiRecords(RecordsReader):
    """Gemini's chat, `tmp/<project>/chats/session-<time>-<session>.jsonl`: a message is repeated with its tool calls.

    Side calls, such as the choice of a model, are not in it.
    """

    def __init__(self, since: float) -> None:
        super().__init__(since)
        self._messages: dict[str, TokenUsage] = {}

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("type") == "user":
            self._asked = True
        elif event.get("type") == "gemini":
            self._asked = False
            self._model = word(event.get("model")) or self._model
            told = table(event.get("tokens"))
            cached = count(told.get("cached"))
            output = count(told.get("output")) + count(told.get("thoughts"))
            uncached = max(0, count(told.get("input")) - cached) + count(told.get("tool"))
            self._messages[word(event.get("id"))] = TokenUsage(uncached, output, cached, 0)

    @property
    def found(self) -> Records:
        exact = bool(self._messages) and not self._asked
        return Records(sum(self._messages.values(), TokenUsage()), exact, self._model, len(self._messages))


class CopilotRecords(RecordsReader):
    """Copilot's `session-state/<session>/events.jsonl`: one record of usage for each response of the model.

    Its input includes the cache, its output the reasoning.
    """

    def __init__(self, since: float) -> None:
        super().__init__(since)
        self._total = TokenUsage()
        self._responses = 0

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("type") == "session.usage_record":
            self._asked = False
            self._responses += 1
            told = table(table(event.get("data")).get("usage"))
            self._model = word(told.get("model")) or self._model
            read, written = count(told.get("cacheReadTokens")), count(told.get("cacheWriteTokens"))
            uncached = max(0, count(told.get("inputTokens")) - read - written)
            self._total += TokenUsage(uncached, count(told.get("outputTokens")), read, written)
        elif event.get("type") == "assistant.turn_start":
            self._asked = True

    @property
    def found(self) -> Records:
        return Records(self._total, self._responses > 0 and not self._asked, self._model, self._responses)


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


# By format: where the file is below the agent's own folder, the variable that names the folder, its usual place.
Place = tuple[str, str, str, Callable[[float], RecordsReader]]
RECORDS: dict[str, Place] = {
    "claude": ("projects/*/{session}.jsonl", "CLAUDE_CONFIG_DIR", ".claude", ClaudeRecords),
    "codex": ("sessions/*/*/*/rollout-*-{session}.jsonl", "CODEX_HOME", ".codex", CodexRecords),
    "gemini": ("tmp/*/chats/session-*-{short}.jsonl", "", ".gemini", GeminiRecords),
    "copilot": ("session-state/{session}/events.jsonl", "COPILOT_HOME", ".copilot", CopilotRecords),
}
