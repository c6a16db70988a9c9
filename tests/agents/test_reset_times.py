"""The times that agents name for the end of a limit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.agents.reset_times import wait_in
from nova_core.clock import zone

NOW = datetime(2026, 11, 30, 5, 21, 50, tzinfo=UTC).timestamp()  # a Monday; 00:21:50 in Bogota


@pytest.fixture(params=["America/Bogota", "Asia/Kolkata", "UTC"])
def offset(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[timedelta]:
    """The machine is in each of three zones; how far its clock is ahead of UTC."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield datetime.fromtimestamp(NOW).astimezone().utcoffset() or timedelta()
    monkeypatch.undo()
    time.tzset()


def end(words: str, now: float = NOW) -> str | None:
    """The moment that the words name, in UTC."""
    wait = wait_in(words, now, zone)
    return None if wait is None else f"{datetime.fromtimestamp(round(now + wait), UTC):%Y-%m-%d %H:%M:%S}"


# A minute counts to its end: agents cut the seconds off.
@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("You've hit your session limit · resets 3pm (America/Bogota)", "2026-11-30 20:01:00"),
        ("5-hour limit reached ∙ resets 2:21am (America/Bogota)", "2026-11-30 07:22:00"),
        ("You're out of extra usage · resets 6pm (Asia/Shanghai)", "2026-11-30 10:01:00"),
        ("resets 15:00 (Europe/Berlin)", "2026-11-30 14:01:00"),
        ("resets 0:21 (America/Argentina/Buenos_Aires)", "2026-12-01 03:22:00"),
        ("You've hit your weekly limit · resets Dec 2, 10:59am (America/New_York)", "2026-12-02 16:00:00"),
        ("limit reached · resets Dec 2 at 9:30 a.m. (UTC)", "2026-12-02 09:31:00"),
        ("try again on 2 December 2026, 07:28 GMT", "2026-12-02 07:29:00"),
        ("try again at December 2nd 2026 3:05 PM PST", "2026-12-02 23:06:00"),
        ("Your limit resets Jan 3, 9am (UTC)", "2027-01-03 09:01:00"),
        ("resets 12/2/2026, 7:21:45 AM UTC", "2026-12-02 07:21:45"),
        ("resets Wed Dec 02 2026 07:21:45 GMT-0500 (Colombia Standard Time)", "2026-12-02 12:21:45"),
        ("resets at 2026-12-02T07:21:45Z", "2026-12-02 07:21:45"),
        ("resets at 2026-12-02T07:21:45.123+05:30", "2026-12-02 01:51:45"),
        ("reset_at: 2026-12-02 07:21:45 -0500", "2026-12-02 12:21:45"),
        ("You will regain access on 2026-12-01 at 00:00 UTC.", "2026-12-01 00:01:00"),
        ("resets at 3:30 PM UTC+2", "2026-11-30 13:31:00"),
        ("resets 9am GMT+5:30", "2026-12-01 03:31:00"),
        ("resets 3pm PST", "2026-11-30 23:01:00"),
        ("resets 3 pm Pacific Time", "2026-11-30 23:01:00"),
        ("quota resets at midnight Pacific Time", "2026-11-30 08:00:00"),
        ("resets daily at midnight UTC", "2026-12-01 00:00:00"),
        ("available again tomorrow at 9am (Europe/Berlin)", "2026-12-01 08:01:00"),
        ("resets Tomorrow, 9:00 UTC", "2026-12-01 09:01:00"),
        ("resets Monday at 9am (Europe/Berlin)", "2026-11-30 08:01:00"),
        ("resets Mon 1am (Europe/Berlin)", "2026-12-07 00:01:00"),
        ("resets Tue 3pm (UTC)", "2026-12-01 15:01:00"),
        ("Opus is available again on Thursday, 15:00 UTC", "2026-12-03 15:01:00"),
        ("resets 3pm UTC on Wednesday", "2026-12-02 15:01:00"),
        ("resets at noon (UTC)", "2026-11-30 12:00:00"),
        ("retry-after: Wed, 02 Dec 2026 07:28:00 GMT", "2026-12-02 07:28:00"),
        ("Claude AI usage limit reached|1796023305", "2026-11-30 07:21:45"),
        ("usage limit reached|1796023305000", "2026-11-30 07:21:45"),
        ('{"type": "usage_limit_reached", "resets_at": 1796023305}', "2026-11-30 07:21:45"),
        ("anthropic-ratelimit-unified-reset: 1796023305", "2026-11-30 07:21:45"),
        ("usage limit reached|1695222800", "2026-11-30 05:21:50"),
        ("resets ３pm (UTC)", "2026-11-30 15:01:00"),
        ("resets at １５：００ UTC", "2026-11-30 15:01:00"),
        ("resets at ١٥:٠٠ UTC", "2026-11-30 15:01:00"),
        ("resets at 15h30 (Europe/Paris)", "2026-11-30 14:31:00"),
        ("resets 24:00 UTC", "2026-12-01 00:01:00"),
        ("resets Dec 2 · 9am (UTC)", "2026-12-02 09:01:00"),
        ("available again on 12/2 at 9am UTC", "2026-12-02 09:01:00"),
        ("resets on 02/12/2026 at 09:00 UTC", "2026-12-02 09:01:00"),
        ("resets next Monday at 9am UTC", "2026-12-07 09:01:00"),
        ("resets this Thursday at 9am UTC", "2026-12-03 09:01:00"),
        ("resets weekly on Mondays at 9am UTC", "2026-11-30 09:01:00"),
        ("resets every day at 08:00 UTC", "2026-11-30 08:01:00"),
        ("you're back at 3pm UTC", "2026-11-30 15:01:00"),
        ("Opus unlocks at 3pm UTC", "2026-11-30 15:01:00"),
        ("the limit ends at 3pm UTC", "2026-11-30 15:01:00"),
    ],
)
def test_a_message_that_names_a_zone_means_that_zone(words: str, moment: str, offset: timedelta) -> None:
    """Clock times with the name of a zone or an offset, and absolute times: the machine's own zone changes nothing."""
    assert end(words) == moment


@pytest.mark.parametrize(
    ("words", "local"),
    [
        ("You’ve hit your usage limit. Upgrade to Pro or try again at 7:21 PM.", "11-30 19:22:00"),
        ("try again at 7:21\u202fPM.", "11-30 19:22:00"),
        ("purchase more credits or try again at Dec 2nd, 2026 7:21 AM.", "12-02 07:22:00"),
        ("5-hour limit reached ∙ resets 11pm", "11-30 23:01:00"),
        ("resets at 23:00", "11-30 23:01:00"),
        ("resets Dec 2 at 3pm", "12-02 15:01:00"),
        ("resets tomorrow at 9am", "12-01 09:01:00"),
        ("resets 2026-12-02 07:21:45", "12-02 07:21:45"),
        ("resets Wednesday", "12-02 00:00:00"),
        ("resets Dec 2", "12-02 00:00:00"),
        ("resets on the 1st", "12-01 00:00:00"),
        ("limit resets next month", "12-01 00:00:00"),
        ("will reset at the beginning of next month", "12-01 00:00:00"),
        ("resets on the first of next month", "12-01 00:00:00"),
        ("Your limits will refresh on Dec 2, 2026", "12-02 00:00:00"),
        ("您的限额将在 2026-12-02 20:23:22 重置。", "12-02 20:23:22"),
        ("limit resets today", "12-01 00:00:00"),
        ("resets 3pm (Nowhere/Atlantis)", "11-30 15:01:00"),
    ],
)
def test_a_message_without_a_zone_means_the_machines(words: str, local: str, offset: timedelta) -> None:
    """As agents print their local time; so does a zone that the machine does not know."""
    moment = end(words)
    assert moment is not None
    assert f"{datetime.fromisoformat(moment) + offset:%m-%d %H:%M:%S}" == local


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 1.5s", 1.5),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("Rate limit reached. Please try again in 6m0s.", 360.0),
        ("try again in 3 days 5 hours 2 minutes", 3 * 86400 + 5 * 3600 + 120),
        ("try again in 3 days, 5 hours, and 2 minutes", 3 * 86400 + 5 * 3600 + 120),
        ("Your quota will reset after 3h12m5s.", 3 * 3600 + 12 * 60 + 5),
        ("try again in 20 ms", 0.02),
        ("try again in an hour", 3600.0),
        ("resets in half an hour", 1800.0),
        ("You can continue in 2 hours", 7200.0),
        ("x-ratelimit-reset: 60", 60.0),
        ("try again in about 2 weeks", 14 * 86400.0),
        ("Please wait 30 seconds", 30.0),
        ("please try again later. Your limit resets in 4:32:10", 4 * 3600 + 32 * 60 + 10),
        ("available in PT3H12M5S", 3 * 3600 + 12 * 60 + 5),
        ("Retry-After: 120", 120.0),
        ("retry after 2.5", 2.5),
        ("retry-after-ms: 500", 0.5),
        ('"retryDelay": "34s"', 34.0),
        ('"resets_in_seconds":7200', 7200.0),
        ("x-ratelimit-reset-requests: 6m0s", 360.0),
        ("resets at 99pm", None),
        ("resets 13pm", None),
        ("resets at 2026-99-21T02:00", None),
        ("resets Feb 31", None),
        ("resets every 5 hours", None),
        ("refresh token 3 days old", None),
        ("rate limit", None),
        ("try again later", None),
        ("try again in " + "9" * 5000, None),
    ],
)
def test_a_message_names_a_duration_or_nothing(words: str, seconds: float | None) -> None:
    """When to try again, in the forms the providers use; what is no time is none."""
    assert wait_in(words, NOW) == (None if seconds is None else pytest.approx(seconds))


def test_a_named_minute_is_waited_for_to_its_end() -> None:
    """Said within the minute it names, a clock time is now and not tomorrow."""
    now = datetime(2026, 11, 30, 15, 0, 20, tzinfo=UTC).timestamp()
    assert wait_in("resets 3pm (UTC)", now, zone) == 40.0
    assert wait_in("resets 3pm (UTC)", now + 41, zone) == 86400.0 - 1


def test_summer_time_ends_between_now_and_the_reset() -> None:
    """The clock time counts, not the hours between."""
    now = datetime(2026, 10, 31, 20, 0, tzinfo=UTC).timestamp()  # 16:00 in New York, the day before the change
    assert end("resets Nov 1, 3pm (America/New_York)", now) == "2026-11-01 20:01:00"


@given(st.text(alphabet="0123456789:./-+ apmTZdhsJanDec2retryesonitgl,()|", max_size=80), st.integers(0, 2 * 10**9))
def test_no_text_breaks_the_reading(words: str, now: int) -> None:
    """Any text yields a time that is not in the past, or none."""
    assert (wait_in(f"resets {words}", now, zone) or 0.0) >= 0
