"""Ends of codex and opencode that the captures do not show."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from printed import read, step

from nova_core.agents import FORMATS
from nova_core.agents.reset_times import wait_in


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


@pytest.mark.parametrize(
    ("error", "verdict"),
    [("unsupported call: update_plan", "nothing_done"), ("apply_patch verification failed: Failed to read", "done")],
)
def test_codex_reports_a_failed_tool_on_standard_error(error: str, verdict: str) -> None:
    """No event is printed for such a call; work that consists only of unknown tools counts as none."""
    line = f"2026-11-21T13:34:49.655608Z ERROR codex_core::tools::router: error={error}"
    said = {"type": "item.completed", "item": {"type": "agent_message", "text": "NOVA-FINAL: could not."}}
    done = {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
    assert read("codex", {"type": "turn.started"}, line, said, done).verdict == verdict


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


@pytest.mark.parametrize("between", ["", " ", "\t", "warning: late ", "\x1b[0m", "} ", '{"half": "x'])
def test_several_events_on_one_line_are_several(between: str) -> None:
    """Two writers shared the line; whatever lies between, no event is lost."""
    events = [{"type": "thread.started", "thread_id": "t1"}, {"type": "turn.started"},
              {"type": "item.completed", "item": {"type": "file_change", "status": "completed",
                                                  "changes": [{"path": "/p/a", "kind": "add"}]}},
              {"type": "item.completed", "item": {"type": "agent_message", "text": 'It is {"type": "x"}.'}},
              {"type": "turn.completed", "usage": {"input_tokens": 7, "output_tokens": 1}}]  # fmt: skip
    found = read("codex", between + between.join(map(json.dumps, events)))
    assert (found.verdict, found.session_id, found.files_changed) == ("done", "t1", ("/p/a",))
    assert (found.final_text, found.token_usage.input_tokens) == ('It is {"type": "x"}.', 7)


def test_parts_of_an_event_that_is_cut_are_no_events() -> None:
    """What stands inside a torn event is neither its failure nor its end; the event after it counts."""
    torn = json.dumps({"type": "item.completed", "item": {"type": "error", "message": "429 Too Many Requests"}})[:-1]
    log = FORMATS["codex"]()
    log.feed(torn.encode() + b"\n")
    assert log.problem is None
    log.feed(torn.encode() + json.dumps({"type": "thread.started", "thread_id": "t1"}).encode() + b"\n")
    assert (log.problem, log.session_id) == (None, "t1")


def test_many_starts_of_events_on_one_line_cost_little() -> None:
    """A line of a megabyte that only looks like events is read quickly."""
    line = '{"type":' * 100_000 + "\n"
    log = FORMATS["codex"]()
    before = time.process_time()
    log.feed(line.encode())
    assert time.process_time() - before < 2
    assert not log.began


@pytest.mark.parametrize(
    ("agent", "events", "verdict"),
    [
        ("codex", [{"type": "mcp_tool_call", "tool": "x", "error": {"message": "no such file"}}], "done"),
        ("codex", [{"type": "mcp_tool_call", "tool": "x", "error": {"message": "unknown tool x"}}], "nothing_done"),
        ("codex", [{"type": "file_change", "status": "failed", "changes": []}], "done"),
        ("gemini", [("file_not_found", "File not found: a.txt")], "done"),
        ("gemini", [("tool_not_registered", "Tool 'x' not found in registry.")], "nothing_done"),
        ("opencode", [{"tool": "edit", "state": {"status": "error", "error": "oldString not found"}}], "done"),
        ("opencode", [{"tool": "invalid", "state": {"status": "completed", "input": {}}}], "nothing_done"),
    ],
)
def test_a_tool_that_ran_and_failed_was_not_refused(agent: str, events: list[Any], verdict: str) -> None:
    """Its only tool found nothing: that is work. A tool that is unknown is none."""
    if agent == "codex":
        items = [{"type": "item.completed", "item": item} for item in events]
        said = {"type": "item.completed", "item": {"type": "agent_message", "text": "Nothing to do."}}
        end = {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
        found = read("codex", {"type": "turn.started"}, *items, said, end)
    elif agent == "gemini":
        told = [{"type": "tool_result", "tool_id": "t", "status": "error", "error": {"type": kind, "message": words}}
                for kind, words in events]  # fmt: skip
        said = {"type": "message", "role": "assistant", "content": "Nothing to do."}
        found = read("gemini", {"type": "init"}, *told, said, {"type": "result", "status": "success", "stats": {}})
    else:
        found = read("opencode", *step("tool-calls", *events), *step("stop"))
    assert found.verdict == verdict


def test_gemini_may_begin_its_answer_with_an_empty_line() -> None:
    """The pieces of an answer follow each other, not the answer before."""
    say = [{"type": "message", "role": "assistant", "content": piece, "delta": True} for piece in ("\n", "Done", ".")]
    call = {"type": "tool_use", "tool_name": "read_file", "tool_id": "t", "parameters": {}}
    log = FORMATS["gemini"]()
    for event in ({**say[1], "content": "First I look."}, call, *say):
        log.feed(json.dumps(event).encode() + b"\n")
    assert log.final_text == "Done."


def test_headers_name_the_time_to_wait_for() -> None:
    """opencode prints the headers of the answer that was an error."""
    at = datetime(2026, 12, 2, 7, 28, tzinfo=UTC).timestamp()
    for headers, wait in (
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": "Wed, 02 Dec 2026 07:28:00 GMT"}, 600.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"Anthropic-Ratelimit-Unified-Reset": str(int(at))}, 600.0),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({}, None),
    ):
        log = FORMATS["opencode"]()
        data = {"message": "no", "statusCode": 429, "responseHeaders": headers}
        log.feed(json.dumps({"type": "error", "error": {"name": "APIError", "data": data}}).encode() + b"\n")
        assert wait_in(log.details, at - 600) == wait


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ({"name": "MessageAbortedError", "data": {"message": "The operation was aborted."}}, "interrupted"),
        ({"name": "ContextOverflowError", "data": {"message": "no"}}, "limit_reached"),
        ({"name": "ProviderAuthError", "data": {"message": "refresh failed"}}, "bad_credentials"),
        ({"name": "APIError", "data": {"message": "Bad Request", "statusCode": 400,
                                       "responseBody": '{"error":"credit balance is too low"}'}}, "bad_credentials"),
        ({"name": "APIError", "data": {"message": "Forbidden", "statusCode": 403,
                                       "responseBody": '{"error":"usage limit reached"}'}}, "rate_limited"),
        ({"name": "APIError", "data": {"message": "Too Many Requests", "statusCode": 429,
                                       "responseBody": '{"code":"insufficient_quota"}'}}, "bad_credentials"),
        ({"name": "APIError", "data": {"message": "Bad Gateway", "statusCode": 502,
                                       "responseBody": "<a href=/login>usage limit</a>"}}, "overloaded"),
    ],
)  # fmt: skip
def test_opencode_names_its_errors_and_shows_the_answer_behind_them(error: dict[str, Any], verdict: str) -> None:
    """The body of the answer may say more than its message; a page of a server on the way does not."""
    found = read("opencode", {"type": "error", "sessionID": "s1", "error": error}, code=1)
    assert found.verdict == verdict
