"""Pages of a log: the rows a window shows from a given place, wrapped or not, without counting lines."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from typing import NamedTuple

from rich.cells import chop_cells
from rich.segment import Segment

from nova_core.files.log_index import LogIndex
from nova_tui.agent_lines import agent_rows
from nova_tui.ansi import plain
from nova_tui.log_line import segments_at

_CACHED_LINES = 512
_MARKS = 20_000


class Place(NamedTuple):
    """A row of a log: the byte offset of its line, and its number in the wrapped line."""

    start: int = 0
    part: int = 0


class Mark(NamedTuple):
    """The position of a window."""

    top: Place
    following: bool


class Row(NamedTuple):
    """One row as text; whether it `continues` that of the previous row, which was wrapped."""

    place: Place
    segments: list[Segment]
    continues: bool = False


class LogPager:
    """Rows of a log index for a window `width` cells wide. Rows are cached; a growing line is drawn again."""

    def __init__(self, index: LogIndex) -> None:
        self.index = index
        self.wrap = False
        self.is_readable = False  # what agents print as JSON is shown in words
        self.width = 80
        self.lines_made = 0
        self._cache: OrderedDict[int, tuple[tuple[int, int, bool], list[list[Segment]], bool]] = OrderedDict()

    def clear(self) -> None:
        """Clear the cache when offsets become invalid."""
        self._cache.clear()

    def rows(self, start: int) -> tuple[int, list[list[Segment]]]:
        """The start of the next line, and the rows (at least one) of the line at `start`."""
        end = self.index.next_line(start)
        key = (end, self.width if self.wrap else 0, self.is_readable)
        found = self._cache.get(start)
        if found is None or found[0] != key:
            found = self._cache[start] = (key, *self._make(start, end))
            if len(self._cache) > _CACHED_LINES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(start)
        return end, found[1]

    def texts(self, start: int) -> list[str]:
        """The line at `start` as it is shown, unwrapped: in words, it may be several lines."""
        end = self.index.next_line(start)
        told = self._told(start, end)
        return [plain(segments) for segments in told or [segments_at(self.index, start, end)]]

    def _told(self, start: int, end: int) -> list[list[Segment]]:
        return agent_rows(self.index, start, end) if self.is_readable else []

    def _make(self, start: int, end: int) -> tuple[list[list[Segment]], bool]:
        """The rows, and whether they say in words what the line has."""
        self.lines_made += 1
        told = self._told(start, end)
        lines = told or [segments_at(self.index, start, end)]
        rows = [row for line in lines for row in wrapped(line, self.width)] if self.wrap else lines
        return rows, bool(told)

    def is_told(self, start: int) -> bool:
        """Returns True if the line at `start` is shown in words."""
        self.rows(start)
        return self._cache[start][2]

    def page(self, top: Place, height: int) -> list[Row]:
        """At most `height` rows from `top` on."""
        page: list[Row] = []
        start, part = top
        while len(page) < height and start < self.index.size:
            end, rows = self.rows(start)
            is_told, first = self._cache[start][2], min(part, len(rows) - 1)
            page += [Row(Place(start, n), rows[n], n > 0 and not is_told) for n in range(first, len(rows))]
            start, part = end, 0
        return page[:height]

    def shift(self, place: Place, by: int) -> Place:
        """The place `by` rows further down (up if negative), limited to the log's ends."""
        start, part = place
        if by < 0:
            return self._up(start, part, -by)
        while by > 0 and start < self.index.size:
            end, rows = self.rows(start)
            if part + by < len(rows):
                return Place(start, part + by)
            if end >= self.index.size:
                return Place(start, len(rows) - 1)
            by -= len(rows) - part
            start, part = end, 0
        return Place(start, part)

    def _up(self, start: int, part: int, by: int) -> Place:
        while by > part and start > 0:
            by -= part + 1
            start = self.index.line_start(start - 1)
            part = len(self.rows(start)[1]) - 1
        return Place(start, max(0, part - by))

    def last(self, height: int) -> Place:
        """The top of the last page of `height` rows."""
        if not self.index.size:
            return Place()
        start = self.index.line_start(self.index.size - 1)
        return self._up(start, len(self.rows(start)[1]) - 1, height - 1)

    def fit(self, place: Place) -> Place:
        """The place of the same line after a change of width, or the nearest one."""
        if not self.index.size:
            return Place()
        start = self.index.line_start(min(place.start, self.index.size - 1))
        return Place(start, min(place.part, len(self.rows(start)[1]) - 1))


def wrapped(segments: list[Segment], width: int) -> list[list[Segment]]:
    """The segments split into rows of at most `width` cells; at least one row, which may be empty."""
    rows: list[list[Segment]] = []
    rest = list(reversed(segments))
    for text in chop_cells(plain(segments), max(1, width)):
        row: list[Segment] = []
        missing = len(text)
        while missing > 0:
            segment = rest.pop()
            if len(segment.text) > missing:
                rest.append(Segment(segment.text[missing:], segment.style))
                segment = Segment(segment.text[:missing], segment.style)
            row.append(segment)
            missing -= len(segment.text)
        rows.append(row)
    return rows or [[]]


class SeenTimes:
    """When bytes of a log were first seen, in seconds since the epoch: logs contain no times.

    Bytes present at the first look have no time.
    """

    def __init__(self) -> None:
        self.start(0)

    def start(self, size: int) -> None:
        """Begin with a log of `size` bytes whose times are unknown."""
        self._first = size
        self._sizes: list[int] = []
        self._times: list[float] = []

    def grown(self, size: int, now: float) -> None:
        """Record that the log had `size` bytes at `now`."""
        self._sizes.append(size)
        self._times.append(now)
        if len(self._sizes) > _MARKS:
            # Drop the times of the older half instead of reducing the precision of all.
            self._first = self._sizes[_MARKS // 2 - 1]
            del self._sizes[: _MARKS // 2], self._times[: _MARKS // 2]

    def at(self, offset: int) -> float | None:
        """When the byte at `offset` was first seen; None if unknown."""
        if offset < self._first:
            return None
        found = bisect_right(self._sizes, offset)
        return self._times[found] if found < len(self._times) else None
