"""How much of the providers' limits is used, in words."""

from __future__ import annotations

import pytest

from nova_core.clock import iso, local_time
from nova_core.state.schema import RunState, Window
from nova_core.state.windows import window_lines

NOW = 1_796_000_000.0
LATER = iso(NOW + 3600)


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ({"five_hour": Window(0.9, LATER)}, f"5-hour limit 90% used, resets {local_time(LATER, NOW)}"),
        (
            {"seven_day": Window(0.25), "seven_day_opus": Window(1.0)},
            "weekly limit 25% used; weekly opus limit 100% used",
        ),
        ({"45_minutes": Window(0.0)}, "45 minutes limit 0% used"),
        ({"five_hour": Window(0.9, iso(NOW - 1))}, None),
        ({"five_hour": Window(0.9, "soon")}, None),
        ({"five_hour": Window(None, LATER)}, None),
        ({}, None),
    ],
)
def test_windows_are_shown_until_they_are_over(windows: dict[str, Window], words: str | None) -> None:
    """Each with its share and its reset; one without a share, or whose time is over, says nothing about now."""
    lines = window_lines(RunState(windows={"anthropic": windows}), NOW)
    assert lines == ([f"anthropic: {words}"] if words else [])
