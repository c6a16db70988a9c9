"""Reading a log: the window follows, stays, moves and searches, whatever happens to the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.clock import Clock
from nova_core.files.log_index import SLICE
from nova_tui.ansi import plain
from nova_tui.log_reader import Gutter, LogReader
from nova_tui.log_search import Needle, Step, Tally


class HandClock(Clock):
    """A clock that is turned by hand."""

    time = 1000.0

    def now(self) -> float:
        """The time it was set to."""
        return self.time


def numbered(first: int, last: int) -> bytes:
    """Lines `line 7`."""
    return b"".join(b"line %d\n" % n for n in range(first, last + 1))


def add(path: Path, data: bytes) -> None:
    """Append, as a worker does."""
    with path.open("ab") as file:
        file.write(data)


def reader_of(path: Path, height: int = 5) -> LogReader:
    """A reader of small windows, with everything counted."""
    reader = LogReader(path, HandClock())
    reader.resize(40, height)
    count(reader)
    return reader


def count(reader: LogReader) -> None:
    """Count all that is there."""
    while reader.count():
        pass


def shown(reader: LogReader) -> list[str]:
    """The text of the window."""
    return [plain(row.segments) for row in reader.page()]


def run(reader: LogReader, steps: Iterator[Step]) -> bool:
    """Continue a search as the widget does; returns whether something was found."""
    for step in steps:
        if step.found is not None:
            reader.show(step)
            return True
    return False


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of a hundred lines."""
    path = tmp_path / "T1.log"
    path.write_bytes(numbered(1, 100))
    return path


def test_it_opens_at_the_end_and_follows(log: Path) -> None:
    """The last lines are shown, and so are new ones."""
    reader = reader_of(log)
    assert shown(reader) == [f"line {n}" for n in range(96, 101)]
    add(log, numbered(101, 103) + b"half")
    assert reader.poll()
    assert shown(reader) == ["line 100", "line 101", "line 102", "line 103", "half"]
    add(log, b" and half\n")
    assert reader.poll()
    assert shown(reader)[-1] == "half and half"
    assert not reader.poll()


def test_moving_up_stops_following_and_new_lines_are_counted(log: Path) -> None:
    """The window stays on its lines; at the end it follows again."""
    reader = reader_of(log)
    reader.move(-10)
    assert (reader.following, shown(reader)[0]) == (False, "line 86")
    add(log, numbered(101, 314))
    assert reader.poll()
    count(reader)
    assert (shown(reader)[0], reader.new_lines()[0]) == ("line 86", 214)
    assert reader.position() == "line 86 of 314"
    reader.move(1000)
    assert (reader.following, shown(reader)[-1], reader.position()) == (True, "line 314", "314 lines")


@pytest.mark.parametrize("wrap", [False, True])
def test_moves_are_undone_by_their_opposites(log: Path, wrap: bool) -> None:
    """Any rows down and up again lead to the same place, and no move leaves the log."""
    log.write_bytes(b"".join(b"%d " % n + b"word " * (n % 30) + b"\n" for n in range(200)))
    reader = reader_of(log)
    if wrap:
        reader.toggle_wrap()
    reader.home()
    reader.move(20)
    before = reader.top
    for rows in (1, 7, 33):
        reader.move(rows)
        reader.move(-rows)
        assert reader.top == before
    reader.move(-1000)
    assert shown(reader)[0].startswith("0")
    reader.move(100_000)
    assert len(shown(reader)) == 5
    assert reader.page()[-1].place == reader.pager.last(1)


def test_a_short_log_is_shown_from_its_top(log: Path) -> None:
    """A log that fits is shown whole, and it follows whatever key is pressed."""
    log.write_bytes(numbered(1, 3))
    reader = reader_of(log)
    reader.move(-1)
    assert (shown(reader), reader.following) == (["line 1", "line 2", "line 3"], True)


def test_a_resize_keeps_the_line(log: Path) -> None:
    """A following window stays at the end, another one on its line, even when rows change."""
    reader = reader_of(log)
    reader.resize(20, 8)
    assert shown(reader)[-1] == "line 100"
    reader.move(-40)
    first = shown(reader)[0]
    reader.resize(60, 3)
    reader.toggle_wrap()
    assert (shown(reader)[0], reader.following) == (first, False)


def test_a_new_attempt_waits_while_the_old_log_is_being_read(log: Path) -> None:
    """A new log is followed at once, but does not replace one that is being read."""
    reader = reader_of(log)
    reader.move(-20)
    before = shown(reader)
    log.rename(log.with_name("T1.1.log"))
    log.write_bytes(numbered(500, 502))
    assert reader.poll()
    assert not reader.poll()
    assert (reader.renewed, shown(reader)) == (True, before)
    reader.move(1000)
    assert not reader.following  # the end of the old log is not the end
    reader.follow(True)
    assert (reader.renewed, shown(reader)) == (False, ["line 500", "line 501", "line 502"])
    log.unlink()
    log.write_bytes(b"third\n")
    assert reader.poll()
    assert shown(reader) == ["third"]


def test_a_log_that_is_emptied_starts_over(log: Path) -> None:
    """The same file cut to nothing: a paused window shows its contents, too."""
    reader = reader_of(log)
    reader.move(-20)
    log.write_bytes(b"again\n")
    assert reader.poll()
    count(reader)
    assert (shown(reader), reader.lines()) == (["again"], 1)


def test_a_missing_log_appears(log: Path) -> None:
    """Nothing is shown until there is a log, and its lines have the time they arrived."""
    log.unlink()
    reader = reader_of(log)
    assert (shown(reader), reader.poll()) == ([], False)
    log.write_bytes(b"first\n")
    assert reader.poll()
    assert (shown(reader), reader.seen.at(0)) == (["first"], 1000.0)


def test_only_lines_that_were_seen_arriving_have_times(log: Path) -> None:
    """Existing lines have no time; a replaced log may be old and has none either."""
    reader = reader_of(log)
    size = log.stat().st_size
    add(log, b"new\n")
    reader.poll()
    assert (reader.seen.at(size - 1), reader.seen.at(size)) == (None, 1000.0)
    log.with_name("cut").write_bytes(b"head\ntail\n")
    log.with_name("cut").replace(log)
    reader.poll()
    assert (shown(reader), reader.seen.at(6)) == (["head", "tail"], None)


def test_a_search_while_following_finds_the_latest(log: Path) -> None:
    """Up from the end first; at the ends of the log it continues at the other end."""
    reader = reader_of(log)
    assert run(reader, reader.begin("line 9"))
    found = []
    for _ in range(12):
        assert reader.match is not None
        found.append(plain(reader.pager.rows(reader.match)[1][0]))
        assert run(reader, reader.find(down=False))
    assert found == [*(f"line {n}" for n in range(99, 89, -1)), "line 9", "line 99"]
    for _ in range(3):
        assert run(reader, reader.find(down=True))
    assert reader.match is not None
    assert shown(reader)[1] == "line 90"
    assert not reader.following


def test_a_search_while_reading_goes_down_from_the_window(log: Path) -> None:
    """The first match at or below the top of the window; after the last one the first; an only one is found again."""
    reader = reader_of(log)
    reader.home()
    reader.move(50)
    assert run(reader, reader.begin("line 5"))
    assert reader.match == log.read_bytes().index(b"line 51")
    for _ in range(8):
        assert run(reader, reader.find(down=True))
    assert run(reader, reader.find(down=True))
    assert reader.match == log.read_bytes().index(b"line 5")
    assert run(reader, reader.begin("line 77"))
    only = reader.match
    assert run(reader, reader.find(down=True))
    assert run(reader, reader.find(down=False))
    assert reader.match == only
    assert not run(reader, reader.begin("line 101"))


@pytest.mark.parametrize(
    ("raw", "text", "found"),
    [
        (b"\x1b[31mFAI\x1b[0mLED here", "failed here", True),
        (b"nothing", "", False),
        (b"\x1b[31mred", "31", False),
        (b"\x1b]0;title\x07x", "title", False),
        (b"hidden\rshown", "hidden", False),
        (b"Error", "error", True),
        (b"error", "Error", False),
        ("Grüße 日本".encode(), "日本", True),
        (b"a.b", "a+b", False),
        (b"x" * 9000 + b"needle", "needle", True),
        (b"abc\b\b\bneedle", "needle", True),
        (b"need..\x1b[2Dle", "needle", True),
        (b"needle\x1b[2K\x1b[1Gother", "needle", False),
        ("می\u200cخواهم".encode(), "میخواهم", True),
        ("Wort\u00adbruch \U0001f44d\U0001f3fd!".encode(), "wortbruch \U0001f44d!", True),
        (b"\x1b[2K\x1b[1Gold 12%" * 900 + b"\x1b[2K\x1b[1Gdone 100%", "done 100%", True),
        (b"\rold 12%" * 2000 + b"\rdone 100%\r", "12%", False),
    ],
)
def test_what_matches_is_what_is_shown(tmp_path: Path, raw: bytes, text: str, found: bool) -> None:
    """Colours inside a word do not hide it, what was written over does not match. Of a long line only the beginning is
    shown; of one that was written over and over, its last state."""
    log = tmp_path / "T1.log"
    log.write_bytes(b"before\n" + raw + b"\nafter\n")
    reader = reader_of(log)
    for down in (True, False):
        reader.needle, reader.match, reader.following = Needle(text), None, not down
        reader.top = reader.top if not down else type(reader.top)()
        steps = [s for s in reader.find(down=down) if s.found is not None]
        assert bool(steps) is found
        assert all(s.found == 7 for s in steps)
        assert all(s.hidden is (b"x" * 9000 in raw) for s in steps)


@given(
    data=st.lists(st.sampled_from([b"\n", b"ab", b"a", b"\x1b[1m", b"b\n", b"x" * 30]), max_size=40).map(b"".join),
    text=st.sampled_from(["ab", "a", "bx", "zz"]),
)
def test_both_ways_find_the_same_lines(tmp_path_factory: pytest.TempPathFactory, data: bytes, text: str) -> None:
    """Downwards and upwards find the lines whose shown text holds the text, each once."""
    log = tmp_path_factory.mktemp("log") / "T1.log"
    log.write_bytes(data)
    reader = reader_of(log)
    needle, found = Needle(text), []
    for steps in (needle.forward(reader.index, 0), needle.backward(reader.index, reader.index.size)):
        found.append([s.found for s in steps if s.found is not None])
    start, expected = 0, []
    while start < reader.index.size:
        end, rows = reader.pager.rows(start)
        if text in plain(rows[0]):
            expected.append(start)
        start = end
    reader.close()
    assert found == [expected, expected[::-1]]


def test_a_search_reads_in_slices(tmp_path: Path) -> None:
    """Each step of a search through 8 MB reads about a slice, and the whole is read once."""
    log = tmp_path / "T1.log"
    log.write_bytes(b"0123456789abcde\n" * (8 * SLICE // 16) + b"needle\n")
    reader = LogReader(log, HandClock())
    steps = Needle("needle").forward(reader.index, 0)
    total = before = reader.index.bytes_read
    for _ in steps:
        assert reader.index.bytes_read - before <= 1.5 * SLICE
        before = reader.index.bytes_read
    assert before - total <= 9 * SLICE


def test_a_search_ends_when_the_log_is_another(log: Path) -> None:
    """Offsets of the old file are not used in the new one."""
    log.write_bytes(b"filler\n" * 600_000)
    reader = reader_of(log)
    steps = reader.begin("nowhere")
    next(steps)
    log.write_bytes(b"nowhere\n")
    reader.poll()
    assert list(steps) == []


def test_a_match_beyond_the_width_comes_into_view(tmp_path: Path) -> None:
    """Cut or wrapped, the match is on the screen."""
    log = tmp_path / "T1.log"
    log.write_bytes(b"a\n" * 50 + b"x" * 500 + b"needle\n" + b"b\n" * 50)
    for wrap in (False, True):
        reader = reader_of(log)
        if wrap:
            reader.toggle_wrap()
        assert run(reader, reader.begin("needle"))
        cut = [text[reader.left : reader.left + reader.text_width] for text in shown(reader)]
        assert any("needle" in text for text in cut) or wrap
        assert not wrap or "needle" in "".join(shown(reader))


def test_gutters_take_their_cells_from_the_text(log: Path) -> None:
    """Times, numbers, nothing: the text has the remaining width."""
    reader = reader_of(log)
    widths = []
    for _ in Gutter:
        reader.next_gutter()
        widths.append((reader.gutter, reader.text_width))
    assert widths == [(Gutter.TIMES, 30), (Gutter.NUMBERS, 33), (Gutter.NONE, 39)]


def test_following_reads_what_is_new_and_makes_what_is_shown(log: Path) -> None:
    """Each tick costs a few blocks and at most a window of lines, in a log of 50 MB."""
    log.write_bytes(b"0123456789abcde\n" * 3_000_000)
    reader = LogReader(log, HandClock())
    reader.resize(80, 40)
    for _ in range(10):
        reads, lines = reader.index.bytes_read, reader.pager.lines_made
        add(log, numbered(1, 2000))
        assert reader.poll()
        reader.page()
        assert reader.index.bytes_read - reads <= 4 * 65_536
        assert reader.pager.lines_made - lines <= 41


def test_a_tally_knows_every_line_and_which_one_it_is(log: Path) -> None:
    """In order; a line that grows is one line, and a very common text is counted up to a limit."""
    reader = reader_of(log)
    tally = Tally(Needle("line 9"), reader.index)
    while tally.advance(3):
        assert not tally.is_done
    assert len(tally.starts) == 11
    assert (tally.place(None), tally.place(tally.starts[1])) == ("11 found", "2 of 11")
    with log.open("ab") as file:
        file.write(b"line 9")
    reader.poll()
    while tally.advance():
        pass
    with log.open("ab") as file:
        file.write(b"9\n")
    reader.poll()
    while tally.advance():
        pass
    assert len(tally.starts) == 12
    log.write_bytes(b"line\n" * 3 * Tally.MOST)
    common = Tally(Needle("line"), reader_of(log).index)
    while common.advance():
        pass
    assert common.place(None) == f"{Tally.MOST:,}+ found"
