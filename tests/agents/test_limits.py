"""Limits as claude and codex print them: the verdict, the time of the reset, and the model that is limited."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from printed import INIT, read, read_log, result

from nova_core.agents.reset_times import wait_in

AT = 1796196115
ENDED = {"is_error": True, "api_error_status": 429, "terminal_reason": "api_error", "modelUsage": {}}


def limited(kind: str, words: str) -> list[dict[str, Any]]:
    """What claude prints: an event, a message of its own, a result that calls itself a success."""
    info = {"status": "rejected", "resetsAt": AT, "rateLimitType": kind, "overageStatus": "rejected",
            "overageDisabledReason": "org_level_disabled", "isUsingOverage": False}  # fmt: skip
    own = {"id": "f2", "model": "<synthetic>", "role": "assistant", "content": [{"type": "text", "text": words}]}
    return [
        INIT, {"type": "rate_limit_event", "rate_limit_info": info},
        {"type": "assistant", "message": own, "error": "rate_limit", "session_id": "s1"}, result(result=words, **ENDED),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "words", "model"),
    [
        ("five_hour", "You've hit your session limit · resets 3pm (America/Bogota)", None),
        ("seven_day", "You've hit your weekly limit · resets Dec 2, 2:21am (America/Bogota)", None),
        ("seven_day_opus", "You've hit your Opus limit · resets Dec 2, 2:21am (America/Bogota)", "opus"),
        ("seven_day_sonnet", "You've hit your Sonnet limit · resets Dec 2, 2:21am (America/Bogota)", "sonnet"),
    ],
)
def test_claude_names_the_limit_in_an_event(kind: str, words: str, model: str | None) -> None:
    """The event has the exact time; a window of one model limits that model."""
    log = read_log("claude", *limited(kind, words))
    assert log.outcome(1, {}).verdict == "rate_limited"
    assert (log.resets_at, (log.limited_model or "").lower() or None) == (AT, model)
    assert log.windows[kind].used == 1.0
    assert read("claude", *limited(kind, words), code=0).verdict == "rate_limited"


CODEX = (
    "You’ve hit your usage limit. Upgrade to Pro (https://example.org/pro), visit https://example.org/u to purchase "
    "more credits or try again at {}."
)


@pytest.mark.parametrize(
    ("when", "zone", "hours"),
    [
        ("7:21 AM", "UTC", 2.35), ("7:21 AM", "America/Bogota", 7.35), ("7:21 AM", "Asia/Tokyo", 17.35),
        ("Dec 2nd, 2026 7:21 AM", "UTC", 50.35), ("Dec 2nd, 2026 7:21 AM", "Asia/Tokyo", 41.35),
    ],
)  # fmt: skip
def test_codex_names_the_time_on_the_clock_of_the_machine(
    when: str, zone: str, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a curly quotation mark, and a date if it is not today; a minute is waited for to its end."""
    words = CODEX.format(when)
    failed = {"type": "turn.failed", "error": {"message": words}}
    found = read(
        "codex", {"type": "thread.started", "thread_id": "t"}, {"type": "error", "message": words}, failed, code=1
    )
    assert found.verdict == "rate_limited"
    now = datetime(2026, 11, 30, 5, 0, tzinfo=UTC).timestamp()
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        wait = wait_in(found.reason, now)
    time.tzset()
    assert wait is not None
    assert abs(wait / 3600 - hours) <= 0.02


@pytest.mark.parametrize(
    ("agent", "words", "verdict"),
    [
        ("claude", "Spending cap reached resets 12am", "rate_limited"),
        ("claude", "Claude AI usage limit reached|1796196115", "rate_limited"),
        ("pi", "No API key found for anthropic.", "bad_credentials"),
        ("copilot", "Error: No authentication information found.", "bad_credentials"),
    ],
)
def test_words_alone_are_enough(agent: str, words: str, verdict: str) -> None:
    """Nothing but a line, and exit code 1."""
    assert read(agent, words, code=1).verdict == verdict


def test_more_output_than_allowed_is_a_limit() -> None:
    """Not a failure that could be tried again in the same way."""
    words = "API Error: Claude's response exceeded the 32000 output token maximum."
    assert read("claude", INIT, result(result=words, is_error=True), code=1).verdict == "limit_reached"
