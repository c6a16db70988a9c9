"""Parts of Claude Code's events: usage, texts, tool calls."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from nova_core.agents.fields import count, first_line, rows, table, text, word
from nova_core.model import TokenUsage

_REFUSED = re.compile(
    r"no such tool available|requires approval|haven.t granted|permission to use .{1,100} denied"
    r"|user doesn.t want to proceed",
    re.IGNORECASE,
)


def as_told(usage: TokenUsage) -> dict[str, int]:
    """The usage of a message, as claude writes it."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_creation_tokens,
    }


def of_model(told: dict[str, Any]) -> TokenUsage:
    """The usage of a model in a result."""
    return TokenUsage(
        count(told.get("inputTokens")), count(told.get("outputTokens")),
        count(told.get("cacheReadInputTokens")), count(told.get("cacheCreationInputTokens")),
    )  # fmt: skip


def words_of(content: object) -> str:
    """The text of a message or a tool's result: a text, or blocks of which some are text."""
    if isinstance(content, str):
        return content
    return "\n".join(words for block in rows(content) if (words := text(table(block).get("text"))))


def step_of(tool: str, given: dict[str, Any]) -> str:
    """A short description of a tool call."""
    if tool.startswith("mcp__nova__"):
        return text(given.get("step")) or tool.removeprefix("mcp__nova__")
    path = text(given.get("file_path") or given.get("notebook_path"))
    if path:
        return f"{'read' if tool == 'Read' else 'edit'} {PurePath(path).name}"
    return text(given.get("description")) or first_line(text(given.get("command"))) or tool


def was_refused(event: dict[str, Any], said: str) -> bool:
    """Returns True if a tool with the error `said` was denied or unknown, rather than that it ran and failed."""
    meta = [table(item) for item in rows(event.get("tool_result_meta"))]
    return _REFUSED.search(said) is not None or any("reject" in word(item.get("non_execution_kind")) for item in meta)
