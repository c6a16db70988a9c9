"""Modes and ends of claude that the captures do not show."""

from __future__ import annotations

import json

import pytest
from printed import INIT, of_model, read, result, used

from nova_core.model import TokenUsage


def test_claude_prints_its_events_as_one_list() -> None:
    """`--output-format json --verbose`: the same events, all of them on one line."""
    block = {"type": "tool_use", "id": "t1", "name": "Write", "input": {"file_path": "/p/a.txt"}}
    done = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
    events = [
        INIT,
        {"type": "assistant", "message": {"id": "m1", "content": [block], "usage": used(101, 1)}},
        {"type": "user", "message": {"content": [done]}},
        result(model_usage_since_last_result=of_model(101, 11)),
    ]
    found = read("claude", events)
    assert (found.verdict, found.token_usage, found.estimated) == ("done", TokenUsage(101, 11), False)
    assert (found.files_changed, found.steps) == (("/p/a.txt",), ("edit a.txt",))
    assert read("claude", json.dumps(events, indent=1)) == found
    assert read("claude", json.dumps(events)[:-40]).verdict == "interrupted"


def test_claude_without_credit_has_no_use_of_its_key() -> None:
    """claude reports it with status 400, which is ambiguous; the text identifies it."""
    words = "Credit balance is too low"
    text = {"id": "x", "model": "<synthetic>", "content": [{"type": "text", "text": words}]}
    error = {"type": "assistant", "message": text, "error": "billing_error", "api_error_status": 400}
    end = result(is_error=True, terminal_reason="api_error", api_error_status=400, result=words,
                 model_usage_since_last_result={})  # fmt: skip
    assert read("claude", INIT, error, end, code=1).verdict == "bad_credentials"
    assert read("claude", end, code=1).verdict == "bad_credentials"
    odd = {**end, "result": "API Error: 400 mock: invalid request"}
    assert read("claude", odd, code=1).verdict == "failed"


def test_a_message_that_broke_off_leaves_a_doubt() -> None:
    """claude retries silently: `usage` holds what the first stream reported, the settled figures do not."""
    end = result(usage=used(202, 12, 2000, 4000), model_usage_since_last_result=of_model(101, 11, 1000, 2000))
    found = read("claude", INIT, end)
    assert (found.token_usage, found.estimated) == (TokenUsage(101, 11, 1000, 2000), True)
    helped = result(usage=used(303, 33), model_usage_since_last_result=of_model(909, 99))
    again = result(usage=used(303, 33), model_usage_since_last_result={})
    assert not read("claude", INIT, helped, again).estimated


def test_one_document_of_a_resumed_session_counts_this_run() -> None:
    """`--output-format json --resume`: its totals are the session's; only `usage` shows what is new."""
    resumed = {"usage": used(101, 11, 1000, 2000), "modelUsage": of_model(1717, 187, 24000, 11300), "total_cost_usd": 1}
    alone = result(subagent_stats={"spawned": 0}, **resumed)
    found = read("claude", alone)
    assert (found.token_usage, found.estimated, found.cost_usd) == (TokenUsage(101, 11, 1000, 2000), True, None)
    helped = read("claude", result(subagent_stats={"spawned": 1}, **resumed))
    assert (helped.token_usage, helped.estimated) == (TokenUsage(1717, 187, 24000, 11300), True)
    second = read("claude", {**alone, "result_index": 1})
    assert second.token_usage == TokenUsage(1717, 187, 24000, 11300), "the results before it are not printed"
    stopped = {**alone, "subtype": "error_max_budget_usd", "usage": used(0, 0)}
    assert read("claude", stopped, code=1).token_usage == TokenUsage(1717, 187, 24000, 11300), "usage lacks the last"
    first = read("claude", result(subagent_stats={"spawned": 0}, usage=used(1, 2), modelUsage=of_model(1, 2)))
    assert (first.token_usage, first.estimated) == (TokenUsage(1, 2), False)


@pytest.mark.parametrize("code", [0, 1, None])
def test_what_was_not_allowed_outweighs_the_exit_code(code: int | None) -> None:
    """In auto mode claude ends normally with a text, and exits with 1 for what it could not check."""
    end = result(permission_denials=[{"tool_name": "Bash"}], model_usage_since_last_result={})
    assert read("claude", INIT, end, code=code).verdict == "permission_denied"
    assert read("claude", INIT, result(model_usage_since_last_result={}), code=1).verdict == "failed"


def test_a_result_that_claude_reports_twice_counts_once() -> None:
    """A line that a log holds twice has the same id."""
    end = result(uuid="u1", usage=used(101, 11), model_usage_since_last_result=of_model(101, 11))
    other = {**end, "uuid": "u2"}
    assert read("claude", INIT, end, end).token_usage == TokenUsage(101, 11)
    assert read("claude", INIT, end, other, end).token_usage == TokenUsage(202, 22)
    message = {"type": "assistant", "message": {"id": "m1", "content": [], "usage": used(101, 11)}}
    twice = read("claude", INIT, message, end, INIT, message, end)
    assert (twice.verdict, twice.token_usage, twice.estimated) == ("done", TokenUsage(101, 11), False)
