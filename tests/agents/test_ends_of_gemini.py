"""Modes and ends of gemini that the captures do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from printed import read

from nova_core.model import TokenUsage

BEGUN = {"type": "init", "session_id": "s1", "model": "gemini-2.5-pro"}


def ended(status: str, tokens: int = 0, **fields: Any) -> dict[str, Any]:
    told = {"total_tokens": tokens + 1, "input_tokens": tokens, "output_tokens": 1, "cached": 0}
    return {"type": "result", "status": status, "stats": {**told, "models": {"gemini-2.5-pro": told}}, **fields}


def problem(words: str) -> dict[str, Any]:
    return {"type": "error", "severity": "error", "message": words}


def test_gemini_in_an_endless_loop_is_not_done() -> None:
    """gemini stops itself in the middle of an answer and reports success; no figure includes the answer."""
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
def test_gemini_says_in_text_why_there_is_no_answer(words: str, verdict: str, estimated: bool) -> None:
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
    """The provider sends the same status for a wrong key; the text distinguishes the two."""
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
    """The error is on standard error then, after a stack trace, without tokens."""
    error = {"type": "Error", "message": '{"error":{"code":401,"message":"mock: invalid api key"}}', "code": 401}
    document = json.dumps({"session_id": "s1", "error": error}, indent=2)
    found = read("gemini", *NOISE, "Error when talking to Gemini API {", "  status: 401", "}", document, code=None)
    assert (found.verdict, found.session_id, found.estimated) == ("bad_credentials", "s1", True)


def test_gemini_that_printed_only_noise_did_nothing() -> None:
    """gemini also exits with 0 when a signal ends it."""
    assert read("gemini", *NOISE).verdict == "nothing_done"
    assert read("gemini", *NOISE, "NOVA-FINAL: wrote.").final_text == "NOVA-FINAL: wrote."


def test_gemini_text_mode_reports_errors_on_standard_error() -> None:
    """Its default output: exit code 0 without an answer, and 1 for any error of its model server."""
    empty = read("gemini", *NOISE, "[ERROR] Model stream ended without a finish reason.")
    assert (empty.verdict, empty.reason) == ("overloaded", "Model stream ended without a finish reason.")
    retry = 'Attempt 1 failed with status 503. Retrying with backoff... _ApiError: {"error":{"code":503}}'
    last = "Error when talking to Gemini API Full report available at: /r.json RetryableQuotaError: mock: overloaded"
    assert read("gemini", *NOISE, retry, last, code=1).verdict == "overloaded"
    assert read("gemini", *NOISE, retry, "NOVA-FINAL: got over it.").verdict == "done"
