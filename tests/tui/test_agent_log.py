"""The log of an agent in words, and as it is."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from app_kit import answer, at, beat, opened, settled
from fake_source import FakeSource, demo_source
from look import screen_text

from nova_core.files.log_index import LogIndex
from nova_tui.log_pager import LogPager, Place


def said(words: str) -> bytes:
    """A line of Claude Code."""
    blocks = [{"type": "text", "text": words}]
    return json.dumps({"type": "assistant", "message": {"role": "assistant", "content": blocks}}).encode() + b"\n"


def done(command: str) -> bytes:
    """A call of a tool."""
    blocks = [{"type": "tool_use", "name": "Bash", "input": {"command": command}}]
    return json.dumps({"type": "assistant", "message": {"role": "assistant", "content": blocks}}).encode() + b"\n"


def with_log(root: Path, data: bytes) -> FakeSource:
    """The scripted run, where an agent has printed this for P4."""
    source = demo_source(root)
    (root / "logs" / "P4.log").write_bytes(data)
    return source


async def test_what_an_agent_prints_is_shown_in_words_and_raw_with_a_key(tmp_path: Path) -> None:
    """Also what it prints while one looks; another key shows the line itself, which is searched and copied as shown."""
    source = with_log(tmp_path, said("I begin.\n\nWith two lines.") + done("make test") + b"a plain line\n")
    log = tmp_path / "logs" / "P4.log"
    async with opened(source, (100, 30)) as (app, pilot):
        at(app, "P4")
        await settled(pilot)
        await pilot.press("L")
        await settled(pilot)
        shown = screen_text(app)
        assert [
            text for text in ("I begin.", "With two lines.", "▸ $ make test", "a plain line") if text not in shown
        ] == []
        assert "tool_use" not in shown
        with log.open("ab") as file:
            file.write(said("It works.")[:20])
            file.flush()
            beat(app)
            await settled(pilot)
            file.write(said("It works.")[20:])
            file.flush()
        beat(app)
        await settled(pilot)
        assert "\nIt works." in screen_text(app)
        await pilot.press("slash", *"tool_use", "enter")
        await settled(pilot)
        assert "in the raw line: u shows it" in screen_text(app)
        await pilot.press("escape", "u")
        await settled(pilot)
        assert '"tool_use"' in screen_text(app)
        await pilot.press("u", "v", "g", "v", "j", "y")
        await settled(pilot)
        assert app.clipboard == "I begin.\n\nWith two lines.\n▸ $ make test"
        assert answer(app)


async def test_the_log_of_a_command_is_never_rewritten(tmp_path: Path) -> None:
    """Its JSON is its own, until a person wants words."""
    source = with_log(tmp_path, said("hello"))
    plain = msgspec.structs.replace(source.cascade.tasks["P4"], agent=None)
    source.cascade.tasks["P4"] = plain
    async with opened(source, (100, 30)) as (app, pilot):
        source.change("P4", agent=None)
        beat(app)
        at(app, "P4")
        await pilot.press("L")
        await settled(pilot)
        assert '"assistant"' in screen_text(app)
        await pilot.press("u")
        await settled(pilot)
        assert '"assistant"' not in screen_text(app)


@pytest.mark.parametrize("words", ["\x1b]0;title\x07\x1b[2Jx", "a\rb\bc", "\u202etxt", "\x9b31mred", "\0\x1b[31mred"])
def test_hostile_words_cannot_reach_the_terminal(words: str, tmp_path: Path) -> None:
    """JSON hides control characters behind escapes: what comes out is as clean as any line."""
    path = tmp_path / "a.log"
    path.write_bytes(said(words) + done(words))
    pager = LogPager(LogIndex(path))
    pager.is_readable = True
    rows = ["".join(segment.text for segment in row.segments) for row in pager.page(Place(), 20)]
    assert rows
    assert [c for row in rows for c in row if not c.isprintable()] == []


def test_rows_are_made_of_what_is_shown_alone(tmp_path: Path) -> None:
    """The end of a log of very many lines costs as much as that of a short one."""
    path = tmp_path / "a.log"
    path.write_bytes((said("x") + done("y")) * 20_000)
    pager = LogPager(LogIndex(path))
    pager.is_readable = True
    assert len(pager.page(pager.last(40), 40)) == 40
    assert pager.lines_made < 100
