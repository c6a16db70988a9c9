"""What a screen does when the run's plan loses what the screen shows."""

from __future__ import annotations

import pytest
from app_kit import beat, opened, settled
from fake_source import demo_source
from look import screen_text

from nova_core.parser import parse_text
from nova_tui.screens.group import GroupScreen

SMALL = """# Orbit

| Task ID | Task Name | What Changes | Depends On |
| --- | --- | --- | --- |
| P1 | Left | what | - |
"""


@pytest.mark.parametrize(
    ("keys", "stays"),
    [
        ("enter", "MainScreen"),
        ("L", "MainScreen"),
        ("enter x", "MainScreen"),
        ("d", "DepsScreen"),
        ("t", "TimelineScreen"),
        ("e", "EventsScreen"),
        ("dollar_sign", "CostScreen"),
        ("S", "SummaryScreen"),
    ],
)
async def test_a_task_leaves_the_plan_while_it_is_shown(keys: str, stays: str) -> None:
    """The screens of that task close with a message; the others show the rest."""
    source = demo_source()
    async with opened(source) as (app, pilot):
        app.go_to("E3")
        await pilot.press(*keys.split())
        source.replan(parse_text(SMALL, "CASCADE.md"))
        beat(app)
        app.main._rested()  # as the timer does that began when the cursor moved, whichever screen is in front
        await settled(pilot)
        assert type(app.screen).__name__ == stays
        told = [n.message for n in app._notifications if "no longer" in n.message]
        assert len(told) == (stays == "MainScreen")
        await pilot.press("j", "k")
        assert "E3" not in screen_text(app).splitlines()[-1]


@pytest.mark.parametrize(("of_branch", "stays"), [(False, "GroupScreen"), (True, "MainScreen")])
async def test_a_branch_leaves_the_plan_while_it_is_shown(of_branch: bool, stays: str) -> None:
    """A group that still exists has other members."""
    source = demo_source()
    async with opened(source) as (app, pilot):
        known = next(iter(app.model.cascade.branches))
        app.push_screen(GroupScreen(app.model, known if of_branch else None))
        await settled(pilot)
        source.replan(parse_text(SMALL, "CASCADE.md"))
        beat(app)
        await settled(pilot)
        assert type(app.screen).__name__ == stays
        app.clear_notifications()
        beat(app)
        await settled(pilot)
        assert "P1 Left" in screen_text(app)
