"""The command palette does what the typed words say, however fast they were typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from app_kit import opened, settled
from fake_source import demo_source
from look import screen_text
from sampling import some
from textual.events import Key, Paste

from nova_core.command import CommandKind
from nova_tui.app import NovaApp


def burst(app: NovaApp, *keys: str) -> None:
    """Keys that arrive in one packet."""
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else {"space": " "}.get(key)))


async def test_text_and_enter_in_one_packet_do_what_the_text_says(tmp_path: Path) -> None:
    """Not what the first row of an older list says; and the key behind them is for the screen that they open."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        burst(app, "colon", *"pause", "enter")
        await settled(pilot)
        assert [command.kind for command in source.sent] == [CommandKind.PAUSE]
        burst(app, "colon", *"timeline", "enter", "question_mark")
        await settled(pilot)
        assert [type(screen).__name__ for screen in app.screen_stack[1:]] == ["TimelineScreen", "HelpScreen"]


async def test_a_pasted_text_comes_before_the_enter_behind_it(tmp_path: Path) -> None:
    """Its first line counts."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        burst(app, "colon")
        app.post_message(Paste("go to E3\nsecond line"))
        burst(app, "enter")
        await settled(pilot)
        assert app.main.selected_task == "E3"


CLOSING = ["escape escape", "escape q", "enter escape", "ctrl+p escape escape", "down escape l"]


@pytest.mark.parametrize("keys", some(CLOSING, "escape q", "ctrl+p escape escape"))
async def test_keys_while_it_opens_and_closes(keys: str, tmp_path: Path) -> None:
    """A key that finds nothing to act on does nothing."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        for _ in range(3):
            burst(app, "colon", *"zzz", *keys.split(), "escape", "escape")
        await settled(pilot)
        assert app.screen is app.main
        assert "Orbit" in screen_text(app)


async def test_a_list_without_hits_stays(tmp_path: Path) -> None:
    """Enter does nothing there; a click outside of the entries neither."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        await pilot.press("colon", *"zzzz", "down", "pagedown", "enter")
        assert "nothing has these words" in screen_text(app)
        await pilot.press(*["backspace"] * 4, *"theme nova-light".replace(" ", ""))
        await pilot.click("#lines", offset=(3, 5))
        assert source.sent == []
        assert app.theme == "nova-dark"


async def test_the_arrows_choose_and_a_click_runs(tmp_path: Path) -> None:
    """The cursor is on the first entry until it is moved."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        await pilot.press("colon", *"theme", "space", *"nova", "down", "enter")
        assert app.theme == "nova-light"
        await pilot.press("colon", *"theme", "space", *"nova-dark")
        await pilot.click("#lines", offset=(3, 0))
        assert app.theme == "nova-dark"


async def test_a_key_lists_the_themes_with_the_present_one_first(tmp_path: Path) -> None:
    """`?` names the key, and the list says what `--theme` calls a theme; enter changes nothing, the next row does."""
    async with opened(demo_source(tmp_path), (120, 60)) as (app, pilot):
        await pilot.press("question_mark")
        await settled(pilot)
        assert re.search(r"T +Theme", screen_text(app))
        await pilot.press("escape", "T")
        await settled(pilot)
        rows = [text for text in screen_text(app).splitlines() if "theme nova-" in text]
        assert "theme nova-dark  --theme dark  now " in rows[0]
        await pilot.press("enter")
        assert app.theme == "nova-dark"
        await pilot.press("T", "down", "enter")
        assert app.theme == "nova-light"


async def test_enter_on_a_row_and_a_key_in_one_packet(tmp_path: Path) -> None:
    """The key is for the task that enter opens."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        app.main.tasks.go_to("P4")
        await settled(pilot)
        burst(app, "enter", "L")
        await settled(pilot)
        assert [type(screen).__name__ for screen in app.screen_stack[1:]] == ["TaskScreen", "LogScreen"]
