"""Agents' own records of a session, followed while it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nova_core.launch.agent_records import find_records, follow_records
from nova_core.model import TokenUsage

SESSION = "fd9d480f-54ec-4617-a853-3ea355a8de51"
AT = "2026-11-30T14:44:41.896Z"


def gemini(name: str, tokens: dict[str, int], **fields: Any) -> dict[str, Any]:
    return {"id": name, "timestamp": AT, "type": "gemini", "tokens": tokens, "model": "gemini-2.5-pro", **fields}


FIRST = {"input": 3101, "output": 11, "cached": 1000, "thoughts": 3, "tool": 0, "total": 3115}
SECOND = {"input": 3602, "output": 22, "cached": 3000, "thoughts": 6, "tool": 0, "total": 3630}
USER = {"id": "u", "timestamp": AT, "type": "user", "content": []}
CHAT = [
    {"sessionId": SESSION, "startTime": AT, "kind": "main"},
    {"$set": {"lastUpdated": AT}},
    USER,
    gemini("a", FIRST),
    gemini("a", FIRST, toolCalls=[{"name": "run_shell_command"}]),
    USER,
    gemini("b", SECOND),
]


def codex(read: int) -> dict[str, Any]:
    usage = {"input_tokens": 100 + read, "cached_input_tokens": read, "output_tokens": 5}
    return {"timestamp": AT, "type": "token_usage_record", "payload": {"usage": usage}}


ROLLOUT = [{"timestamp": AT, "type": "turn_context", "payload": {"model": "gpt-6.1-sol"}}, codex(0), codex(40)]
CASES: dict[str, tuple[str, str, list[Any], TokenUsage, str]] = {
    "gemini": ("HOME", f".gemini/tmp/p/chats/session-2026-11-30T14-44-{SESSION[:8]}.jsonl", CHAT,
               TokenUsage(2703, 42, 4000), "gemini-2.5-pro"),
    "codex": ("CODEX_HOME", f"sessions/2026/11/30/rollout-t-{SESSION}.jsonl", ROLLOUT,
              TokenUsage(200, 10, 40), "gpt-6.1-sol"),
}  # fmt: skip


@pytest.mark.parametrize("agent", CASES)
def test_records_are_followed_while_they_grow(agent: str, tmp_path: Path) -> None:
    """Whole lines count, once each; a message that is repeated with its tool calls is one message."""
    variable, place, lines, usage, model = CASES[agent]
    environ = {variable: str(tmp_path)}
    assert follow_records(agent, SESSION, 0.0, environ) is None, "not there yet"
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.touch()
    records = follow_records(agent, SESSION, 0.0, environ)
    assert records is not None
    assert not records.look()
    for line in lines:
        whole = json.dumps(line) + "\n"
        with path.open("a") as file:
            file.write(whole[:20])
        assert not records.look()
        with path.open("a") as file:
            file.write(whole[20:])
        assert records.look()
    assert (records.found.usage, records.found.messages, records.found.model) == (usage, 2, model)
    assert records.found.exact
    assert find_records(agent, SESSION, 0.0, environ) == records.found
    later = find_records(agent, SESSION, 4e9, environ)
    assert later is not None
    assert not later.usage.total, "of an earlier attempt in the same session"
