"""Modes and ends of the real agents that the captures do not show: what they printed, cut down to what matters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nova_core.agents import FORMATS, Outcome
from nova_core.model import TokenUsage


def read(agent: str, *lines: dict[str, Any] | list[Any] | str, code: int | None = 0) -> Outcome:
    """What Nova makes of these lines."""
    log = FORMATS[agent]()
    log.feed("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines).encode())
    log.finish()
    return log.outcome(code, {})


# claude

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
    """It is told with status 400, which says nothing; the words do."""
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
    """claude asks again in silence: `usage` holds what the first stream told, the settled figures do not."""
    end = result(usage=used(202, 12, 2000, 4000), model_usage_since_last_result=of_model(101, 11, 1000, 2000))
    found = read("claude", INIT, end)
    assert (found.token_usage, found.estimated) == (TokenUsage(101, 11, 1000, 2000), True)
    helped = result(usage=used(303, 33), model_usage_since_last_result=of_model(909, 99))
    again = result(usage=used(303, 33), model_usage_since_last_result={})
    assert not read("claude", INIT, helped, again).estimated


def test_one_document_of_a_resumed_session_counts_this_run() -> None:
    """`--output-format json --resume`: its totals are the session's, and nothing says what is new but `usage`."""
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


# opencode


def step(reason: str, *tools: dict[str, Any]) -> list[dict[str, Any]]:
    """One step with tool calls and words."""
    tokens = {"input": 101, "output": 8, "reasoning": 3, "cache": {"read": 1000, "write": 0}}
    calls = [{"type": "tool_use", "sessionID": "s1", "part": {"type": "tool", **tool}} for tool in tools]
    words = {"type": "text", "sessionID": "s1", "part": {"text": "Words."}}
    end = {"type": "step_finish", "sessionID": "s1", "part": {"reason": reason, "tokens": tokens, "cost": 0.01}}
    return [{"type": "step_start", "sessionID": "s1", "part": {}}, *calls, words, end]


def test_opencode_completes_a_tool_that_it_does_not_have() -> None:
    """A tool that is unknown, or taken away by its permissions, is a call of `invalid`, which succeeds."""
    given = {"tool": "Write", "error": "Model tried to call unavailable tool 'Write'. Available tools: bash, read."}
    call = {"tool": "invalid", "state": {"status": "completed", "input": given, "title": "Invalid Tool"}}
    found = read("opencode", *step("tool-calls", call), *step("stop"))
    assert (found.verdict, found.reason) == ("nothing_done", "every tool it called was refused or unknown")


def test_opencode_does_not_count_its_sub_agents() -> None:
    """The steps of a task that it gives away are those of another session, and not printed."""
    done = {"status": "completed", "input": {"description": "write"}, "title": "write", "metadata": {"sessionId": "s2"}}
    found = read("opencode", *step("tool-calls", {"tool": "task", "state": done}), *step("stop"))
    assert (found.verdict, found.estimated, found.token_usage.input_tokens) == ("done", True, 202)
    assert not read("opencode", *step("stop")).estimated


# words alone: no format that tells of events


def test_words_in_colour_are_read_without_it() -> None:
    """opencode's default output: its errors come in red and bold."""
    error = "\x1b[91m\x1b[1mError: \x1b[0mmock: invalid api key"
    found = read("opencode", "\x1b[0m", "> build · m1", "\x1b[0m", error, code=1)
    assert (found.verdict, found.reason) == ("bad_credentials", "exit code 1: Error: mock: invalid api key")


@pytest.mark.parametrize(
    ("agent", "line"),
    [
        ("opencode", "\x1b[93m\x1b[1m! \x1b[0mpermission requested: bash (echo x); auto-rejecting"),
        ("codex", "2026-11-21T13:35:26.382077Z ERROR codex_core::tools::router: error=patch rejected: writing is "
                  "blocked by read-only sandbox; rejected by user approval settings"),
    ],
)  # fmt: skip
def test_what_was_not_allowed_is_missing_without_events_too(agent: str, line: str) -> None:
    """Its standard error tells, and exit code 0 does not make up for it."""
    assert read(agent, line, "NOVA-FINAL: wrote it.").verdict == "permission_denied"
    assert read(agent, "NOVA-FINAL: wrote it.").verdict == "done"


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode"])
def test_words_that_end_with_a_question_ask(agent: str) -> None:
    """Nothing shows that a tool was used, and the last words are a question."""
    found = read(agent, "There are two ways to do this.", "Which database shall I use?")
    assert (found.verdict, found.reason) == ("asked", "it asked: Which database shall I use?")


@pytest.mark.parametrize(
    ("words", "code", "verdict"),
    [
        ("Execution error", 0, "interrupted"),
        ("Failed to authenticate. API Error: 401 mock: invalid api key", 1, "bad_credentials"),
        ("API Error: Opus 5.5's safeguards flagged this message (https://x). This sometimes happens.", 1, "refused"),
        ("Error: Reached max turns (2)", 1, "max_turns"),
        ("Error: Exceeded USD budget (0.001)", 1, "over_budget"),
        ("I looked at the execution.\nThere was an Execution error", 0, "done"),
    ],
)
def test_the_text_of_claude_tells_its_end(words: str, code: int, verdict: str) -> None:
    """`--output-format text`: an interrupted run ends with 0, a failed one says why on standard output."""
    assert read("claude", words, code=code).verdict == verdict


@pytest.mark.parametrize("code", [0, 1, None])
def test_what_was_not_allowed_outweighs_the_exit_code(code: int | None) -> None:
    """In auto mode claude ends well in its own words, and leaves with 1 for what it could not check."""
    end = result(permission_denials=[{"tool_name": "Bash"}], model_usage_since_last_result={})
    assert read("claude", INIT, end, code=code).verdict == "permission_denied"
    assert read("claude", INIT, result(model_usage_since_last_result={}), code=1).verdict == "failed"


@pytest.mark.parametrize("error", ["apply_patch verification failed: Failed to read", "unsupported call: update_plan"])
def test_codex_tells_of_a_tool_that_failed_on_standard_error(error: str) -> None:
    """No event is printed for it; work that consists of such calls is none."""
    line = f"2026-11-21T13:34:49.655608Z ERROR codex_core::tools::router: error={error}"
    said = {"type": "item.completed", "item": {"type": "agent_message", "text": "NOVA-FINAL: could not."}}
    done = {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
    found = read("codex", {"type": "turn.started"}, line, said, done)
    assert (found.verdict, found.reason) == ("nothing_done", "every tool it called was refused or unknown")


def test_a_stream_of_codex_that_broke_off_leaves_a_doubt() -> None:
    """What was served before it broke is in no figure, whether it got over it or not."""
    error = "stream disconnected before completion: stream closed before response.completed"
    lines = [{"type": "turn.started"}, {"type": "error", "message": f"Reconnecting... 1/5 ({error})"}]
    failed = read("codex", *lines, {"type": "turn.failed", "error": {"message": error}}, code=1)
    assert (failed.verdict, failed.estimated, failed.cost_usd) == ("overloaded", True, None)
    done = {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
    assert read("codex", *lines, done).estimated
    other = {"type": "turn.failed", "error": {"message": "unexpected status 401 Unauthorized"}}
    assert not read("codex", {"type": "turn.started"}, other, code=1).estimated


def test_codex_without_its_key() -> None:
    """The variable that should hold it is named."""
    words = "Missing environment variable: `OPENAI_API_KEY`."
    failed = {"type": "turn.failed", "error": {"message": words}}
    assert read("codex", {"type": "turn.started"}, failed, code=1).verdict == "bad_credentials"


# gemini

BEGUN = {"type": "init", "session_id": "s1", "model": "gemini-2.5-pro"}


def ended(status: str, tokens: int = 0, **fields: Any) -> dict[str, Any]:
    told = {"total_tokens": tokens + 1, "input_tokens": tokens, "output_tokens": 1, "cached": 0}
    return {"type": "result", "status": status, "stats": {**told, "models": {"gemini-2.5-pro": told}}, **fields}


def problem(words: str) -> dict[str, Any]:
    return {"type": "error", "severity": "error", "message": words}


def test_gemini_that_goes_round_in_circles_is_not_done() -> None:
    """It stops itself in the middle of an answer, and calls that success; the answer is in no figure."""
    found = read("gemini", BEGUN, problem("Loop detected, stopping execution"), ended("success", 5))
    assert (found.verdict, found.reason, found.estimated) == ("failed", "Loop detected, stopping execution", True)


@pytest.mark.parametrize(
    ("words", "verdict", "estimated"),
    [
        ("Model stream ended without a finish reason.", "overloaded", True),
        ("The model returned reasoning thoughts but no final response text. If your context window is near capacity, "
         "try using /compress.", "failed", False),
        ("The model returned an empty text response. If your context window is near capacity, try using /compress.",
         "failed", False),
        ("Model response was truncated because it exceeded the token limit. Try using /compress.", "limit_reached",
         False),
        ("The model response was blocked due to safety settings.", "refused", False),
        ("The model response was blocked due to recitation/copyright filters.", "refused", False),
        ("Reached max session turns for this session.", "max_turns", False),
    ],
)  # fmt: skip
def test_gemini_says_in_words_why_there_is_no_answer(words: str, verdict: str, estimated: bool) -> None:
    """Its exit code is 0, and its result has no reason."""
    found = read("gemini", BEGUN, problem(words), ended("error"))
    assert (found.verdict, found.estimated) == (verdict, estimated)


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("API key not valid. Please pass a valid API key.", "bad_credentials"),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "limit_reached"),
        ("mock: invalid request", "failed"),
    ],
)
def test_status_400_of_gemini_is_more_than_one_thing(message: str, verdict: str) -> None:
    """The provider answers so to a wrong key as well; the words tell them apart."""
    error = {"message": f'[API Error: {{"error":{{"code":400,"message":"{message}","status":"INVALID_ARGUMENT"}}}}]'}
    assert read("gemini", BEGUN, ended("error", error=error), code=144).verdict == verdict


NOISE = (
    "YOLO mode is enabled. All tool calls will be automatically approved.",
    "Ripgrep is not available. Falling back to GrepTool.",
    "[STARTUP] Phase 'cleanup_ops' was started but never ended. Skipping metrics.",
)
STATS = {"models": {"gemini-2.5-pro": {"tokens": {"prompt": 101, "candidates": 11, "cached": 0, "thoughts": 3}}}}


def test_the_document_of_gemini_is_found_between_other_lines() -> None:
    """`-o json` with standard error before and after it."""
    document = json.dumps({"session_id": "s1", "response": "Done {\n}\n.", "stats": STATS}, indent=2)
    found = read("gemini", *NOISE, document, NOISE[2])
    assert (found.verdict, found.token_usage, found.final_text) == ("done", TokenUsage(101, 14), "Done {\n}\n.")
    assert found == read("gemini", document)
    torn = read("gemini", *NOISE, document[:-20], code=0)
    assert (torn.verdict, torn.estimated) == ("interrupted", True)


def test_the_document_of_gemini_may_be_an_error() -> None:
    """It is on standard error then, after a stack trace, and tells no tokens."""
    error = {"type": "Error", "message": '{"error":{"code":401,"message":"mock: invalid api key"}}', "code": 401}
    document = json.dumps({"session_id": "s1", "error": error}, indent=2)
    found = read("gemini", *NOISE, "Error when talking to Gemini API {", "  status: 401", "}", document, code=None)
    assert (found.verdict, found.session_id, found.estimated) == ("bad_credentials", "s1", True)


def test_gemini_that_printed_nothing_but_noise_did_nothing() -> None:
    """It leaves with 0 when it is ended by a signal, too."""
    assert read("gemini", *NOISE).verdict == "nothing_done"
    assert read("gemini", *NOISE, "NOVA-FINAL: wrote.").final_text == "NOVA-FINAL: wrote."


def test_the_text_of_gemini_tells_errors_on_standard_error() -> None:
    """Its default output: exit code 0 without an answer, and 1 for whatever its model server said."""
    empty = read("gemini", *NOISE, "[ERROR] Model stream ended without a finish reason.")
    assert (empty.verdict, empty.reason) == ("overloaded", "Model stream ended without a finish reason.")
    retry = 'Attempt 1 failed with status 503. Retrying with backoff... _ApiError: {"error":{"code":503}}'
    last = "Error when talking to Gemini API Full report available at: /r.json RetryableQuotaError: mock: overloaded"
    assert read("gemini", *NOISE, retry, last, code=1).verdict == "overloaded"
    assert read("gemini", *NOISE, retry, "NOVA-FINAL: got over it.").verdict == "done"


# aider

HEAD = ("Aider v0.86.2", "Main model: openai/gpt-4o with diff edit format", "Weak model: gpt-4o-mini",
        "Git repo: .git with 0 files", "Repo-map: disabled")  # fmt: skip
TOKENS = "Tokens: 3.1k sent, 11 received. Cost: $0.0066 message, $0.0066 session."
LIMIT = (
    "Model openai/gpt-4o has hit a token limit!",
    "Token counts below are approximate.",
    "Input tokens: ~2,406 of 128,000",
    "Output tokens: ~4 of 16,384",
)


def analytics(name: str, **properties: Any) -> dict[str, Any]:
    return {"event": name, "properties": properties, "user_id": "u", "time": 1}


def test_an_empty_answer_to_aider_is_no_question() -> None:
    """The question is its own, and nobody did anything."""
    words = "Empty response received from LLM. Check your provider account?"
    found = read("aider", *HEAD, words, TOKENS)
    assert (found.verdict, found.final_text) == ("nothing_done", None)


def test_aider_whose_edits_all_failed_did_nothing() -> None:
    """Three answers whose edits match nothing: it gives up and leaves with 0."""
    failed = ("The LLM did not conform to the edit format.", "# 1 SEARCH/REPLACE block failed to match!")
    found = read("aider", *HEAD, "Edit.", TOKENS, *failed, "Edit.", TOKENS)
    assert (found.verdict, found.token_usage.input_tokens) == ("nothing_done", 6200)
    assert read("aider", *HEAD, "Edit.", TOKENS, *failed, "Edit.", TOKENS, "Applied edit to a.py").verdict == "done"


def test_what_aider_prints_of_itself_is_not_what_the_model_said() -> None:
    """Its head, and its complaints about a price list that it cannot fetch."""
    noise = "HTTPSConnectionPool(host='raw.githubusercontent.com', port=443): Max retries exceeded with url: /x"
    assert read("aider", noise, *HEAD, noise, "NOVA-FINAL: done.", TOKENS).final_text == "NOVA-FINAL: done."


def test_aider_at_its_limit_of_output_leaves_a_doubt() -> None:
    """Its analytics tell nothing of an answer that was cut; what it tells in words is rough."""
    start, end = analytics("message_send_starting"), analytics("exit", reason="Completed --message")
    found = read("aider", *HEAD, start, "This is cut of", *LIMIT, end)
    assert (found.verdict, found.token_usage, found.estimated) == ("limit_reached", TokenUsage(2406, 4), True)
    assert read("aider", *HEAD, "This is cut of", *LIMIT).token_usage == TokenUsage(2406, 4)


def test_aider_at_its_limit_of_input_tells_it_twice() -> None:
    """Once as sent, once as rough counts; the provider refused it, so that it is a guess in any case."""
    sent = "Tokens: 2.4k sent, 0 received. Cost: $0.0060 message, $0.0060 session."
    assert read("aider", *HEAD, sent, *LIMIT).token_usage == TokenUsage(2400, 0)
    told = analytics("message_send", prompt_tokens=2398, completion_tokens=0, total_cost=0.005995)
    found = read("aider", *HEAD, analytics("message_send_starting"), sent, told, *LIMIT, analytics("exit"))
    assert (found.verdict, found.token_usage, found.estimated) == ("limit_reached", TokenUsage(2398, 0), True)


def test_aider_that_runs_out_of_tries_is_not_done() -> None:
    """A test or an edit that fails again and again: it stops, and leaves with 0."""
    last = "Only 3 reflections allowed, stopping."
    found = read("aider", *HEAD, "Edit.", TOKENS, "Applied edit to a.py", "Added 2 lines of output to the chat.",
                 "Edit again.", TOKENS, "Applied edit to a.py", last)  # fmt: skip
    assert (found.verdict, found.reason, found.final_text) == ("max_turns", last, "Edit again.")
    assert found.files_changed == ("a.py",)


# logs that stop


def test_a_first_line_written_in_part_is_no_text() -> None:
    """Wherever it is cut, also behind a closing brace: it was killed, and what it used is not known."""
    start = json.dumps({"type": "thread.started", "thread_id": "t1", "more": {"a": {}}})
    for cut in range(2, len(start)):
        found = FORMATS["codex"]()
        found.feed(start[:cut].encode())
        found.finish()
        outcome = found.outcome(0, {})
        assert (outcome.verdict, outcome.estimated, outcome.cost_usd) == ("interrupted", True, None)
    answer = '{"status": "ok"}'
    assert read("codex", answer).final_text == answer


def test_codex_that_never_began_a_turn_tells_nothing() -> None:
    """It was started and killed: no figure is no zero."""
    found = read("codex", {"type": "thread.started", "thread_id": "t1"}, code=-9)
    assert (found.verdict, found.estimated, found.cost_usd) == ("interrupted", True, None)


def test_a_result_of_claude_that_is_told_twice_counts_once() -> None:
    """A line that a log holds twice has the same id."""
    end = result(uuid="u1", usage=used(101, 11), model_usage_since_last_result=of_model(101, 11))
    other = {**end, "uuid": "u2"}
    assert read("claude", INIT, end, end).token_usage == TokenUsage(101, 11)
    assert read("claude", INIT, end, other, end).token_usage == TokenUsage(202, 22)
    message = {"type": "assistant", "message": {"id": "m1", "content": [], "usage": used(101, 11)}}
    twice = read("claude", INIT, message, end, INIT, message, end)
    assert (twice.verdict, twice.token_usage, twice.estimated) == ("done", TokenUsage(101, 11), False)


def test_a_step_of_opencode_that_is_told_twice_counts_once() -> None:
    """A line that a log holds twice has the same id."""
    steps = step("stop")
    steps[-1]["part"]["id"] = "p1"
    other = step("stop")
    other[-1]["part"]["id"] = "p2"
    assert read("opencode", *steps, *steps).token_usage.input_tokens == 101
    assert read("opencode", *steps, *other).token_usage.input_tokens == 202


@pytest.mark.parametrize(
    ("agent", "data"),
    [("claude", '[{"type":"system","subtype":"init","tools":["a'), ("gemini", "{"), ("gemini", '{\n  "session_id"')],
)
def test_a_document_written_in_part_is_no_text(agent: str, data: str) -> None:
    """It began one and was killed; exit code 0 makes nothing of it."""
    log = FORMATS[agent]()
    log.feed(data.encode())
    log.finish()
    assert log.outcome(0, {}).verdict == "interrupted"


def test_codex_that_only_warned_did_nothing() -> None:
    """What it always prints on standard error is no answer."""
    noise = ("Reading additional input from stdin...", "WARNING: proceeding, even though we could not create PATH")
    assert read("codex", *noise).verdict == "nothing_done"
    assert read("codex", *noise, "NOVA-FINAL: done.").final_text == "NOVA-FINAL: done."


def test_aider_that_never_asked_a_model_did_nothing() -> None:
    """It leaves with 0 in every case."""
    assert read("aider", "Analytics have been permanently disabled.", "Aider v0.86.2").verdict == "nothing_done"


def test_aider_that_was_interrupted_says_so() -> None:
    """Its analytics go on to tell of an end."""
    found = read("aider", *HEAD, analytics("message_send_starting"), "^C again to exit", analytics("exit"))
    assert (found.verdict, found.estimated) == ("interrupted", True)


def test_a_prompt_that_is_too_long_is_told_in_words() -> None:
    """claude's default output names no error."""
    words = "Prompt is too long · the request is ~208310 tokens (limit 200000) but this conversation is only ~2784."
    assert read("claude", words, code=1).verdict == "limit_reached"
