"""Searches a log of any size in steps, so that the caller can do other work in between."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from rich.segment import Segment

from nova_core.files.log_index import SLICE, LogIndex
from nova_tui.ansi import MAX_LINE, plain
from nova_tui.cells import steady
from nova_tui.log_line import MOVES, is_rewritten, segments_at

_SGR = re.compile(rb"\x1b\[[0-9;:]*m")
# In UTF-8, what `text.clean` and `cells.steady` leave out: joiners, soft hyphens, variants of emoji, skin tones.
_UNSEEN = re.compile(
    b"\xc2\xad|\xe2\x80[\x8b-\x8f]|\xe2\x81[\xa0-\xa4]|\xef\xb8[\x80-\x8f]|\xef\xbb\xbf|\xe2\x83\xa3|\xf0\x9f\x8f[\xbb-\xbf]"
)


class Step(NamedTuple):
    """Progress of a search: the offset reached, and the start of the line found, if any.

    `hidden`: the text is in the part of a long line that is not shown.
    """

    position: int
    found: int | None = None
    hidden: bool = False


class Needle:
    """A text to search for; the case of ASCII letters is ignored unless the text has a capital.

    Colour codes and invisible characters inside a word do not prevent a match, and a line that was written over is
    searched as it is shown. An empty text matches nothing.
    """

    def __init__(self, text: str) -> None:
        self.text = text = steady(text)
        self._fold = text == text.lower()
        self._bytes = text.encode("utf-8", "replace")
        self._pattern = re.compile(re.escape(text), re.ASCII | re.IGNORECASE if self._fold else 0)

    def spans(self, segments: list[Segment]) -> list[tuple[int, int]]:
        """The spans of the text in a shown line, in characters."""
        return [match.span() for match in self._pattern.finditer(plain(segments))] if self.text else []

    def forward(self, index: LogIndex, start: int) -> Iterator[Step]:
        """Search the lines from `start`, the beginning of a line, to the log's end. The last step may be a match."""
        while start < index.size:
            stop = index.line_start(min(start + SLICE, index.size))
            if stop <= start or start + SLICE >= index.size:
                stop = max(index.next_line(start), min(start + SLICE, index.size))
            yield from self._verified(index, self._candidates(index, start, stop), stop)
            start = stop

    def backward(self, index: LogIndex, stop: int) -> Iterator[Step]:
        """Search backwards the lines before `stop`, which is the beginning of a line or the end of the log."""
        while stop > 0:
            start = index.line_start(max(0, stop - SLICE))
            yield from self._verified(index, reversed(self._candidates(index, start, stop)), start)
            stop = start

    def _candidates(self, index: LogIndex, start: int, stop: int) -> list[int]:
        """Starts of the lines whose bytes contain the text; some do not show it (an overwritten progress bar)."""
        data = index.read(start, stop)
        searched = _SGR.sub(b"", data) if b"\x1b[" in data else data
        searched = searched if data.isascii() else _UNSEEN.sub(b"", searched)
        searched = searched.lower() if self._fold else searched
        moves = MOVES.search(data) is not None
        if not self._bytes or not (moves or self._bytes in searched):
            return []
        lines = data.split(b"\n")
        starts = accumulate((len(line) + 1 for line in lines), initial=start)
        return [
            start
            for start, line, text in zip(starts, lines, searched.split(b"\n"), strict=False)
            if self._bytes in text or (moves and len(line) <= MAX_LINE and MOVES.search(line))
        ]

    def _verified(self, index: LogIndex, starts: Iterator[int] | list[int], position: int) -> Iterator[Step]:
        for start in starts:
            end = index.next_line(start)
            if self.spans(segments_at(index, start, end)):
                yield Step(start, start)
            elif end - start > MAX_LINE and not is_rewritten(index, start):
                yield Step(start, start, hidden=True)
            else:
                yield Step(start)
        yield Step(position)


class Tally:
    """Counts the lines of a log that contain a text, step by step; `advance` continues where the log has grown. It
    stops at `MOST` lines, and does not read a log longer than `LONGEST` bytes.
    """

    MOST = 1_000
    LONGEST = 64 << 20

    def __init__(self, needle: Needle, index: LogIndex) -> None:
        self._needle, self._index = needle, index
        self._size = self._position = 0
        self._steps = needle.forward(index, 0)
        self._is_over = False
        self.starts: list[int] = []

    @property
    def is_done(self) -> bool:
        """True if counting is finished."""
        return self.is_cut or (self._is_over and self._size == self._index.size)

    @property
    def is_cut(self) -> bool:
        """True if there may be more matches than were counted."""
        return len(self.starts) >= self.MOST or self._index.size > self.LONGEST

    def advance(self, steps: int = 64) -> bool:
        """Take a few steps, which read about `SLICE` bytes; returns True if more remain."""
        end = self._position + SLICE
        for _ in range(steps):
            if self._position >= end:
                break
            if self.is_done:
                return False
            if self._is_over:
                self._go_on()
            step = next(self._steps, None)
            if step is None:
                self._is_over, self._size = True, self._index.size
                continue
            self._position = step.position
            if step.found is not None:
                self.starts.append(step.found)
        return not self.is_done

    def _go_on(self) -> None:
        """Continue after the log, perhaps also its last line, has grown."""
        last = self._index.line_start(self._size)
        while self.starts and self.starts[-1] >= last:
            self.starts.pop()
        self._is_over, self._position = False, last
        self._steps = self._needle.forward(self._index, last)

    def place(self, match: int | None) -> str:
        """`2 of 3` for the line that begins at `match`, else `3 found`; empty if not yet known."""
        count = f"{len(self.starts):,}{'+' if self.is_cut else ''}"
        here = bisect_left(self.starts, match) if match is not None else len(self.starts)
        if here < len(self.starts) and self.starts[here] == match:
            return f"{here + 1:,} of {count}"
        return f"{count} found" if self.is_done and self.starts else ""
