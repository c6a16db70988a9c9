"""The main screen: pictures at three sizes, its tree, and where keys lead."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from app_kit import StillClock, at, beat, drive, opened, settled
from fake_source import FakeSource, demo_source
from look import Golden, screen_text
from sampling import some

from nova_core.state.events import EventKind
from nova_core.state.schema import TaskState, TaskStatus
from nova_tui.app import NovaApp
from nova_tui.choice import Look
from nova_tui.screens.confirm import ConfirmScreen
from nova_tui.screens.group import GroupScreen
from nova_tui.screens.help import HelpScreen
from nova_tui.screens.log import LogScreen
from nova_tui.screens.quit import QuitScreen
from nova_tui.screens.task import TaskScreen


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (100, 50), (40, 10)])
def test_picture(width: int, height: int, tmp_path: Path, golden: Golden) -> None:
    """The scripted run at the sizes of the layout."""

    async def look() -> str:
        async with opened(demo_source(tmp_path), (width, height)) as (app, pilot):
            app.news.clear()
            await settled(pilot)
            return screen_text(app)

    golden(f"main_{width}", asyncio.run(look()))


def test_a_look_before_the_first_layout_scrolls_nothing(tmp_path: Path, golden: Golden) -> None:
    """A slow machine learns what is running before the size of its tree: the picture is the same."""

    async def look() -> str:
        app = NovaApp(demo_source(tmp_path), clock=StillClock())
        app.main.call_later(beat, app)
        async with app.run_test(size=(80, 24), notifications=False) as pilot:
            beat(app)
            await settled(pilot)
            return screen_text(app)

    golden("main_80", asyncio.run(look()))


@pytest.mark.parametrize(
    ("name", "theme", "variable"), [("light", "nova-light", ""), ("16", "ansi", ""), ("none", None, "NO_COLOR")]
)
def test_picture_in_colors(
    name: str, theme: str | None, variable: str, tmp_path: Path, golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which colours are used, on a light ground, on a terminal of 16 colours and with none at all."""
    if variable:
        monkeypatch.setenv(variable, "1")

    async def look() -> str:
        async with opened(demo_source(tmp_path), (80, 24), Look(theme=theme)) as (app, pilot):
            await settled(pilot)
            return screen_text(app, styles=True)

    golden(f"main_colors_{name}", asyncio.run(look()))


def test_picture_in_ascii(tmp_path: Path, golden: Golden) -> None:
    """Nothing but ASCII is drawn."""

    async def look() -> str:
        async with opened(demo_source(tmp_path), look=Look(ascii=True)) as (app, pilot):
            await settled(pilot)
            return screen_text(app)

    text = asyncio.run(look())
    assert text.isascii(), {c for c in text if not c.isascii()}
    golden("main_ascii", text)


@pytest.mark.parametrize("size", some(["20x5", "60x16", "109x15", "110x16", "300x80"], "20x5", "109x15"))
def test_other_sizes_do_not_crash(size: str, tmp_path: Path) -> None:
    """Also on both sides of every change of layout."""

    width, height = map(int, size.split("x"))

    async def run() -> None:
        async with opened(demo_source(tmp_path), (width, height)) as (app, pilot):
            await pilot.press("j", "G", "k", "h", "l", "g")
            await pilot.resize_terminal(40, 10)
            await pilot.resize_terminal(width, height)
            await settled(pilot)
            assert app.failure is None

    asyncio.run(run())


async def test_the_edges_of_the_tree_show_how_many_rows_are_beyond(tmp_path: Path) -> None:
    """Above and below what is in view, in the rule above the rows."""
    async with opened(demo_source(tmp_path), (80, 24)) as (app, pilot):
        tree = app.main.tasks
        await pilot.press("g")
        await settled(pilot)
        hidden = len(tree.rows) - (tree.size.height - 1)
        rule = next(text for text in screen_text(app).splitlines() if "─ plan" in text)
        assert f"─ ▼ {hidden} more ─" in rule
        await pilot.press("G")
        await settled(pilot)
        lines = screen_text(app).splitlines()
        rule = next(text for text in lines if "─ plan" in text)
        assert f"─ ▲ {hidden} more ─" in rule
        assert "D4 Release notes" in lines[lines.index(rule) + tree.size.height - 1]


SCREENS: list[tuple[tuple[str, ...], type[object]]] = [
    (("enter",), TaskScreen), (("w",), TaskScreen), (("h", "enter"), GroupScreen), (("L",), LogScreen),
    (("question_mark",), HelpScreen), (("x",), ConfirmScreen), (("q",), QuitScreen),
]  # fmt: skip


async def test_keys_lead_to_screens_and_escape_back(tmp_path: Path) -> None:
    """Every view is one key away, and escape is the way back."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        for keys, screen in SCREENS:
            at(app, "E2")
            await settled(pilot)
            await pilot.press(*keys)
            await settled(pilot)
            assert isinstance(app.screen, screen), keys
            await pilot.press("escape")
            await settled(pilot)
            assert app.screen is app.main, keys


@pytest.mark.parametrize("key", some(["ctrl+w", "enter", "L"], "enter"))
async def test_a_task_that_ended_without_a_word_printed_nothing(key: str, tmp_path: Path) -> None:
    """No more tasks can start; before the end, some can."""
    source = FakeSource(demo_source().cascade, root=tmp_path)
    async with opened(source, (120, 30)) as (app, pilot):
        at(app, "P1")
        source.change("P1", EventKind.TASK_STARTED, status=TaskStatus.IN_PROGRESS)
        await pilot.press(key)
        beat(app)
        await settled(pilot)
        assert "no output yet" in screen_text(app)
        source.change("P1", EventKind.TASK_COMPLETED, status=TaskStatus.COMPLETED)
        beat(app)
        if isinstance(app.screen, TaskScreen):
            app.screen.redraw()
        await settled(pilot)
        assert "it printed nothing" in screen_text(app)


async def test_a_lower_window_leaves_no_gap_above_the_plan(tmp_path: Path) -> None:
    """The rule above the running tasks goes with its line."""
    async with opened(demo_source(tmp_path), (120, 40)) as (app, pilot):
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        lines = screen_text(app).splitlines()
        plan = next(n for n, text in enumerate(lines) if text.startswith("─ plan"))
        assert lines[plan - 1].startswith(f" {len(app.model.running())} ")


async def test_a_task_without_a_log_says_why(tmp_path: Path) -> None:
    """In the place of the log: it waits for others."""
    source = FakeSource(demo_source().cascade, root=tmp_path)
    async with opened(source, (120, 30)) as (app, pilot):
        at(app, "P2")
        await pilot.press("L")
        beat(app)
        await settled(pilot)
        assert "no log yet: waiting after P1" in screen_text(app)


def test_a_new_task_state_is_drawn_in_its_row() -> None:
    """A failure shows its reason after one look."""

    async def run() -> str:
        source = demo_source()
        async with opened(source, (120, 60)) as (app, pilot):
            source.change("W2", EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="it broke")
            beat(app)
            await settled(pilot)
            return screen_text(app)

    row = next(text for text in asyncio.run(run()).splitlines() if "✗ W2 Board" in text)
    assert re.search("✗ W2 Board  it broke", row)


def test_states_without_a_plan_entry_do_no_harm() -> None:
    """Another program may write any id."""
    source = demo_source()
    source.tasks["ghost"] = TaskState(status=TaskStatus.FAILED)
    drive(source, "j")
