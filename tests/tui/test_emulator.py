"""A worker's terminal is drawn as a terminal shows it, and nothing it asks for is answered or passed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from nova_tui.emulator import Emulator


def shown(*pieces: bytes, size: tuple[int, int] = (20, 4)) -> list[str]:
    """The rows of a terminal that is fed these pieces."""
    emulator = Emulator(*size)
    for piece in pieces:
        emulator.feed(piece)
    return emulator.text


def test_full_screen_programs_draw_where_they_want() -> None:
    """The other screen comes and goes: what was there before is there again."""
    before = b"$ vi\r\n"
    assert shown(before, b"\x1b[?1049h\x1b[H~\x1b[3;5Htext") == ["~", "", "    text", ""]
    assert shown(before, b"\x1b[?1049h\x1b[Htext", b"\x1b[?1049l$ ") == ["$ vi", "$", "", ""]


@pytest.mark.parametrize(
    "hidden",
    [
        b"\x1b[6n", b"\x1b[c", b"\x1b[>c", b"\x1b[>4;2m", b"\x1b[=1;1u", b"\x1b[?u", b"\x1b[?1$p", b"\x1b[2 q",
        b"\x1b]0;title\x07", b"\x1b]52;c;aGk=\x1b\\", b"\x1bP+q544e\x1b\\", b"\x1b_Gf=100;AAAA\x1b\\",
    ],
)  # fmt: skip
def test_what_is_not_for_the_screen_leaves_no_trace(hidden: bytes) -> None:
    """Questions to the terminal, reports of keys, titles, the clipboard and pictures, however they are cut."""
    for at in range(len(hidden) + 1):
        assert shown(b"a" + hidden[:at], hidden[at:] + b"b")[0] == "ab"


def test_no_output_changes_the_size() -> None:
    """A program asks for 132 columns."""
    emulator = Emulator(20, 4)
    emulator.feed(b"\x1b[?3h\x1b[?3l")
    assert emulator.size == (20, 4)


def test_modes_that_change_keys_are_known() -> None:
    """Arrows of editors, and brackets around a paste."""
    emulator = Emulator(20, 4)
    assert (emulator.application_keys, emulator.brackets_pastes) == (False, False)
    emulator.feed(b"\x1b[?1h\x1b[?2004h")
    assert (emulator.application_keys, emulator.brackets_pastes) == (True, True)


def test_another_size_keeps_the_last_rows() -> None:
    """Rows below the cursor go first, then those at the top."""
    emulator = Emulator(20, 4)
    emulator.feed(b"1\r\n2\r\n3")
    emulator.resize(20, 3)
    assert emulator.text == ["1", "2", "3"]
    emulator.resize(20, 2)
    assert emulator.text == ["2", "3"]
    emulator.feed(b"!")
    assert emulator.text == ["2", "3!"]


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(2, 30), st.integers(2, 8))
def test_any_output_is_drawn_in_its_cells(pieces: list[bytes], columns: int, rows: int) -> None:
    """Whatever a worker prints, each row has the width of the screen and nothing a terminal acts on."""
    emulator = Emulator(12, 5)
    for piece in pieces:
        emulator.feed(b"\x1b[" + piece)
    emulator.resize(columns, rows)
    for y in range(rows):
        text = "".join(segment.text for segment in emulator.row(y, Style()))
        assert cell_len(text) <= columns + 1
        assert "\x1b" not in text
