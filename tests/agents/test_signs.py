"""Errors of model servers: what kind of error."""

from __future__ import annotations

import pytest

from nova_core.agents.signs import verdict_of_status, verdict_of_words


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
