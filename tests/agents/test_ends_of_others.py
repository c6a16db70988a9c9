"""Ends of codex and opencode that the captures do not show."""

from __future__ import annotations

import pytest
from printed import read, step


def test_opencode_completes_a_tool_that_it_does_not_have() -> None:
    """A tool that is unknown, or disallowed by permissions, appears as a call of `invalid`, which succeeds."""
    given = {"tool": "Write", "error": "Model tried to call unavailable tool 'Write'. Available tools: bash, read."}
    call = {"tool": "invalid", "state": {"status": "completed", "input": given, "title": "Invalid Tool"}}
    found = read("opencode", *step("tool-calls", call), *step("stop"))
    assert (found.verdict, found.reason) == ("nothing_done", "every tool it called was denied or unknown")


def test_opencode_does_not_count_its_sub_agents() -> None:
    """The steps of a delegated task belong to another session and are not printed."""
    done = {"status": "completed", "input": {"description": "write"}, "title": "write", "metadata": {"sessionId": "s2"}}
    found = read("opencode", *step("tool-calls", {"tool": "task", "state": done}), *step("stop"))
    assert (found.verdict, found.estimated, found.token_usage.input_tokens) == ("done", True, 202)
    assert not read("opencode", *step("stop")).estimated


@pytest.mark.parametrize("error", ["apply_patch verification failed: Failed to read", "unsupported call: update_plan"])
def test_codex_reports_a_failed_tool_on_standard_error(error: str) -> None:
    """No event is printed for such a call; work that consists only of them counts as none."""
    line = f"2026-11-21T13:34:49.655608Z ERROR codex_core::tools::router: error={error}"
    said = {"type": "item.completed", "item": {"type": "agent_message", "text": "NOVA-FINAL: could not."}}
    done = {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
    found = read("codex", {"type": "turn.started"}, line, said, done)
    assert (found.verdict, found.reason) == ("nothing_done", "every tool it called was denied or unknown")


def test_a_stream_of_codex_that_broke_off_leaves_a_doubt() -> None:
    """Tokens served before the stream broke are in no figure, whether or not it recovered."""
    error = "stream disconnected before completion: stream closed before response.completed"
    lines = [{"type": "turn.started"}, {"type": "error", "message": f"Reconnecting... 1/5 ({error})"}]
    failed = read("codex", *lines, {"type": "turn.failed", "error": {"message": error}}, code=1)
    assert (failed.verdict, failed.estimated, failed.cost_usd) == ("overloaded", True, None)
    done = {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
    assert read("codex", *lines, done).estimated
    other = {"type": "turn.failed", "error": {"message": "unexpected status 401 Unauthorized"}}
    assert not read("codex", {"type": "turn.started"}, other, code=1).estimated


def test_codex_without_its_key() -> None:
    """The message names the variable that should hold the key."""
    words = "Missing environment variable: `OPENAI_API_KEY`."
    failed = {"type": "turn.failed", "error": {"message": words}}
    assert read("codex", {"type": "turn.started"}, failed, code=1).verdict == "bad_credentials"


def test_codex_that_never_started_a_turn_reports_nothing() -> None:
    """It was started and killed: a missing figure is not zero."""
    found = read("codex", {"type": "thread.started", "thread_id": "t1"}, code=-9)
    assert (found.verdict, found.estimated, found.cost_usd) == ("interrupted", True, None)


def test_a_step_that_opencode_reports_twice_counts_once() -> None:
    """A line that a log holds twice has the same id."""
    steps = step("stop")
    steps[-1]["part"]["id"] = "p1"
    other = step("stop")
    other[-1]["part"]["id"] = "p2"
    assert read("opencode", *steps, *steps).token_usage.input_tokens == 101
    assert read("opencode", *steps, *other).token_usage.input_tokens == 202
