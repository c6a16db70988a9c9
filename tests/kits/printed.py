"""The output of real agents, cut down to what matters, and its outcome in Nova."""

from __future__ import annotations

import json
from typing import Any

from nova_core.agents import FORMATS
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import Outcome


def read(agent: str, *lines: dict[str, Any] | list[Any] | str, code: int | None = 0) -> Outcome:
    """The outcome of these lines."""
    return read_log(agent, *lines).outcome(code, {})


def read_log(agent: str, *lines: dict[str, Any] | list[Any] | str) -> AgentLog:
    """The log of these lines, read to its end."""
    log = FORMATS[agent]()
    log.feed("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines).encode())
    log.finish()
    return log


INIT = {"type": "system", "subtype": "init", "session_id": "s1", "model": "claude-opus-5-5"}


def used(tokens: int, output: int, read: int = 0, written: int = 0) -> dict[str, int]:
    return {"input_tokens": tokens, "output_tokens": output,
            "cache_read_input_tokens": read, "cache_creation_input_tokens": written}  # fmt: skip


def of_model(tokens: int, output: int, read: int = 0, written: int = 0) -> dict[str, Any]:
    told = {"inputTokens": tokens, "outputTokens": output, "cacheReadInputTokens": read,
            "cacheCreationInputTokens": written, "costUSD": 0.01, "costBasis": "list"}  # fmt: skip
    return {"claude-opus-5-5": told}


def result(**fields: Any) -> dict[str, Any]:
    return {"subtype": "success", "is_error": False, "terminal_reason": "completed", "num_turns": 1, "result": "Done.",
            "session_id": "s1", "type": "result", **fields}  # fmt: skip


def step(reason: str, *tools: dict[str, Any]) -> list[dict[str, Any]]:
    """One step with tool calls and text."""
    tokens = {"input": 101, "output": 8, "reasoning": 3, "cache": {"read": 1000, "write": 0}}
    calls = [{"type": "tool_use", "sessionID": "s1", "part": {"type": "tool", **tool}} for tool in tools]
    words = {"type": "text", "sessionID": "s1", "part": {"text": "Words."}}
    end = {"type": "step_finish", "sessionID": "s1", "part": {"reason": reason, "tokens": tokens, "cost": 0.01}}
    return [{"type": "step_start", "sessionID": "s1", "part": {}}, *calls, words, end]
