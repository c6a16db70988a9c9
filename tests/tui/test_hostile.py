"""Names, steps and errors with control sequences are text on every surface of the main screen."""

from __future__ import annotations

import asyncio

import pytest
from app_kit import beat, opened, settled
from fake_source import hostile_source
from look import screen_text
from rich.segment import Segment
from textual.color import Color

from nova_core.state.events import EventKind
from nova_core.text import clean
from nova_core.watch.source import Notice
from nova_tui.compat import backlog, failure, strips
from nova_tui.news import of_notice, sequence
from nova_tui.safe import SAFE


def test_nothing_acts_and_markup_stays_as_it_is() -> None:
    """Header, tree, rule and news, with the cursor on every row."""

    async def run() -> str:
        seen = []
        source = hostile_source()
        async with opened(source, (160, 50)) as (app, pilot):
            for _ in range(14):
                await pilot.press("j")
                seen.append(screen_text(app))
            source.change("H0", EventKind.TASK_FAILED, error="[@click=app.quit]x[/] [/nope] \x1b]52;c;aGk=\x07")
            source.notify(False, "[bold]no[/nope] \x1b[31m")
            beat(app)
            await settled(pilot)
            seen.append(screen_text(app))
            assert failure(app) is None
            assert backlog(app) == 0
            assert strips(app)
        return "\n".join(seen)

    text = asyncio.run(run())
    assert all(c.isprintable() for c in text.replace("\n", ""))
    assert "x [/nope] z" in text
    assert "[@click=app.quit]" in text


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "a\x07b", "\x9b2J", "\u202eabc", "zero\u200bwidth", "tab\there", "\x00"]
)
def test_the_last_line_of_defence_cleans_and_keeps_the_width(text: str) -> None:
    """A line that no view cleaned."""
    given_line = [Segment("fine "), Segment(text)]
    cleaned = SAFE.apply(given_line, Color(0, 0, 0))
    assert all(s.text.isprintable() for s in cleaned)
    assert sum(s.cell_length for s in cleaned) == sum(s.cell_length for s in given_line)


def test_a_clean_line_is_not_touched() -> None:
    """The same list is returned, so it costs nothing."""
    segments = [Segment("plain "), Segment("text")]
    assert SAFE.apply(segments, Color(0, 0, 0)) is segments


@pytest.mark.parametrize("how", ["osc9", "osc777", "bell", "", "other"])
def test_a_notification_to_the_terminal_carries_only_clean_text(how: str) -> None:
    """The text of a message cannot end the sequence early or begin another one."""
    toast = of_notice(Notice(True, "x\x07\x1b]0;title\x07;y"))
    written = sequence(how, toast)
    inside = written.removeprefix("\x1b]").removesuffix("\x07")
    assert clean(inside) == inside
    wrapped = sequence(how, toast, tmux=True).removeprefix("\x1bPtmux;\x1b").removesuffix("\x1b\\")
    assert wrapped == written
