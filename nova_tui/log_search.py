"""Searching a log of any size in slices, so that whoever asks stays awake between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from rich.segment import Segment

from nova_core.logindex import SLICE, LogIndex
from nova_tui.ansi import MAX_LINE, line_segments, plain

_SGR = re.compile(rb"\x1b\[[0-9;:]*m")


class Step(NamedTuple):
    """How far a search has come: the offset looked up to, and the line found, if one was.

    `hidden` says that the text is in the part of a long line that is not shown.
    """

    position: int
    found: int | None = None
    hidden: bool = False


class Needle:
    """A text to look for: as it is written, or without regard to the case of ASCII letters if it has no capital.

    Colours inside of a word do not hide it. A text without any character matches nothing.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._fold = text == text.lower()
        self._bytes = text.encode("utf-8", "replace")
        self._pattern = re.compile(re.escape(text), re.ASCII | re.IGNORECASE if self._fold else 0)

    def spans(self, segments: list[Segment]) -> list[tuple[int, int]]:
        """Where the text stands in a line that is shown, in characters."""
        return [match.span() for match in self._pattern.finditer(plain(segments))] if self.text else []

    def forward(self, index: LogIndex, start: int) -> Iterator[Step]:
        """Look at the lines from `start`, which begins one, to the end of the log. The last step may be a find."""
        while start < index.size:
            stop = index.line_start(min(start + SLICE, index.size))
            if stop <= start or start + SLICE >= index.size:
                stop = max(index.next_line(start), min(start + SLICE, index.size))
            yield from self._verified(index, self._candidates(index, start, stop), stop)
            start = stop

    def backward(self, index: LogIndex, stop: int) -> Iterator[Step]:
        """Look at the lines before `stop`, which begins one or ends the log, from the last to the first."""
        while stop > 0:
            start = index.line_start(max(0, stop - SLICE))
            yield from self._verified(index, reversed(self._candidates(index, start, stop)), start)
            stop = start

    def _candidates(self, index: LogIndex, start: int, stop: int) -> list[int]:
        """Starts of the lines whose bytes hold the text; some show it nowhere (an overwritten progress bar)."""
        data = index.read(start, stop)
        searched = _SGR.sub(b"", data) if b"\x1b[" in data else data
        searched = searched.lower() if self._fold else searched
        if not self._bytes or self._bytes not in searched:
            return []
        starts = accumulate((len(line) + 1 for line in data.split(b"\n")), initial=start)
        return [s for s, line in zip(starts, searched.split(b"\n"), strict=False) if self._bytes in line]

    def _verified(self, index: LogIndex, starts: Iterator[int] | list[int], position: int) -> Iterator[Step]:
        for start in starts:
            end = index.next_line(start)
            raw = index.read(start, min(end, start + MAX_LINE)).removesuffix(b"\n")
            if self.spans(line_segments(raw, end - start)):
                yield Step(start, start)
            elif end - start > MAX_LINE:
                yield Step(start, start, hidden=True)
            else:
                yield Step(start)
        yield Step(position)
