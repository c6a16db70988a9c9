"""What agents report of their limits before these are reached."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from nova_core.agents import FORMATS
from nova_core.agents.records import CodexRecords
from nova_core.agents.windows import Window, codex_windows

AT = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)


def windows_of(lines: Iterable[bytes], since: float) -> dict[str, Window]:
    records = CodexRecords(since)
    for line in lines:
        records.feed(line)
    return records.found.windows


def events(*infos: dict[str, Any]) -> dict[str, Window]:
    log = FORMATS["claude"]()
    for info in infos:
        log.feed(json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode() + b"\n")
    return log.windows


@pytest.mark.parametrize(
    ("info", "window"),
    [
        ({"status": "allowed", "rateLimitType": "five_hour", "utilization": 0.4, "resetsAt": 5}, Window(0.4, 5)),
        ({"status": "allowed_warning", "rateLimitType": "seven_day", "utilization": 0.9}, Window(0.9)),
        ({"status": "rejected", "rateLimitType": "seven_day_opus", "resetsAt": 7}, Window(1.0, 7)),
        ({"status": "allowed", "rateLimitType": "five_hour", "resetsAt": 5}, Window(None, 5)),
        ({"status": "allowed", "rateLimitType": "five_hour", "utilization": 7}, Window(1.0)),
        ({"status": "allowed", "rateLimitType": "x\x1b[31m", "utilization": 0.4}, None),
        ({"status": "allowed", "rateLimitType": ["five_hour"]}, None),
        ({}, None),
    ],
)
def test_claude_reports_a_window_in_an_event(info: dict[str, Any], window: Window | None) -> None:
    """Allowed, nearly used up, or used up; an odd name is left out."""
    assert list(events(info).values()) == ([window] if window else [])


def test_the_last_report_of_a_window_counts() -> None:
    """Each window for itself; their number is limited."""
    five = {"status": "allowed", "rateLimitType": "five_hour", "utilization": 0.1}
    week = {"status": "allowed", "rateLimitType": "seven_day", "utilization": 0.2}
    assert events(five, week, {**five, "utilization": 0.3}) == {"five_hour": Window(0.3), "seven_day": Window(0.2)}
    assert len(events(*({**five, "rateLimitType": f"w{number}"} for number in range(100)))) == 20


def rollout(*limits: dict[str, Any] | None) -> list[bytes]:
    return [
        json.dumps(
            {"timestamp": AT.isoformat(), "type": "event_msg", "payload": {"type": "token_count", "rate_limits": limit}}
        ).encode()
        for limit in limits
    ]


def test_codex_reports_its_windows_in_its_own_records() -> None:
    """By their length; the reset is a time, or seconds from then."""
    first = {"primary": {"used_percent": 12.5, "window_minutes": 300, "resets_at": 1796023305},
             "secondary": {"used_percent": 80, "window_minutes": 10080, "resets_in_seconds": 60}}  # fmt: skip
    later = {"primary": {"used_percent": 13.0, "window_minutes": 300, "resets_at": 1796023305}, "secondary": None}
    found = windows_of(rollout(first, later, None), 0.0)
    assert found == {"five_hour": Window(0.13, 1796023305), "seven_day": Window(0.8, AT.timestamp() + 60)}
    assert windows_of(rollout(first), AT.timestamp() + 1) == {}


@pytest.mark.parametrize(
    "limits", [{}, {"primary": []}, {"primary": {"used_percent": "12"}}, {"primary": {"window_minutes": 9}}]
)
def test_what_is_no_window_is_none(limits: dict[str, Any]) -> None:
    """Values of other types, and windows without a figure."""
    assert codex_windows(limits, 0.0) == {}
