"""Lines of logs as text: colours survive, nothing else acts; rows, marks and gutters are cut to their cells."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from nova_tui.ansi import MAX_LINE, line_segments, plain, restyle, split_sgr
from nova_tui.log_pager import SeenTimes, wrapped
from nova_tui.views import log_rows

FRAGMENTS = [
    "\x1b[31m", "\x1b[0m", "\x1b[38;5;200m", "\x1b[48:2::1:2:3m", "\x1b[", "\x1b]52;c;AAAA\x07", "\x1b]0;t", "\x1b\\",
    "\x1bc", "\x1b[?1049h", "\x9b2J", "\x9d0;x\x9c", "\r", "\t", "\0", "\x08", "\x7f", "\u202e", "\u200b", "\ud800",
    "日本", "é", "abc", " ", "\x1b[8m", "\x1b[5m", "\x1b[6n", "[@click=app.quit]", "[/nope]",
]  # fmt: skip
lines = st.lists(st.sampled_from(FRAGMENTS) | st.text(st.characters(), max_size=3), max_size=30).map("".join)


def styles(text: str) -> list[tuple[str, str]]:
    """Pieces and the names of their styles."""
    return [(s.text, str(s.style)) for s in split_sgr(text)]


@given(lines.map(lambda line: line.replace("\n", "")))
def test_no_control_survives(line: str) -> None:
    """Whatever a line holds, its segments are printable, without links, blinking or hidden text."""
    for text, style, control in split_sgr(line):
        assert control is None
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
        assert style is not None
        assert (style.link, style.meta, style.blink, style.conceal) == (None, {}, None, None)


@given(st.binary(max_size=300), st.integers(1, 40))
def test_wrapping_keeps_the_text_and_the_width(raw: bytes, width: int) -> None:
    """Rows hold what the line holds, each in at most the width, or one character that is wider."""
    segments = line_segments(raw.replace(b"\n", b""), len(raw))
    rows = wrapped(segments, width)
    assert all(cell_len(plain(row)) <= max(width, 2) for row in rows)
    whole = plain(segments)
    text = "".join(map(plain, rows))
    # Characters without a width may be lost where nothing else follows them.
    assert whole.startswith(text)
    assert cell_len(whole[len(text) :]) == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain", [("plain", "none")]),
        ("\x1b[31mred\x1b[0m not", [("red", "color(1)"), (" not", "none")]),
        ("\x1b[1;4;91mloud\x1b[22mless", [("loud", "bold underline color(9)"), ("less", "underline color(9)")]),
        ("\x1b[38;5;208mx\x1b[39my", [("x", "color(208)"), ("y", "none")]),
        ("\x1b[38;2;1;2;3mx", [("x", "#010203")]),
        ("\x1b[38:2::1:2:3mx", [("x", "#010203")]),
        ("\x1b[48:5:17;1mx", [("x", "bold on color(17)")]),
        ("\x1b[38;5;999mx", [("x", "none")]),
        ("\x1b[38;2;1mx", [("x", "none")]),
        ("\x1b[;;mx", [("x", "none")]),
        ("\x1b[4mx\x1b[4:0my", [("x", "underline"), ("y", "none")]),
        ("\x1b[8;5mshown", [("shown", "none")]),
        ("\x1b[99999mx", [("x", "none")]),
        ("10%\r50%\r\x1b[32m100%\r", [("100%", "color(2)")]),
        ("10%\r   ", [("   ", "none")]),
        ("100%\rOK", [("OK0%", "none")]),
        ("\x1b[2K\x1b[1GProgress: 1\x1b[2K\x1b[1GProgress: 22", [("Progress: 22", "none")]),
        ("abcd\b\b\b\bWXYZ", [("WXYZ", "none")]),
        ("spin |\b/\b-\b\\\b.done", [("spin .done", "none")]),
        ("aaaaaaaa\x1b[8Dbbbb\x1b[K", [("bbbb", "none")]),
        ("abc\x1b[1Gx\x1b[3Gz", [("xbz", "none")]),
        ("abc\x1b[2Cd\x1b[Df", [("abc  f", "none")]),
        ("abcdef\x1b[1G\x1b[2P\x1b[1@", [(" cdef", "none")]),
        ("abcdef\x1b[3G\x1b[2X\x1b[1K", [("    ef", "none")]),
        ("\x1b[31mred\b\b\x1b[0mo", [("r", "color(1)"), ("o", "none"), ("d", "color(1)")]),
        ("日本\b\b\bx", [(" x本", "none")]),
        ("e\u0301x\r\u0301ab", [("ab", "none")]),
        ("a\tb\ra\tc", [("a       c", "none")]),
        ("ab\x1b]0;t\rx\x07c\rd", [("dbc", "none")]),
        ("x\x1b[999999Gy", [("x" + " " * 511 + "y", "none")]),
        ("x\x1b[999999C", [("x", "none")]),
        ("⚠\ufe0f \U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea 1\ufe0f\u20e3", [("⚠ \U0001f44d DE 1", "none")]),
        ("text\r", [("text", "none")]),
        ("a\tb\x1b[1mcd\te", [("a       b", "none"), ("cd     e", "bold")]),
        ("\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\", [("click", "none")]),
        ("\x1b]0;t\x07x", [("x", "none")]),
        ("x [/nope] [@click=app.quit]", [("x [/nope] [@click=app.quit]", "none")]),
        ("", []),
    ],
)
def test_what_a_line_shows(line: str, expected: list[tuple[str, str]]) -> None:
    """Colours are those of SGR, what is written over is gone, tabs are spaces, the rest is gone, too."""
    assert styles(line) == expected


def test_a_long_line_is_cut_and_says_so() -> None:
    """Only the first part of a long line is decoded, and no character is split."""
    raw = "é".encode() * 5000
    text = plain(line_segments(b"x" + raw[: MAX_LINE - 1], 200_000_000))
    assert text.endswith("é [+199,991,808 bytes]")
    assert len(text) < MAX_LINE


def test_a_freed_middle_is_reported() -> None:
    """NULs where the log's limit freed its middle are shown as one short sentence."""
    assert plain(line_segments(b"\0" * MAX_LINE, 1_048_576)) == "[1,048,576 empty bytes: cut by the log limit]"


@given(
    st.lists(st.text("ab", min_size=1, max_size=4), max_size=6), st.lists(st.integers(0, 20), max_size=6, unique=True)
)
def test_restyling_marks_exactly_the_spans(texts: list[str], borders: list[int]) -> None:
    """The text stays, and a character is marked exactly if it is inside of a span."""
    borders = sorted(borders)[: len(borders) // 2 * 2]
    spans = list(zip(borders[::2], borders[1::2], strict=True))
    marked = restyle([Segment(t, Style.null()) for t in texts], spans, Style(bold=True))
    flags = [bool(s.style and s.style.bold) for s in marked for _ in s.text]
    assert plain(marked) == "".join(texts)
    assert flags == [any(a <= i < b for a, b in spans) for i in range(len("".join(texts)))]


@pytest.mark.parametrize(
    ("top", "bottom", "total", "expected"),
    [
        (0, 100, 100, range(0)),
        (0, 10, 100, range(1)),
        (90, 100, 100, range(9, 10)),
        (0, 50, 100, range(5)),
        (25, 75, 100, range(2, 7)),
        (10**9 - 1000, 10**9, 10**9, range(9, 10)),
        (0, 0, 0, range(0)),
    ],
)
def test_the_thumb_shows_the_place(top: int, bottom: int, total: int, expected: range) -> None:
    """It is at the ends exactly when the window is, and there is none when everything is shown."""
    assert log_rows.thumb_rows(top, bottom, total, 10) == expected


@pytest.mark.parametrize(
    ("lines_more", "more", "expected"),
    [
        (214, 9000, " ▼ 214 new lines "),
        (1, 9, " ▼ 1 new line "),
        (None, 3_400_000, " ▼ 3.4 MB more "),
        (0, 5, " ▼ more "),
    ],
)
def test_the_pill_counts_what_it_knows(lines_more: int | None, more: int, expected: str) -> None:
    """Lines once they are counted, bytes before, and neither for a part of a line."""
    assert log_rows.pill(lines_more, more) == expected


def test_times_are_those_of_the_first_look() -> None:
    """A byte has the time of the look that saw it first; earlier bytes have none."""
    seen = SeenTimes()
    seen.start(100)
    seen.grown(150, 10.0)
    seen.grown(200, 20.0)
    assert [seen.at(i) for i in (0, 99, 100, 149, 150, 199, 200)] == [None, None, 10.0, 10.0, 20.0, 20.0, None]
    assert log_rows.time_gutter(None).strip() == "·"
    assert log_rows.time_gutter(3661.0) == "01:01:01 "


def test_old_times_are_forgotten_in_the_end() -> None:
    """The list stays small; forgotten times are unknown, later ones stay correct."""
    seen = SeenTimes()
    for i in range(1, 50_001):
        seen.grown(i * 10, float(i))
    assert len(seen._times) <= 20_000
    assert seen.at(5) is None
    assert seen.at(499_995) == 50_000.0
