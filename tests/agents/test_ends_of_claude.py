"""Modes and ends of claude that the captures do not show."""

from __future__ import annotations

import json

import pytest
from printed import INIT, of_model, read, result, used

from nova_core.agents import FORMATS
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


SAID = {"type": "assistant", "message": {"id": "m1", "content": [{"type": "text", "text": "All is written."}]}}
OWN = {"type": "assistant", "message": {"id": "s", "model": "<synthetic>", "content": [{"type": "text", "text": "?"}]}}


def own(words: str) -> dict[str, object]:
    return {**OWN, "message": {**OWN["message"], "content": [{"type": "text", "text": words}]}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "subtype", ["error_max_structured_output_retries", "error_during_execution", "error_of_tomorrow", "error"]
)
@pytest.mark.parametrize("is_error", [True, False, None])
def test_an_error_of_any_kind_is_no_success(subtype: str, is_error: bool | None) -> None:
    """Whatever else the result says, and whatever it exits with."""
    end = result(subtype=subtype, is_error=is_error, errors=["no"], result=None, model_usage_since_last_result={})
    for code in (0, 1):
        found = read("claude", INIT, SAID, end, code=code)
        assert (found.verdict, found.reason) == ("failed", "no")


def test_an_empty_result_keeps_the_last_words() -> None:
    """The model said its answer before the turn ended without text."""
    for end in (result(result=""), result(result=" \n"), result(result=None)):
        found = read("claude", INIT, SAID, end)
        assert (found.verdict, found.final_text) == ("done", "All is written.")
    assert read("claude", INIT, result(result="")).verdict == "nothing_done"


@pytest.mark.parametrize("words", ['API Error: 500 {"type":"error"}', "Error: Reached max turns (3)"])
def test_an_error_in_the_place_of_an_answer_is_no_success(words: str) -> None:
    """claude calls it a success, even after the model's work; what the model itself said last is its answer."""
    end = result(result=words, usage=used(101, 11), model_usage_since_last_result=of_model(101, 11))
    assert read("claude", INIT, SAID, end).verdict not in ("done", "asked")
    said = {**SAID, "message": {"id": "m1", "content": [{"type": "text", "text": f"{words}\n"}]}}
    assert read("claude", INIT, said, end).verdict == "done"


def test_words_of_the_model_do_not_explain_an_error() -> None:
    """An error without words is a failure, even if the model spoke about limits before it."""
    about = {"type": "assistant", "message": {"id": "m1", "content": [{"type": "text", "text": "429 rate limit"}]}}
    found = read("claude", INIT, about, result(is_error=True, result="", subtype="success"), code=1)
    assert found.verdict == "failed"


def test_what_claude_says_for_want_of_an_answer_is_none() -> None:
    """A turn in which no model spoke did nothing; after an answer it means nothing."""
    nothing = own("No response requested.")
    end = result(result="No response requested.", usage={}, model_usage_since_last_result={})
    assert read("claude", INIT, nothing, end).verdict == "nothing_done"
    assert read("claude", INIT, SAID, nothing, end).verdict == "done"


def test_a_turn_after_an_error_counts() -> None:
    """An error of claude's own is over when the model speaks again, and when another turn begins."""
    error, failed = own("API Error: Connection error."), result(result="API Error: Connection error.")
    assert read("claude", INIT, error, SAID, result()).verdict == "done"
    assert read("claude", INIT, error, failed, INIT, SAID, result()).verdict == "done"
    assert read("claude", INIT, SAID, result(), INIT, error, failed).verdict == "overloaded"
    helper = {**error, "parent_tool_use_id": "toolu_1"}
    assert read("claude", INIT, helper, SAID, result()).verdict == "done"


def used_tool(said: object, **fields: object) -> list[dict[str, object]]:
    block = {"type": "tool_use", "id": "t1", "name": "Edit", "input": {"file_path": "/p/a"}}
    answer = {"type": "tool_result", "tool_use_id": "t1", "content": said, "is_error": True}
    return [{"type": "assistant", "message": {"id": "m0", "content": [block]}},
            {"type": "user", "message": {"content": [answer]}, **fields}]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("<tool_use_error>Error: No such tool available: TodoWrite</tool_use_error>", True),
        ("This command requires approval", True),
        ("Claude requested permissions to write to /p/a, but you haven't granted it yet.", True),
        ([{"type": "text", "text": "Permission to use Bash with command rm has been denied."}], True),
        ("<tool_use_error>String to replace not found in file.\nString: zzz</tool_use_error>", False),
        ("<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>", False),
        ("<tool_use_error>InputValidationError: Edit failed: old_string is missing</tool_use_error>", False),
        ("Exit code 1\npermission denied: /root/x", False),
        ([{"type": "text", "text": "No files found"}], False),
    ],
)
def test_a_tool_that_failed_was_not_refused(said: object, refused: bool) -> None:
    """Only if every tool was denied or unknown is nothing done; what the others found is the agent's business."""
    found = read("claude", INIT, *used_tool(said), SAID, result())
    assert found.verdict == ("nothing_done" if refused else "done")


def test_a_person_who_rejects_a_tool_refuses_it() -> None:
    """claude reports it beside the tool's result."""
    events = used_tool("The user said no.", tool_result_meta=[{"id": "t1", "non_execution_kind": "user-rejected"}])
    assert read("claude", INIT, *events, SAID, result()).verdict == "nothing_done"


@pytest.mark.parametrize("code", [-9, -15, 137, 143, 130])
def test_a_log_that_says_success_is_one_whatever_ended_the_process(code: int) -> None:
    """It had finished, and did not exit."""
    assert read("claude", INIT, SAID, result(), code=code).verdict == "done"
    assert read("claude", INIT, SAID, result(), INIT, SAID, code=code).verdict == "interrupted"
    denied = result(permission_denials=[{"tool_name": "Bash"}])
    assert read("claude", INIT, SAID, denied, code=code).verdict == "permission_denied"


def test_a_limit_in_an_event_names_its_model_and_its_end() -> None:
    """Of the windows that are used up; one that extra usage pays for is none, and neither is a warning."""
    info = {"status": "rejected", "resetsAt": 1796196115, "rateLimitType": "seven_day_opus"}
    log = FORMATS["claude"]()
    log.feed(json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode() + b"\n")
    assert (log.resets_at, log.limited_model, log.problem is not None) == (1796196115, "opus", True)
    log.feed(json.dumps(SAID).encode() + b"\n")
    assert (log.resets_at, log.limited_model, log.problem) == (None, None, None)
    for other in ({"isUsingOverage": True}, {"status": "allowed_warning"}):
        log.feed(json.dumps({"type": "rate_limit_event", "rate_limit_info": {**info, **other}}).encode() + b"\n")
        assert log.problem is None
    told = {**own("Limit."), "error": "rate_limit", "api_error_params": {"rate_limit_info": info}}
    log.feed(json.dumps(told).encode() + b"\n")
    assert (log.resets_at, log.limited_model) == (1796196115, "opus")
