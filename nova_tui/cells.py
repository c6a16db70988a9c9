"""Text that every terminal draws in as many cells, and lines that a program wrote over. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Generic, TypeVar

from rich.cells import cell_len

TAB = 8
_EDGE = 512  # columns; programs that move to column 999 mean the last one
# Terminals disagree on the width of these: variation selectors, the keycap, skin tones, and flags, which are pairs of
# letters or a black flag with tags (Unicode Technical Standard 51).
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef\u20e3"
_LETTERS = "\U0001f1e6-\U0001f1ff"
_DISPUTED = re.compile(
    f"[{_SELECTORS}]|(?P<letter>[{_LETTERS}])|(?<=\\S)[\U0001f3fb-\U0001f3ff]|(?<=\U0001f3f4)[\U000e0020-\U000e007f]+"
)
_JAMO = re.compile("[\u1160-\u11ff]")  # vowels and final consonants of a decomposed Hangul syllable

Pen = TypeVar("Pen")


def steady(text: str) -> str:
    """The text without what terminals disagree on: emoji lose their variants, flags become letters, as in `DE`."""
    if text.isascii():
        return text
    if _JAMO.search(text):
        text = unicodedata.normalize("NFC", text)
    return _DISPUTED.sub(_settled, text)


def is_steady(text: str) -> bool:
    """Returns True if `steady` would not change the text."""
    return text.isascii() or not (_DISPUTED.search(text) or _JAMO.search(text))


def _settled(match: re.Match[str]) -> str:
    letter = match["letter"]
    return chr(ord(letter) - 0x1F1E6 + ord("A")) if letter else ""


class Cells(Generic[Pen]):
    """One line of a terminal without a right edge: what is written replaces what stood there (ECMA-48, 8.3).

    `most` is the number of cells; what lies beyond is not kept.
    """

    def __init__(self, blank: Pen, most: int) -> None:
        self._blank, self._most = blank, most
        self._cells: list[tuple[str, Pen]] = []  # the second half of a wide character is an empty text
        self._at = 0

    def put(self, text: str, pen: Pen) -> None:
        """Write printable text and tabs."""
        for character in text:
            width = cell_len(character)
            if character == "\t":
                self.move_to(self._at + TAB - self._at % TAB)
            elif not width:
                self._combine(character)
            elif self._at + width <= self._most:
                self._reach(self._at + width)
                self._part(self._at)
                self._part(self._at + width)
                self._cells[self._at : self._at + width] = [(character, pen), *[("", pen)] * (width - 1)]
                self._at += width

    def move_to(self, column: int) -> None:
        """Move to a column, from 0."""
        self._at = min(max(0, column), max(_EDGE, len(self._cells)), self._most)

    def move(self, columns: int) -> None:
        """Move right or, if negative, left."""
        self.move_to(self._at + columns)

    def erase(self, which: int) -> None:
        """Erase from here to the end (0), from the beginning to here (1), or everything (2): EL."""
        if which == 0:
            self._part(self._at)
            del self._cells[self._at :]
        else:
            self.blank(0, self._at + 1 if which == 1 else len(self._cells))

    def blank(self, start: int, end: int) -> None:
        """Erase the cells from `start` to `end`."""
        end = min(end, len(self._cells))
        if start < end:
            self._part(start)
            self._part(end)
            self._cells[start:end] = [(" ", self._blank)] * (end - start)

    def erase_here(self, count: int) -> None:
        """Erase `count` cells from here: ECH."""
        self.blank(self._at, self._at + count)

    def delete(self, count: int) -> None:
        """Delete `count` cells from here; the rest moves left: DCH."""
        end = min(self._at + count, len(self._cells))
        self._part(self._at)
        self._part(end)
        del self._cells[self._at : end]

    def insert(self, count: int) -> None:
        """Insert `count` blank cells; the rest moves right: ICH."""
        self._reach(self._at)
        self._part(self._at)
        self._cells[self._at : self._at] = [(" ", self._blank)] * min(count, self._most)
        del self._cells[self._most :]

    def runs(self) -> Iterator[tuple[str, Pen]]:
        """The text, in pieces of one pen."""
        text, last = "", self._blank
        for character, pen in self._cells:
            if pen != last and text:
                yield text, last
                text = ""
            text, last = text + character, pen
        if text:
            yield text, last

    def _combine(self, character: str) -> None:
        """Add a character without a width to the one before."""
        before = next((n for n in range(min(self._at, len(self._cells)) - 1, -1, -1) if self._cells[n][0]), None)
        if before is not None:
            text, pen = self._cells[before]
            self._cells[before] = (text + character, pen)

    def _reach(self, count: int) -> None:
        missing = min(count, self._most) - len(self._cells)
        if missing > 0:
            self._cells += [(" ", self._blank)] * missing

    def _part(self, column: int) -> None:
        """A wide character of which one half is replaced leaves a blank."""
        if 0 < column < len(self._cells) and not self._cells[column][0]:
            for half in (column - 1, column):
                self._cells[half] = (" ", self._cells[half][1])
