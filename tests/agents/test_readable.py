"""What agents print as JSON, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.agents.readable import LONGEST, Kind, parts_of

CAPTURES = Path(__file__).with_name("captures")
RUN = [
    (Kind.SAYS, "I will look around first."), (Kind.DOES, "$ echo nova-tool-ok"), (Kind.GETS, "nova-tool-ok"),
    (Kind.SAYS, "Now I write the file."),
]  # fmt: skip


@pytest.mark.parametrize("agent", ["claude/tool", "codex/tool", "gemini/tool", "opencode/anthropic"])
def test_a_run_says_what_it_says_does_gets_and_costs(agent: str) -> None:
    """Of four agents the same: then the end with its tokens."""
    lines = (CAPTURES / f"{agent}.jsonl").read_bytes().splitlines()
    parts = [part for line in lines for part in parts_of(line)]
    quiet = (Kind.NOTE, Kind.COSTS)
    found = [(part.kind, part.text.strip()) for part in parts if part.kind not in quiet]
    assert found[:4] == RUN
    assert any("NOVA-FINAL" in text for kind, text in found if kind is Kind.SAYS)
    bills = [part.text for part in parts if part.kind is Kind.COSTS]
    assert " tok in, " in bills[-1]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": "hi"}]}},
         "says hi"),
        ({"type": "assistant", "message": {"content": [{"type": "thinking", "thinking": "so"}]}}, "thinks so"),
        ({"type": "user", "message": {"content": [{"type": "tool_result", "content": "no", "is_error": True}]}},
         "fails no"),
        ({"type": "result", "is_error": True, "result": "limit", "total_cost_usd": 0.5},
         "fails limit; costs end, $0.50"),
        ({"type": "item.completed", "item": {"type": "command_execution", "aggregated_output": "x", "exit_code": 3}},
         "fails x\nexit code 3"),
        ({"type": "turn.failed", "error": {"message": "bad"}}, "fails bad"),
        ({"type": "tool_use", "tool_name": "edit", "parameters": {"file_path": "a.py", "old": "1"}}, "does edit a.py"),
        ({"type": "tool.execution_start", "data": {"toolName": "bash", "arguments": {"command": "ls"}}}, "does $ ls"),
        ({"type": "agent_event", "event": {"type": "content_end", "contentType": "text", "text": "hi"}}, "says hi"),
        ({"type": "tool_execution_start", "toolName": "bash", "args": {"command": "ls"}}, "does $ ls"),
        ({"jsonrpc": "2.0", "method": "session/update", "params": {"update": {"sessionUpdate": "agent_message_chunk",
          "content": {"text": "hi"}}}}, "says hi"),
        ({"jsonrpc": "2.0", "method": "initialize"}, "note initialize"),
        ({"type": "turn.started"}, "note turn.started"),
        ({"type": "stream_event", "session_id": "1"}, "note stream_event"),
        ({"level": "info", "message": "of a program"}, ""),
        ({"type": "request", "path": "/"}, ""),
    ],
)  # fmt: skip
def test_the_words_of_an_event(event: dict[str, Any], said: str) -> None:
    """What matters of it; nothing of a program that is no agent."""
    parts = parts_of(json.dumps(event).encode())
    assert "; ".join(f"{part.kind} {part.text}" for part in parts) == said


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
_NAMES = st.sampled_from(
    ["type", "message", "content", "role", "item", "part", "state", "input", "tool", "event", "data", "error", "params",
     "update", "usage", "stats", "jsonrpc", "command", "changes", "text"]
)  # fmt: skip
_KINDS = st.sampled_from(["assistant", "user", "result", "item.completed", "tool_use", "error", "agent_event"])
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4))


@given(_KINDS, st.dictionaries(_NAMES, _VALUES, max_size=6))
def test_no_shape_of_an_event_raises(kind: str, event: dict[str, Any]) -> None:
    """Whatever an agent prints: every part has words."""
    assert all(part.text.strip() for part in parts_of(json.dumps({**event, "type": kind}).encode()))


@given(st.binary(max_size=60))
def test_no_line_raises(line: bytes) -> None:
    """A line that is not JSON, or half of it, is left as it is."""
    assert parts_of(b"{" + line) is not None


def test_a_line_beyond_all_measure_is_left_as_it_is() -> None:
    """It may take a second to read."""
    assert parts_of(b'{"type":"turn.started","x":"' + b"x" * LONGEST + b'"}') == []
