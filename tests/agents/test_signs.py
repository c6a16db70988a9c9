"""Errors of model servers: what kind of error, and when to try again."""

from __future__ import annotations

import pytest

from nova_core.agents.signs import verdict_of_status, verdict_of_words, wait_in

NOW = 1_795_219_200.0  # 2026-11-21T00:00:00Z


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, None), (400, "failed"), (401, "bad_credentials"), (403, "bad_credentials"), (404, "failed"),
     (413, "limit_reached"), (429, "rate_limited"), (500, "overloaded"), (503, "overloaded"), (529, "overloaded")],
)  # fmt: skip
def test_a_status_has_a_verdict(status: int, verdict: str | None) -> None:
    """HTTP statuses, RFC 9110 and 6585, and 529, which model servers use for overload."""
    assert verdict_of_status(status) == verdict


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("exceeded retry limit, last status: 429 Too Many Requests", "rate_limited"),
        ("You've hit your usage limit. Try again in 3 days.", "rate_limited"),
        ("Claude AI usage limit reached|1795222800", "rate_limited"),
        ("unexpected status 401 Unauthorized: invalid api key", "bad_credentials"),
        ("Not logged in · Please run /login", "bad_credentials"),
        ("Credit balance is too low", "bad_credentials"),
        ("We're currently experiencing high demand, which may cause temporary errors.", "overloaded"),
        ("stream disconnected before completion", "overloaded"),
        ("Reconnecting... waiting for network (Connection failed: error sending request)", "overloaded"),
        ("TypeError: fetch failed", "overloaded"),
        ("This model's maximum context length is 128000 tokens", "limit_reached"),
        ("the model does not exist", None),
        ("", None),
    ],
)
def test_messages_have_a_verdict(words: str, verdict: str | None) -> None:
    """Messages as real agents print them."""
    assert verdict_of_words(words) == verdict


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 1.5s", 1.5),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("try again in 3 days 5 hours 2 minutes", 3 * 86400 + 5 * 3600 + 120),
        ("Your quota will reset after 3h12m5s.", 3 * 3600 + 12 * 60 + 5),
        ("try again in 20 ms", 0.02),
        ("usage limit reached|1795222800", 3600.0),
        ("usage limit reached|1695222800", 0.0),
        ("resets at 2026-11-21T02:00:00Z", 7200.0),
        ("You've hit your limit · resets 3pm (UTC)", 15 * 3600),
        ("resets 12:30am", 1800.0),
        ("resets at 99pm", None),
        ("resets at 2026-99-21T02:00", None),
        ("rate limit", None),
        ("try again in " + "9" * 5000, None),
    ],
)
def test_messages_name_a_reset_time(words: str, seconds: float | None) -> None:
    """When to try again, in the forms the providers use."""
    assert wait_in(words, NOW) == seconds
