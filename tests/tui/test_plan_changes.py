"""What a screen does when the run's plan loses what the screen shows."""

from __future__ import annotations

import pytest
from app_kit import answer, beat, opened, settled
from fake_source import demo_source
from look import screen_text
from sampling import some

from nova_core.parser import parse_text
from nova_tui.screens.group import GroupScreen

SMALL = """# Orbit

| Task ID | Task Name | What Changes | Depends On |
| --- | --- | --- | --- |
| P1 | Left | what | - |
"""


SHOWN = [
    ("enter", "TaskScreen"), ("L", "LogScreen"), ("enter s", "ConfirmScreen"), ("enter L", "LogScreen"),
    ("slash E 3", "MainScreen"), ("d", "DepsScreen"), ("t", "TimelineScreen"), ("e", "EventsScreen"),
    ("dollar_sign", "CostScreen"), ("S", "SummaryScreen"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "stays"), some(SHOWN, "enter s", "t"))
async def test_a_task_leaves_the_plan_while_it_is_shown(keys: str, stays: str) -> None:
    """The screens of that task say so; the others show the rest. Whatever is pressed then, the interface continues."""
    source = demo_source()
    async with opened(source) as (app, pilot):
        app.go_to("E3")
        await pilot.press(*keys.split())
        source.replan(parse_text(SMALL, "CASCADE.md"))
        beat(app)
        app.main._rested()  # as the timer does that began when the cursor moved, whichever screen is in front
        await settled(pilot)
        assert type(app.screen).__name__ == stays
        assert ("E3  left the plan" in screen_text(app)) == (keys.split()[0] in ("enter", "L"))
        for key in ("j", "d", "enter", "r", "x", "y", "escape", "n", "t", "enter", "escape", "right_square_bracket"):
            await pilot.press(key)
        while app.screen is not app.main:
            await pilot.press("escape")
        assert "P1 Left" in screen_text(app)


@pytest.mark.parametrize(("of_branch", "stays"), [(False, "GroupScreen"), (True, "GroupScreen")])
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
        assert ("left the plan" if of_branch else "P1 Left") in screen_text(app)
        await pilot.press("enter", "L", "d", "escape", "escape", "escape")
        assert "P1 Left" in screen_text(app)


async def test_the_palette_offers_a_task_that_leaves_the_plan() -> None:
    """Enter says so, and the next keys act as ever."""
    source = demo_source()
    async with opened(source) as (app, pilot):
        await pilot.press("colon", *"go", "space", *"e3")
        assert "go to E3" in screen_text(app)
        source.replan(parse_text(SMALL, "CASCADE.md"))
        beat(app)
        await pilot.press("enter")
        assert answer(app) == "E3 left the plan"
        await pilot.press("slash", *"left", "enter")
        assert app.main.selected_task == "P1"
