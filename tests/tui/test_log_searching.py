"""Searching in a log on the screen, while it grows."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from log_kit import LogApp, drive, numbered, rows, until
from look import screen_text
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from nova_core.holder.log_cap import MARK
from nova_tui.log_search import Needle, Step


def test_a_search_runs_while_typing_and_wraps_at_the_ends(log: Path) -> None:
    """It searches upwards from the end, shows the match number and count, and escape returns to following before it
    leaves the log."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash")
        assert app.log_screen.query_one(Input).has_focus
        await pilot.press(*"line 10")
        await until(pilot, lambda: not app.view.following)
        await until(pilot, lambda: screen_text(app).splitlines()[-2].startswith(" /line 10"))
        bottom = screen_text(app).splitlines()
        assert bottom[-2].endswith("2 of 2")
        assert "⏎ keep (n next, N previous)" in bottom[-1]
        await pilot.press("enter")
        assert "not following (f)  line 91 of 100  /line 10  2 of 2" in screen_text(app).split("\n")[0]
        await pilot.press("n")
        await until(pilot, lambda: "1 of 2" in app.view.status())
        assert "line 10" in screen_text(app)
        await pilot.press("N")
        await until(pilot, lambda: "2 of 2" in app.view.status())
        await pilot.press("escape")
        assert app.view.status() == "follow ▼  100 lines"
        assert app.screen is app.log_screen
        await pilot.press("escape")
        assert app.screen is not app.log_screen

    drive(LogApp(log), check, (110, 12))


def test_a_text_that_is_nowhere_moves_nothing(log: Path) -> None:
    """A message says that it was not found, in either direction."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"line 7")
        await until(pilot, lambda: not app.view.following)
        await pilot.press("x")
        await until(pilot, lambda: app.view.following)
        assert rows(app)[-2] == "line 100"
        assert "not in this log" in screen_text(app)
        await pilot.press("enter", "n", "N")
        await until(pilot, lambda: app.view.status().endswith('"line 7x": not in this log'))
        assert app.view.following

    drive(LogApp(log), check, (110, 10))


def test_a_log_that_was_cut_says_so(log: Path) -> None:
    """In the heading, and where a text is not found in what is left."""
    log.write_bytes(numbered(1, 50) + MARK.format(cut=136_000_021).encode() + numbered(51, 100))

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        assert app.view.status() == "follow ▼  101 lines  136 MB cut out: log_limit"
        await pilot.press("slash", *"xylo")
        await until(pilot, lambda: "not in what is left" in screen_text(app))
        await pilot.press("enter")
        said = '"xylo": not in what is left  136 MB cut out: log_limit'
        await until(pilot, lambda: said in screen_text(app).split("\n")[0])

    drive(LogApp(log), check, (110, 10))


def test_a_search_starts_where_one_is(log: Path) -> None:
    """Not where the one before began: a text that is nowhere leaves the end, and following, alone. An only match says
    so."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("g", "slash", *"line 50", "enter", "G", "slash", *"zzz", "enter")
        await until(pilot, lambda: app.view.status() == 'follow ▼  100 lines  "zzz": not in this log')
        await pilot.press("slash", *"line 77", "enter", "n")
        await until(pilot, lambda: app.view.status().endswith("/line 77  the only match"))

    drive(LogApp(log), check, (110, 10))


def test_new_matches_are_counted_too(log: Path) -> None:
    """Also a last line that becomes a match as it grows."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"line 10", "enter")
        await until(pilot, lambda: app.view.status().endswith("2 of 2"))
        for text, count in ((b"line 1", 2), (b"01\n", 3), (b"other\nline 102\n", 4)):
            with log.open("ab") as file:
                file.write(text)
            app.look_again()
            await until(pilot, lambda count=count: app.view.status().endswith(f"2 of {count}"))  # type: ignore[misc]

    drive(LogApp(log), check, (110, 10))


def test_what_one_types_to_search_is_text(log: Path) -> None:
    """Keys of the log and markup are letters in the line; escape changes nothing."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"[/q]f")
        assert "[/q]f" in screen_text(app)
        await pilot.press("escape")
        assert (app.view.has_focus, app.view.following, app.view.status()) == (True, True, "follow ▼  100 lines")

    drive(LogApp(log), check)


def test_what_is_typed_ahead_is_searched(log: Path) -> None:
    """Keys that arrive all at once, as over a slow line, act as they would one by one."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        for key in "/fkn/line 7":
            app.post_message(events.Key("slash" if key == "/" else key, key))
        await until(pilot, lambda: app.log_screen.query_one(Input).value == "fkn/line 7")

    drive(LogApp(log), check)


def test_lines_are_counted_without_being_asked(log: Path) -> None:
    """A log longer than a slice gets its line numbers even if it does not change."""
    log.write_bytes(b"0123456789abcde\n" * 200_000)

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "follow ▼  200,000 lines" in screen_text(app).split("\n")[0])

    drive(LogApp(log), check)


def test_a_long_search_keeps_the_screen_alive(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """During a search keys act and progress is shown, and escape ends it."""
    for way in ("forward", "backward"):
        monkeypatch.setattr(Needle, way, lambda *_: itertools.repeat(Step(300)))

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        async def wait(done: Callable[[], bool]) -> None:
            async with asyncio.timeout(10):
                while not done():
                    await asyncio.sleep(0)  # a pause of the pilot would wait for the end of the search

        reader = app.view.reader
        assert reader is not None
        app.view.search("nowhere")
        await wait(lambda: "/nowhere  searching 37%" in app.view.status())
        app.simulate_key("w")
        await wait(lambda: reader.pager.wrap)
        app.simulate_key("escape")
        await wait(lambda: all(worker.is_finished for worker in app.workers))
        assert "nowhere" not in app.view.status()

    drive(LogApp(log), check)
