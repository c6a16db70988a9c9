"""Rules of single formats that the captures do not show: limits, questions, endless loops, totals of other versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nova_core.agents import FORMATS
from nova_core.agents.log import AgentLog
from nova_core.model import TokenUsage


def log_of(agent: str, *events: dict[str, Any] | str, previous: TokenUsage | None = None) -> AgentLog:
    """A log of these events and lines, read to its end."""
    log = FORMATS[agent](previous)
    lines = (event if isinstance(event, str) else json.dumps(event) for event in events)
    log.feed("".join(f"{line}\n" for line in lines).encode())
    log.finish()
    return log


def result(**fields: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": "ok", **fields}


def model_usage(tokens: int, dollars: float) -> dict[str, Any]:
    return {"m": {"inputTokens": tokens, "outputTokens": 1, "costUSD": dollars}}


def test_claude_without_what_is_new_takes_off_what_is_known() -> None:
    """Other versions report the whole session: earlier runs of it are subtracted, and their cost is not billed
    again."""
    told = result(modelUsage=model_usage(100, 1.0), total_cost_usd=1.0)
    assert log_of("claude", told).outcome(0).token_usage == TokenUsage(100, 1)
    assert log_of("claude", told).outcome(0).cost_usd == 1.0
    later = log_of("claude", told, previous=TokenUsage(60, 0)).outcome(0)
    assert later.token_usage == TokenUsage(40, 1)
    assert later.cost_usd is None, "its share of the session's cost is for the price table to say"


def test_claude_without_model_usage_takes_usage() -> None:
    """The last resort, which leaves sub-agents out."""
    usage = {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1}
    assert log_of("claude", result(usage=usage)).outcome(0).token_usage == TokenUsage(7, 3, 2, 1)


def test_claude_asks() -> None:
    """A question to an absent person is not work done."""
    ask = {"type": "tool_use", "id": "t1", "name": "AskUserQuestion", "input": {"questions": [{"question": "Which?"}]}}
    message = {"type": "assistant", "message": {"id": "m1", "content": [ask], "usage": {}}}
    found = log_of("claude", message, result(permission_denials=[{"tool_name": "AskUserQuestion"}])).outcome(0)
    assert (found.verdict, found.reason) == ("asked", "it asked: Which?")


@pytest.mark.parametrize(
    "text", ["Shall I use tabs?", "I see two ways.\n**Which one do you want?**", "使いますか？", "أي ملف؟"]
)
def test_a_question_and_nothing_else_is_asked(text: str) -> None:
    """An agent that ends with a question, without a tool used or a file changed, has asked."""
    item = {"type": "item.completed", "item": {"type": "agent_message", "text": text}}
    done = {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
    assert log_of("codex", {"type": "turn.started"}, item, done).outcome(0).verdict == "asked"


def test_an_answer_without_text_or_work_is_nothing_done() -> None:
    """The agent ended normally and did nothing."""
    done = {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
    assert log_of("codex", {"type": "turn.started"}, done).outcome(0).verdict == "nothing_done"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(41, "bad_credentials"), (53, "max_turns"), (55, "permission_denied"), (144, "failed"), (145, "bad_credentials"),
     (147, "bad_credentials"), (173, "rate_limited"), (244, "overloaded"), (247, "overloaded"), (130, "interrupted")],
)  # fmt: skip
def test_gemini_has_codes_of_its_own(code: int, verdict: str) -> None:
    """Its exit code is the HTTP status modulo 256, or one of its own: 144 to 147 are not signals."""
    assert log_of("gemini", {"type": "init", "session_id": "s", "model": "m"}).outcome(code).verdict == verdict


def test_gemini_without_its_tools_has_done_nothing() -> None:
    """In its default mode it has no tool that changes anything, and exits with 0."""
    use = {"type": "tool_use", "tool_name": "write_file", "tool_id": "1", "parameters": {"file_path": "a"}}
    refused = {"type": "tool_result", "tool_id": "1", "status": "error", "error": {"type": "tool_not_registered"}}
    end = {"type": "result", "status": "success", "stats": {"input_tokens": 1}}
    assert log_of("gemini", use, refused, end).outcome(0).verdict == "nothing_done"


def step(reason: str, output: int = 5) -> list[dict[str, Any]]:
    part = {"reason": reason, "tokens": {"input": 1, "output": output}}
    return [{"type": "step_start", "part": {}}, {"type": "step_finish", "part": part}]


@pytest.mark.parametrize(
    ("reason", "verdict"), [("stop", "nothing_done"), ("length", "limit_reached"), ("content-filter", "refused")]
)
def test_opencode_says_why_its_last_step_ended(reason: str, verdict: str) -> None:
    """There is no end event after the last step."""
    assert log_of("opencode", *step(reason)).outcome(0).verdict == verdict


def test_opencode_that_retries_forever_is_hopeless() -> None:
    """A stream that breaks off is requested again without end, and may be billed each time."""
    log = log_of("opencode", *(event for _ in range(12) for event in step("unknown", 0)))
    assert log.hopeless is not None
    assert log.hopeless.verdict == "overloaded"
    assert log.estimated
    assert log_of("opencode", *step("unknown", 0), *step("stop")).hopeless is None


def test_an_interrupt_is_reported_as_one() -> None:
    """codex ends with 1 on SIGINT, without a last event."""
    command = {"type": "command_execution", "command": "sleep 60", "status": "in_progress"}
    found = log_of("codex", {"type": "turn.started"}, {"type": "item.started", "item": command}).outcome(1)
    assert (found.verdict, found.estimated) == ("interrupted", True)


def test_aider_reports_rough_counts_at_its_limit() -> None:
    """What was used on the way into the limit is not lost."""
    words = ("Main model: openai/gpt-4o with diff edit format", "Model openai/gpt-4o has hit a token limit!",
             "Input tokens: ~2,406 of 128,000", "Output tokens: ~4 of 16,384")  # fmt: skip
    found = log_of("aider", *words).outcome(0)
    assert (found.verdict, found.token_usage, found.estimated) == ("limit_reached", TokenUsage(2406, 4), True)


def test_a_repeated_message_counts_once() -> None:
    """Each block of a message repeats its usage: the last value for an id counts."""
    usage = {"input_tokens": 100, "output_tokens": 1}
    lines = [{"type": "assistant", "message": {"id": "m1", "model": "m", "content": [], "usage": usage}}] * 3
    assert log_of("claude", *lines).usage.input_tokens == 100


def test_bad_credentials_show_before_the_agent_gives_up() -> None:
    """A wrong key fails at once instead of after eleven attempts in three minutes."""
    retry = {"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 10, "error_status": 401,
             "error": "authentication_failed", "retry_delay_ms": 500}  # fmt: skip
    log = log_of("claude", retry)
    assert log.hopeless is not None
    assert log.hopeless.verdict == "bad_credentials"
    assert log.step == "retry 1/10: authentication_failed in 0 s"
