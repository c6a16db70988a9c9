"""Filters and searches in the tree, and where the cursor stays."""

from __future__ import annotations

import asyncio

from app_kit import at, beat, opened, settled
from fake_source import demo_source
from look import screen_text

from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_tui.rows import Filter


def test_the_filter_shows_only_its_kind_and_follows_changes() -> None:
    """`!` shows failures; one that is retried leaves; escape shows all."""

    async def run() -> None:
        source = demo_source()
        async with opened(source) as (app, pilot):
            await pilot.press("exclamation_mark")
            tree = app.main.tasks
            assert [r.place.task for r in tree.rows if r.place.task] == ["P4", "E3", "A2", "A4", "W4"]
            source.change("E3", EventKind.TASK_RESET, status=TaskStatus.PENDING, reason=None)
            beat(app)
            assert [r.place.task for r in tree.rows if r.place.task] == ["P4", "A2", "A4", "W4"]
            await pilot.press("escape")
            assert tree.only is Filter.ALL
            assert len(tree.rows) == 29

    asyncio.run(run())


async def test_a_filter_brings_the_cursor_back_and_is_shown_in_the_tree() -> None:
    """Even for a kind without tasks; nothing covers the tree meanwhile."""
    async with opened(demo_source()) as (app, pilot):
        at(app, "P4")
        app.news.clear()
        await pilot.press("f")
        await settled(pilot)
        assert "─ plan, only failed: esc shows all ─" in screen_text(app)
        await pilot.press("f", "f")
        await settled(pilot)
        assert app.main.selected_task != "P4"
        await pilot.press("escape")
        await settled(pilot)
        assert app.main.selected_task == "P4"
        assert "only failed" not in screen_text(app)


async def test_a_cursor_moved_in_a_filter_stays_there() -> None:
    """When all tasks are shown again; meanwhile it goes from task to task, and from the first to the last."""
    async with opened(demo_source()) as (app, pilot):
        at(app, "P4")
        seen = []
        for key in ("f", "j", "j", "end", "home", "j", "escape"):
            await pilot.press(key)
            seen.append(app.main.selected_task)
        await settled(pilot)
        assert seen == ["P4", "E3", "A2", "W4", "P4", "E3", "E3"]


async def test_a_search_that_finds_nothing_moves_nothing() -> None:
    """The cursor is where it began; nothing is hidden, so there is no offer to show it."""
    async with opened(demo_source(), (80, 24)) as (app, pilot):
        at(app, "P4")
        await pilot.press("slash", "w", "x")
        await settled(pilot)
        assert app.main.selected_task == "P4"
        footer = screen_text(app).splitlines()[-1]
        assert "⏎ keep (n next, N previous)" in footer
        assert "esc forget" in footer
        await pilot.press("enter")
        await settled(pilot)
        assert app.main.selected_task == "P4"
        footer = screen_text(app).splitlines()[-1]
        assert "show all" not in footer
        assert "end search" not in footer


def test_the_cursor_stays_on_its_task_when_rows_come_and_go() -> None:
    """Folding another group does not move it to another task."""

    async def run() -> None:
        async with opened(demo_source()) as (app, pilot):
            at(app, "W1")
            app.main.tasks.folds.toggle(next(r.place for r in app.main.tasks.rows if r.place.group == "parser"))
            app.main.tasks._rebuild()
            await settled(pilot)
            assert app.main.selected_task == "W1"

    asyncio.run(run())


def test_searching_goes_to_the_match_and_escape_returns() -> None:
    """While typing; enter keeps the search for n, escape clears it and goes back."""

    async def run() -> None:
        async with opened(demo_source()) as (app, pilot):
            at(app, "P1")
            await pilot.press("slash", "s", "e")
            await settled(pilot)
            first = app.main.selected_task
            assert first in app.main.tasks.hits
            await pilot.press("escape")
            await settled(pilot)
            assert app.main.selected_task == "P1"
            await pilot.press("slash", "s", "e", "enter", "n")
            await settled(pilot)
            assert app.main.selected_task in app.main.tasks.hits
            assert app.main.selected_task != first

    asyncio.run(run())
