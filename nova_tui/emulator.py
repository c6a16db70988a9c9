"""What a worker's terminal shows: its output, drawn into cells by a terminal emulator that answers nothing."""

from __future__ import annotations

import re
from contextlib import suppress
from copy import copy
from functools import lru_cache
from typing import Any

import pyte
from rich.color import Color, ColorParseError
from rich.segment import Segment
from rich.style import Style

from nova_core.text import clean

_COLUMNS = 3
_PRIVATE = 5  # bits by which pyte shifts the numbers of private modes
_CURSOR_KEYS, _CURSOR, _PASTES = 1 << _PRIVATE, 25 << _PRIVATE, 2004 << _PRIVATE
_OTHER_SCREENS = {number << _PRIVATE for number in (47, 1047, 1049)}
# What changes no cell, and what pyte takes for something else: questions, reports of keys, titles, the clipboard.
_STRING = rb"\x1b[P_^X\]][^\x07\x1b]*"
_NOT_DRAWN = re.compile(
    rb"\x1b\[(?:[<=>][0-?]*[ -/]*|[0-?]*[ -/]+)[@-~]|\x1b\[\?[0-9;]*u|" + _STRING + rb"(?:\x07|\x1b\\)"
)
_BEGUN = re.compile(rb"(?:\x1b(?:\[[0-?]*[ -/]*)?|" + _STRING + rb"\x1b?)\Z")
_LONGEST = 1 << 16  # bytes of a sequence that does not end


class _Cells(pyte.Screen):
    """Also has the other screen of xterm, on which editors and pagers draw: what was there before comes back."""

    def __init__(self, columns: int, lines: int) -> None:
        self._kept: dict[int, Any] | None = None
        super().__init__(columns, lines)

    def set_mode(self, *modes: int, **options: Any) -> None:
        super().set_mode(*_sizeless(modes, options), **options)
        if self._kept is None and options.get("private") and any(m << _PRIVATE in _OTHER_SCREENS for m in modes):
            self._kept = {y: copy(line) for y, line in self.buffer.items()}
            self.save_cursor()
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **options: Any) -> None:
        super().reset_mode(*_sizeless(modes, options), **options)
        if self._kept is not None and options.get("private") and any(m << _PRIVATE in _OTHER_SCREENS for m in modes):
            kept, self._kept = self._kept, None
            self.buffer.clear()
            self.buffer.update(kept)
            self.dirty.update(range(self.lines))
            self.restore_cursor()


def _sizeless(modes: tuple[int, ...], options: dict[str, Any]) -> tuple[int, ...]:
    """The modes without the one that would change the width (DECCOLM): the screen has the size of its view."""
    return tuple(mode for mode in modes if mode != _COLUMNS or not options.get("private"))


class Emulator:
    """A terminal of `columns` x `rows` cells that shows what it is fed."""

    def __init__(self, columns: int, rows: int) -> None:
        self._screen = _Cells(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._held = b""  # a sequence whose end has not come yet

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self._screen.columns, self._screen.lines

    @property
    def application_keys(self) -> bool:
        """True if arrow keys send their other sequences (DECCKM)."""
        return _CURSOR_KEYS in self._screen.mode

    @property
    def brackets_pastes(self) -> bool:
        """True if the program wants a mark at both ends of a pasted text."""
        return _PASTES in self._screen.mode

    def resize(self, columns: int, rows: int) -> None:
        """Set the size; rows that no longer fit leave below the cursor first, then at the top."""
        screen = self._screen
        gone, y = screen.lines - rows, screen.cursor.y
        over = max(0, y + 1 - rows)
        if gone > over:  # pyte removes rows only at the top
            screen.save_cursor()
            screen.cursor_position()
            screen.insert_lines(gone - over)
            screen.restore_cursor()
        screen.resize(rows, columns)
        screen.cursor.y = y - over

    def feed(self, data: bytes) -> None:
        """Draw what the worker printed. A sequence that the emulator does not understand is left out."""
        data = self._held + data
        begun = _BEGUN.search(data)
        data, self._held = (data[: begun.start()], data[begun.start() :]) if begun else (data, b"")
        if len(self._held) > _LONGEST:
            self._held = self._held[:2]
        data = _NOT_DRAWN.sub(b"", data)
        while data:
            line, newline, data = data.partition(b"\n")
            try:
                self._stream.feed(line + newline)
            except Exception:  # pyte raises for some sequences with strange arguments
                with suppress(Exception):
                    self._stream = pyte.ByteStream(self._screen)

    def row(self, y: int, base: Style) -> list[Segment]:
        """A row as segments, with the cursor; `base` is the style of cells without a style of their own."""
        line, cursor = self._screen.buffer[y], self._screen.cursor
        at = cursor.x if cursor.y == y and _CURSOR in self._screen.mode else -1
        found: list[Segment] = []
        for x in range(self._screen.columns):
            cell = line[x]
            if cell.data == "":  # the second half of a wide character
                continue
            style = base + _style(*cell[1:])
            if x == min(at, self._screen.columns - 1):
                style += Style(reverse=not cell.reverse)
            text = clean(cell.data) or " "
            if found and found[-1].style == style:
                found[-1] = Segment(found[-1].text + text, style)
            else:
                found.append(Segment(text, style))
        return found

    @property
    def text(self) -> list[str]:
        """The rows as text."""
        return [row.rstrip() for row in self._screen.display]


@lru_cache(4096)
def _style(
    fg: str, bg: str, bold: bool, italics: bool, underscore: bool, strikethrough: bool, reverse: bool, blink: bool
) -> Style:
    return Style(
        color=_colour(fg), bgcolor=_colour(bg), bold=bold or None, italic=italics or None,
        underline=underscore or None, strike=strikethrough or None, reverse=reverse or None,
    )  # fmt: skip


def _colour(name: str) -> Color | None:
    if name == "default":
        return None
    word = name.replace("brown", "yellow")
    word = f"bright_{word.removeprefix('bright')}" if word.startswith("bright") else word
    try:
        return Color.parse(word if not _is_hex(name) else f"#{name}")
    except ColorParseError:
        return None


def _is_hex(name: str) -> bool:
    return len(name) == 6 and all(character in "0123456789abcdefABCDEF" for character in name)
