"""Two logs beside each other, all running logs in one stream, and copying lines without a mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_kit import answer, beat, opened, settled
from fake_source import demo_source
from log_kit import LogApp, drive, log_of, numbered, rows
from look import screen_text
from textual.pilot import Pilot

from nova_core.files.log_index import LogIndex
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_tui import log_cursor
from nova_tui.log_cursor import LineCursor
from nova_tui.log_pager import LogPager
from nova_tui.screens.log import LogScreen
from nova_tui.screens.stream import StreamScreen
from nova_tui.stream import Stream


def test_the_cursor_marks_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both directions, limited to the ends of the log and to what may be copied at once."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n\x1b[31mtwo\x1b[0m\n\n1%\r2%\nlast")
    index = LogIndex(path)
    index.advance()
    cursor = LineCursor(index, index.size, LogPager(index).texts)
    assert (cursor.text(), cursor.count()) == (("last", False), 1)
    cursor.toggle_mark()
    cursor.move(-3)
    assert (cursor.text(), cursor.count()) == (("two\n\n2%\nlast", False), 4)
    cursor.move(99)
    cursor.toggle_mark()
    cursor.move(-99)
    assert cursor.text() == ("one", False)
    cursor.toggle_mark()
    cursor.move(2)
    assert [cursor.has(start) for start in (0, 4, 17, 18)] == [True, True, True, False]
    monkeypatch.setattr(log_cursor, "MOST_LINES", 2)
    assert cursor.text() == ("one\ntwo", True)
    index.close()


def test_copy_mode_marks_moves_searches_and_copies(log: Path) -> None:
    """New output moves nothing; escape and copying leave, and the log is followed again."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("v")
        assert app.view.status().startswith("copy mode: v marks")
        await pilot.press("k", "v", "k", "k")
        assert app.view.status().startswith("3 lines marked: y copies")
        with log.open("ab") as file:
            file.write(numbered(101, 150))
        app.look_again()
        await pilot.pause()
        assert rows(app)[-1].startswith("line 100")
        await pilot.press("y")
        assert app.clipboard == "line 97\nline 98\nline 99"
        assert (app.view.following, app.view.is_copying) == (True, False)
        await pilot.press("v", "slash", *"line 42", "enter", "v", "j", "enter")
        assert app.clipboard == "line 42\nline 43"
        await pilot.press("escape", "v", "g", "v", "G", "ctrl+u")
        assert app.view.status().startswith("142 lines marked: y copies")
        await pilot.press("escape")
        assert not app.view.is_copying
        await pilot.press("v")
        log.write_bytes(b"another log\n")
        app.look_again()
        await pilot.pause()
        assert (app.view.is_copying, rows(app)[0][:11]) == (False, "another log")

    drive(LogApp(log), check)


def test_copy_mode_needs_lines(tmp_path: Path) -> None:
    """An empty log has none."""
    path = log_of(tmp_path)
    path.write_bytes(b"")

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("v", "y", "enter")
        assert (app.view.is_copying, app.clipboard) == (False, "")

    drive(LogApp(path), check)


async def test_two_logs_are_shown_chosen_and_left(tmp_path: Path) -> None:
    """Side by side or one above the other; keys act on the one with the focus."""
    source = demo_source(tmp_path)
    (tmp_path / "logs").mkdir(exist_ok=True)
    for task in ("E2", "P4", "E3"):
        (tmp_path / "logs" / f"{task}.log").write_text(f"printed by {task}\n")
    async with opened(source, (150, 30)) as (app, pilot):
        app.main.tasks.go_to("P4")
        await pilot.press("equals_sign")
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, LogScreen)
        assert (screen.is_two, screen.task_id) == (True, "E2")
        first, second = screen._halves
        assert first.region.y == second.region.y
        assert "printed by P4" in screen_text(app)
        assert "printed by E2" in screen_text(app)
        assert "▸ E2" in screen_text(app)
        await pilot.press("ctrl+w")
        assert (screen.task_id, app.target) == ("P4", "P4")
        await pilot.press("colon", *"log of E3", "enter")
        await settled(pilot)
        assert "printed by E3" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert first.region.x == second.region.x
        keys = screen_text(app).splitlines()[23]
        assert [
            key for key in ("1-9 running", "J next log", "^w other log", "esc back", "? keys") if key not in keys
        ] == []
        source.change("E2", EventKind.TASK_COMPLETED, status=TaskStatus.COMPLETED)
        beat(app)
        await settled(pilot)
        await pilot.press("equals_sign")
        await settled(pilot)
        assert (screen.is_two, screen.task_id) == (False, "E3")
        assert "printed by E2" not in screen_text(app)
        await pilot.press("escape")
        assert app.screen is app.main


def test_the_stream_has_whole_lines_with_their_tasks(tmp_path: Path) -> None:
    """Also of tasks that start later, of a replaced log, of the end of a task; nothing writes over an id."""
    logs = {name: tmp_path / f"{name}.log" for name in ("A", "LONG")}
    logs["A"].write_bytes(b"old\n" * 2000 + b"part")
    stream = Stream(lambda task_id: logs[task_id])
    stream.take({"A": None}, str)

    def text() -> list[str]:
        stream.index.poll()
        return stream.index.read(0, stream.index.size).decode().splitlines()

    assert set(text()) == {"\x1b[36mA\x1b[0m old"}
    assert len(text()) <= 4096 // 4
    before = len(text())
    with logs["A"].open("ab") as file:
        file.write(b"ial\n 1%\r 2%\n\x1b[31mred\x1b[0m\nrest")
    stream.take({"A": None, "LONG": None}, str)
    logs["LONG"].write_bytes(b"first\n")
    stream.take({"A": None, "LONG": None}, str)
    stream.take({"LONG": None}, lambda task_id: f"{task_id} failed")
    assert text()[before:] == [
        "\x1b[36mA   \x1b[0m partial", "\x1b[36mA   \x1b[0m  2%", "\x1b[36mA   \x1b[0m \x1b[31mred\x1b[0m",
        "\x1b[35mLONG\x1b[0m first", "\x1b[36mA   \x1b[0m rest", "\x1b[36mA   \x1b[0m \x1b[1mA failed\x1b[0m",
    ]  # fmt: skip
    before = len(text())
    logs["LONG"].unlink()
    logs["LONG"].write_bytes(b"x" * 99 + b"\n" + b"new\n" * 500_000)
    stream.take({"LONG": None}, str)
    assert "1.7 MB left out here" in text()[before]
    stream.close()


def test_the_stream_drops_its_older_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory stays bounded; what is left begins with a whole line."""
    monkeypatch.setattr("nova_tui.stream.MOST", 4000)
    path = tmp_path / "A.log"
    path.write_bytes(b"")
    stream = Stream(lambda _: path)
    for n in range(400):
        with path.open("ab") as file:
            file.write(numbered(n, n))
        stream.take({"A": None}, str)
    stream.index.poll()
    lines = stream.index.read(0, stream.index.size).decode().splitlines()
    assert stream.index.size <= 4000
    assert lines == [f"\x1b[36mA\x1b[0m line {n}" for n in range(400 - len(lines), 400)]
    stream.close()


async def test_the_stream_follows_and_searches_like_a_log(tmp_path: Path) -> None:
    """And says how many tasks run, and how one has ended."""
    source = demo_source(tmp_path)
    (tmp_path / "logs").mkdir(exist_ok=True)
    running = (tmp_path / "logs" / "E2.log").resolve()
    running.write_text("needle\n")
    async with opened(source, (100, 20)) as (app, pilot):
        await pilot.press("M")
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, StreamScreen)
        assert "All running logs" in screen_text(app)
        with running.open("a") as file:
            file.write("hay\n" * 50)
        beat(app)
        await settled(pilot)
        assert "E2 hay" in screen_text(app)
        assert "needle" not in screen_text(app)
        await pilot.press("slash", *"needle", "enter")
        await settled(pilot)
        assert "E2 needle" in screen_text(app)
        await pilot.press("vertical_line")
        assert "of many logs" in answer(app)
        source.change("E2", EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="exit code 3")
        beat(app)
        await pilot.press("escape")
        await settled(pilot)
        assert "E2 ✗ failed" in screen_text(app)
        await pilot.press("escape")
        assert app.screen is app.main
