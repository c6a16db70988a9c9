"""Failures that only words show, whatever the status, the exit code and the form; and the same words as a quotation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from printed import INIT, of_model, read, result, step

from nova_core.agents.signs import THIS_MODEL, is_race, limited_model

# fmt: off
CLAUDE: dict[str, list[str]] = {
    "rate_limited": [
        "You've hit your session limit · resets 3pm (America/Bogota)",
        "You’ve hit your session limit ∙ resets 3pm",
        "Session limit reached ∙ resets 3pm",
        "5-hour limit reached ∙ resets 3pm /upgrade to increase your usage limit",
        "You've hit your weekly limit · resets Dec 2, 10:59am (America/New_York)",
        "You've exceeded your weekly limit",
        "Opus weekly limit reached ∙ resets Monday 9am",
        "You've reached your Opus limit · resets 9pm (Europe/Berlin)",
        "You've hit your limit for Opus · resets tomorrow at 9am",
        "You're out of extra usage · resets 6pm (Asia/Shanghai)",
        "You're now out of extra usage",
        "You've used all of your extra usage",
        "You've hit your extra usage spend limit",
        "Extra usage limit reached",
        "Your organization has reached its monthly spend limit",
        "Your org has hit its monthly usage limit",
        "You've hit your org's monthly usage limit",
        "Spending cap reached · resets Jan 1",
        "Usage credits exhausted · resets Jan 1",
        "API Error: 429 Too many tokens, please wait before trying again.",
        "Your 5-hour usage window is exhausted. Resets in 2h 14m.",
        "You've run out of extra usage · resets Dec 3",
        "Claude usage limit reached. Your limit will reset at 3pm (Europe/Berlin).",
        "Claude AI usage limit reached|1999999999",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
        "API Error: Rate limit reached",
        "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited",
        'API Error: 429 {"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your '
        "organization's rate limit of 50,000 input tokens per minute. Please reduce the prompt length or the maximum "
        'tokens requested, or try again later."}}',
    ],
    "bad_credentials": [
        "OAuth token revoked · Please run /login",
        "OAuth token has expired. Please obtain a new token",
        "Login expired · Please run /login",
        "Invalid API key · Fix external API key",
        "Not logged in · Please run /login",
        "Failed to authenticate. API Error: 401 token expired",
        "Credit balance is too low",
        'API Error: 400 {"type":"error","error":{"message":"Your credit balance is too low to access the API."}}',
        "This organization has been disabled.",
        "OAuth authentication is currently not supported.",
        "API Error: Could not load credentials from any providers",
        "API Error: 400 Access denied, please make sure your account is in good standing. (Arrearage)",
        'API Error: 429 {"error":{"code":"1113","message":"余额不足或无可用资源包,请充值。"}}',
    ],
    "refused": [
        "API Error: Claude Code is unable to respond to this request, which appears to violate our Usage Policy "
        "(https://x/aup). Try rephrasing the request or attempting a different approach.",
    ],
    "limit_reached": [
        "Prompt is too long",
        "Conversation too long. Press esc twice to go up a few messages and try again.",
        "Context limit reached · /compact or /clear to continue",
        "API Error: 400 input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "Request too large (max 32MB)",
    ],
    "overloaded": [
        "API Error: Connection error.",
        "API Error: Repeated 529 Overloaded errors",
        "API Error: 500 Internal server error",
        "API Error: Internal server error. Request ID: req_011-429-9",
        "API Error: Request timed out.",
        "API Error: The socket connection was closed unexpectedly",
        "Unable to connect to API due to poor internet connection",
    ],
}
CODEX: dict[str, list[str]] = {
    "rate_limited": [
        "You’ve hit your usage limit. Upgrade to Pro (https://x/pro), visit https://x to purchase more credits or try "
        "again at Dec 2nd, 2026 7:21 AM.",
        "You've hit your usage limit for GPT-5.3-Codex-Spark. Switch to another model now, or try again at 7:21 AM.",
        "Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000, Used 29000. Please try again in 12.4s.",
        "exceeded retry limit, last status: 429 Too Many Requests, request id: x",
        "Your workspace has reached its spend limit.",
        "Quota exceeded. Check your plan and billing details.",
        "You have no usage left. Your limit resets Thursday at 3:00 PM.",
    ],
    "bad_credentials": [
        "Your access token could not be refreshed because your refresh token was already used. Please sign in again.",
        "Your access token could not be refreshed because your refresh token has expired. Please sign in again.",
        "Failed to refresh token: 401 Unauthorized",
        "unexpected status 401 Unauthorized: Incorrect API key provided: sk-x",
        "You exceeded your current quota, please check your plan and billing details. (insufficient_quota)",
        "Your workspace is out of credits. Ask your workspace owner to refill.",
        "You're out of Codex credits. Purchase more to continue.",
        "To use Codex with your ChatGPT plan, upgrade to Plus: https://x/pricing.",
    ],
    "limit_reached": [
        "Codex ran out of room in the model's context window. Start a new thread or clear earlier history.",
        'unexpected status 400 Bad Request: {"error":{"code":"context_length_exceeded","message":"Too much"}}',
        "Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 50000. The input or output tokens "
        "must be reduced in order to run successfully.",
    ],
    "overloaded": [
        "Selected model is at capacity. Please try a different model.",
        "We're currently experiencing high demand, which may cause temporary errors.",
        "stream disconnected before completion: error sending request",
        "unexpected status 503 Service Unavailable: upstream connect error",
    ],
    "over_budget": ["shared rollout token budget exhausted"],
}
GEMINI: dict[str, list[str]] = {
    "rate_limited": [
        "You have exhausted your capacity on this model. Your quota will reset after 18h53m12s.",
        '[API Error: {"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}]',
        "You exceeded your current quota, please check your plan and billing details. Quota exceeded for metric: "
        "generate_content_free_tier_requests, limit: 20, model: gemini-2.5-flash. Please retry in 34.07s.",
    ],
    "bad_credentials": [
        '[API Error: {"error":{"code":400,"message":"API key expired. Please renew it.","status":"INVALID_ARGUMENT"}}]',
        "When using Gemini API, you must specify the GEMINI_API_KEY environment variable. Invalid API key.",
    ],
    "limit_reached": ["The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."],
    "overloaded": ['[API Error: {"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]'],
}
OPENCODE: dict[str, list[tuple[str, int | None]]] = {
    "rate_limited": [("Monthly usage limit reached", 429), ("You have exceeded your weekly quota", 403),
                     ("You've reached your usage limit for this billing cycle", 403), ("Rate limit exceeded", None)],
    "bad_credentials": [("Your credit balance is too low. Please go to Plans & Billing.", 400), ("Forbidden", 403),
                        ("The API key you provided is invalid", 400), ("insufficient_quota", 429),
                        ("This request requires more credits, or fewer max_tokens.", 402), ("User not found.", 401)],
    "limit_reached": [("prompt is too long: 210000 tokens > 200000 maximum", 400), ("input is too long", 500),
                      ("This model's maximum context length is 128000 tokens", None), ("Too large", 413)],
    "overloaded": [("Overloaded", 529), ("Internal server error", 500), ("Unable to connect. Is it reachable?", None)],
    "failed": [("mock: invalid request", 400), ("model not found", 404)],
}
AIDER: dict[str, list[str]] = {
    "rate_limited": ["RateLimitError: RateLimitError: OpenAIException - Rate limit reached"],
    "bad_credentials": ["RateLimitError: OpenAIException - You exceeded your current quota. insufficient_quota",
                        'BadRequestError: AnthropicException - {"error":{"message":"Your credit balance is too low"}}',
                        "APIError: OpenrouterException - Insufficient credits"],
    "limit_reached": ["BadRequestError: AnthropicException - prompt is too long: 210000 tokens"],
    "failed": ["NotFoundError: no such model"],
}
# fmt: on


def pairs(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(verdict, words) for verdict, all_words in table.items() for words in all_words]


def own(words: str, **fields: Any) -> dict[str, Any]:
    """What claude says itself."""
    message = {"id": "s1", "model": "<synthetic>", "content": [{"type": "text", "text": words}], "usage": {}}
    return {"type": "assistant", "message": message, **fields}


def speech(words: str) -> dict[str, Any]:
    """What the model says."""
    message = {"id": "m1", "model": "claude-opus-5-5", "content": [{"type": "text", "text": words}], "usage": {}}
    return {"type": "assistant", "message": message, "parent_tool_use_id": None}


def end(words: str, **fields: Any) -> dict[str, Any]:
    return result(result=words, usage={}, modelUsage={}, model_usage_since_last_result={}, **fields)


@pytest.mark.parametrize(("verdict", "words"), pairs(CLAUDE))
def test_claude_says_itself_why_it_failed(verdict: str, words: str) -> None:
    """With or without `is_error`, a status, earlier work, a result or events at all, and with every exit code."""
    status = 429 if verdict == "rate_limited" else 400
    assert {
        "words": read("claude", INIT, own(words), end(words, is_error=True), code=1).verdict,
        "status": read("claude", INIT, own(words), end(words, is_error=True, api_error_status=status), code=1).verdict,
        "a success": read("claude", INIT, own(words), end(words)).verdict,
        "a success after work": read("claude", INIT, speech("I look."), own(words), end(words)).verdict,
        "no result": read("claude", INIT, own(words), code=1).verdict,
        "one document": read("claude", end(words)).verdict,
        "text": read("claude", words, code=1).verdict,
        "text, exit code 0": read("claude", words).verdict,
    } == dict.fromkeys(
        ("words", "status", "a success", "a success after work", "no result", "one document", "text",
         "text, exit code 0"), verdict
    )  # fmt: skip


THREAD: list[dict[str, Any]] = [{"type": "thread.started", "thread_id": "t"}, {"type": "turn.started"}]


@pytest.mark.parametrize(("verdict", "words"), pairs(CODEX))
def test_codex_says_why_a_turn_failed(verdict: str, words: str) -> None:
    """As the end of a turn, as its last event, or as text; with every exit code."""
    error, failed = {"type": "error", "message": words}, {"type": "turn.failed", "error": {"message": words}}
    assert [
        *(read("codex", *THREAD, error, failed, code=code).verdict for code in (0, 1)),
        *(read("codex", *THREAD, error, code=code).verdict for code in (0, 1)),
        *(read("codex", f"ERROR: {words}", code=code).verdict for code in (0, 1)),
    ] == [verdict] * 6


@pytest.mark.parametrize(("verdict", "words"), pairs(GEMINI))
def test_gemini_says_why_there_is_no_answer(verdict: str, words: str) -> None:
    """In its result, in an event before it, or as text; with every exit code."""
    begun = {"type": "init", "session_id": "s1", "model": "gemini-2.5-pro"}
    failed = {"type": "result", "status": "error", "error": {"type": "Error", "message": words}, "stats": {}}
    event = {"type": "error", "severity": "error", "message": words}
    text = f"Error when talking to Gemini API Full report available at: /r.json ApiError: {words}"
    assert [
        *(read("gemini", begun, failed, code=code).verdict for code in (0, 1)),
        read("gemini", begun, event, {"type": "result", "status": "error", "stats": {}}).verdict,
        *(read("gemini", "Loaded cached credentials.", text, code=code).verdict for code in (0, 1)),
    ] == [verdict] * 5


@pytest.mark.parametrize(("verdict", "report"), pairs(OPENCODE))
def test_opencode_reports_a_status_and_words(verdict: str, report: tuple[str, int | None]) -> None:
    """One status means several things, and some errors have none."""
    words, status = report
    data = {"message": words, **({"statusCode": status} if status else {})}
    error = {"type": "error", "sessionID": "s1", "error": {"name": "APIError", "data": data}}
    start = {"type": "step_start", "sessionID": "s1", "part": {}}
    assert [read("opencode", start, error, code=code).verdict for code in (0, 1)] == [verdict] * 2


@pytest.mark.parametrize(("verdict", "words"), pairs(AIDER))
def test_aider_names_an_error_and_says_which(verdict: str, words: str) -> None:
    """The name of the error is litellm's; the provider's words behind it are more exact."""
    assert read("aider", "Aider v0.86.2", "Main model: m with diff edit format", f"litellm.{words}").verdict == verdict


# quotations


QUOTED = [words for table in (CLAUDE, CODEX, GEMINI) for _, words in pairs(table)]
QUOTES = st.sampled_from(QUOTED) | st.tuples(st.sampled_from(QUOTED), st.text(max_size=20)).map(": ".join)


def of_claude(words: str) -> list[dict[str, Any]]:
    block = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": words}}
    used = {"type": "tool_result", "tool_use_id": "t1", "content": words, "is_error": True}
    work = {"type": "assistant", "message": {"id": "m0", "model": "claude-opus-5-5", "content": [block]}}
    told = result(result=words, model_usage_since_last_result=of_model(1, 2))
    return [INIT, work, {"type": "user", "message": {"content": [used]}}, speech(words), told]


def of_codex(words: str) -> list[dict[str, Any]]:
    command = {"type": "command_execution", "command": words, "aggregated_output": words, "exit_code": 1}
    said = {"type": "agent_message", "text": words}
    items = [{"type": "item.completed", "item": item} for item in (command, said)]
    return [*THREAD, *items, {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}]


def of_gemini(words: str) -> list[dict[str, Any]]:
    call = {"type": "tool_use", "tool_name": "run", "tool_id": "t", "parameters": {"command": words}}
    done = {"type": "tool_result", "tool_id": "t", "status": "success", "output": words}
    told = {"type": "result", "status": "success", "stats": {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2}}
    return [{"type": "init", "session_id": "s"}, call, done,
            {"type": "message", "role": "assistant", "content": words}, told]  # fmt: skip


def of_opencode(words: str) -> list[dict[str, Any]]:
    done = {"tool": "bash", "state": {"status": "completed", "input": {"command": words}, "output": words}}
    steps = [*step("tool-calls", done), *step("stop")]
    steps[-2]["part"]["text"] = words
    return steps


@pytest.mark.parametrize(
    ("agent", "events"), [("claude", of_claude), ("codex", of_codex), ("gemini", of_gemini), ("opencode", of_opencode)]
)
@given(words=QUOTES)
def test_a_quotation_is_no_failure(agent: str, events: Any, words: str) -> None:
    """What the model says, types and reads back about limits, keys and errors is its work."""
    assert read(agent, *events(words)).verdict == "done"


@pytest.mark.parametrize(
    "words",
    [
        '"You\'ve hit your usage limit" is what the page says now.',
        "`API Error: 429` is explained in docs/errors.md.",
        "The rate limit reached by the test is now configurable.",
        "Invalid API key errors are reported with exit code 2.",
        "OAuth token handling was added.",
        "Prompt is too long for small models, so I split it.",
        "Usage limit tests pass.",
        "Error handling was added.\nEverything passes.",
        "I looked.\nError: the old message, is gone.",
        "> API Error: Connection error.\nis what it printed before.",
    ],
)
def test_an_answer_about_errors_is_no_error(words: str) -> None:
    """Text alone is an error only if it consists of nothing else."""
    for agent in ("claude", "codex", "gemini", "opencode"):
        assert read(agent, *words.splitlines()).verdict == "done"


# what else a message means


@pytest.mark.parametrize(
    ("words", "model"),
    [
        ("You've reached your Opus limit · resets 9pm", "Opus"),
        ("Opus 4.5 weekly limit reached ∙ resets Monday 9am", "Opus"),
        ("You've hit your weekly Sonnet limit", "Sonnet"),
        ("You've hit your limit for Opus", "Opus"),
        ("You’ve hit your usage limit for GPT-5.3-Codex-Spark. Switch to another model", "GPT-5.3-Codex-Spark"),
        ("Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000", "gpt-5"),
        ("Quota exceeded for metric: x, limit: 20, model: gemini-2.5-flash", "gemini-2.5-flash"),
        ("You have reached your daily gemini-2.5-pro quota limit", "gemini-2.5-pro"),
        ("quota for gemini-3.8-pro exhausted", "gemini-3.8-pro"),
        ("You've used your Opus allowance for this week", "Opus"),
        ("deepseek/deepseek-r1:free is temporarily rate-limited upstream", "deepseek/deepseek-r1:free"),
        ("You have exhausted your capacity on this model.", THIS_MODEL),
        ("This model is currently overloaded", THIS_MODEL),
        ("Selected model is at capacity. Please try a different model.", THIS_MODEL),
        ("You've hit your session limit · resets 3pm", None),
        ("Rate limit reached for organization org-123", None),
        ("Rate limit exceeded for org-abc123", None),
        ("usage limit reached for user-42", None),
        ("You've hit your usage limit. Upgrade to Pro", None),
    ],
)
def test_a_limit_may_be_that_of_one_model(words: str, model: str | None) -> None:
    """Other models of the provider have limits of their own."""
    assert limited_model(words) == model


@pytest.mark.parametrize(
    ("words", "race"),
    [
        ("Your access token could not be refreshed because your refresh token was already used.", True),
        ("refresh_token_reused", True),
        ("the token was refreshed by another process", True),
        ("Your access token could not be refreshed because your refresh token has expired.", False),
        ("OAuth token revoked · Please run /login", False),
    ],
)
def test_a_race_for_a_login_is_no_bad_login(words: str, race: bool) -> None:
    """Of several agents that renew one login, the last ones come with a token that is used up."""
    assert is_race(words) is race
