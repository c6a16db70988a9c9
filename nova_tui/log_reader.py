"""Reading one log: where the window stands, whether it follows, what was searched; no widget, no drawing."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len

from nova_core.clock import Clock
from nova_core.files.log_index import Change, LogIndex
from nova_core.text import size
from nova_tui.ansi import plain
from nova_tui.log_pager import LogPager, Place, Row, SeenTimes
from nova_tui.log_search import Needle, Step
from nova_tui.views.log_rows import TIME_WIDTH


class Gutter(IntEnum):
    """What stands left of the lines."""

    NONE = 0
    TIMES = 1
    NUMBERS = 2


class Mark(NamedTuple):
    """Where a window stands."""

    top: Place
    following: bool


class LogReader:
    """A window of `width` by `height` cells over one log.

    While it follows, it shows the end of what the path names. Else it stays on its lines: what is new is only counted,
    and a log that was rotated away stays until `follow`. `poll`, which the owner calls a few times a second, and every
    move read the pages they need and no more; `count` reads on towards line numbers.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.width, self.height = 80, 24
        self.top = Place()
        self.left = 0
        self.following = True
        self.gutter = Gutter.NONE
        self.renewed = False
        self.needle: Needle | None = None
        self.match: int | None = None
        self.epoch = 0
        self._clock = clock
        self.index = LogIndex(path)
        self.pager = LogPager(self.index)
        self.seen = SeenTimes()
        self.seen.start(self.index.size)
        self._paused_at = 0
        self._to_end()

    def close(self) -> None:
        """Close the file."""
        self.index.close()

    # what comes

    def poll(self) -> bool:
        """Look at the file; whether something that is shown may have changed."""
        change = self.index.poll()
        if change is Change.NONE:
            return False
        if change is Change.RENEWED:
            return self._renew()
        if change is Change.CUT:
            self._void(known_since=0)
        self.seen.grown(self.index.size, self._clock.now())
        if self.following:
            self._to_end()
        return True

    def _renew(self) -> bool:
        """Another file has the log's name: go there unless the old one is being read."""
        if not self.following and self.index.is_open:
            changed = not self.renewed
            self.renewed = True
            return changed
        was_open = self.index.is_open
        self.index.reopen()
        # Where no log was, all is new; but what replaces one may be old: a log that was cut to its limit.
        self._void(known_since=self.index.size if was_open else 0)
        if not was_open:
            self.seen.grown(self.index.size, self._clock.now())
        self._to_end()
        return True

    def _void(self, *, known_since: int) -> None:
        """All offsets are void."""
        self.renewed = False
        self.match = None
        self.epoch += 1
        self.pager.clear()
        self.seen.start(known_since)
        self._paused_at = min(self._paused_at, self.index.size)
        self.top = self.pager.fit(self.top)

    def count(self) -> bool:
        """Count a slice of the newlines; whether more is left."""
        return self.index.advance()

    # where it stands

    @property
    def text_width(self) -> int:
        """Cells for the text: without gutter and thumb."""
        return max(1, self.width - self.gutter_width - 1)

    @property
    def gutter_width(self) -> int:
        """Cells of the gutter; line numbers take what the last one needs, once it is known."""
        if self.gutter is Gutter.TIMES:
            return TIME_WIDTH
        return max(5, len(str(self.index.newlines + 1))) + 1 if self.gutter is Gutter.NUMBERS else 0

    @property
    def gutter_note(self) -> str:
        """What the gutter's times are: logs hold none of their own."""
        return "times: when Nova saw the line" if self.gutter is Gutter.TIMES else ""

    def page(self) -> list[Row]:
        """The rows of the window."""
        self.pager.width = self.text_width
        return self.pager.page(self.top, self.height)

    def resize(self, width: int, height: int) -> None:
        """The window has another size."""
        self.width, self.height = width, max(1, height)
        self._refit()

    def _refit(self) -> None:
        """Stay on the same line, or at the end, after the rows have changed."""
        self.pager.width = self.text_width
        if self.following:
            self._to_end()
        else:
            self.top = min(self.pager.fit(self.top), self._last())

    def _last(self) -> Place:
        self.pager.width = self.text_width
        return self.pager.last(self.height)

    def _to_end(self) -> None:
        self.top = self._last()

    def follow(self, on: bool) -> None:
        """Follow the end from now on, or stay."""
        if on == self.following and not (on and self.renewed):
            return
        self.following = on
        if not on:
            self._paused_at = self.index.size
            return
        if self.renewed:
            self._renew()
        self._to_end()

    def move(self, rows: int) -> None:
        """Move by rows; at the end it follows again."""
        self.pager.width = self.text_width
        self._go(self.pager.shift(self.top, rows))

    def mark(self) -> Mark:
        """Where the window stands, for `back_to`."""
        return Mark(self.top, self.following)

    def back_to(self, mark: Mark) -> None:
        """To where it stood; what has come since is shown if it followed."""
        self.follow(mark.following)
        if not mark.following:
            self.top = min(self.pager.fit(mark.top), self._last())

    def home(self) -> None:
        """To the first line."""
        self._go(Place())

    def seek(self, share: float) -> None:
        """To a share (0 to 1) of the bytes."""
        if self.index.size:
            self._go(Place(self.index.line_start(int(min(max(share, 0.0), 1.0) * (self.index.size - 1)))))

    def _go(self, place: Place) -> None:
        last = self._last()
        self.follow(place >= last and not self.renewed)
        self.top = min(place, last)

    def sideways(self, cells: int) -> None:
        """Move to the right or, if negative, to the left; a wrapped log has nothing there."""
        widest = max((cell_len(plain(row.segments)) for row in self.page()), default=0)
        self.left = 0 if self.pager.wrap else max(0, min(self.left + cells, widest - self.text_width // 2))

    def toggle_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.pager.wrap = not self.pager.wrap
        self.left = 0
        self.top = Place(self.top.start)
        self._refit()

    def next_gutter(self) -> None:
        """Nothing, times, numbers, nothing."""
        self.gutter = Gutter((self.gutter + 1) % len(Gutter))
        self._refit()

    # searching

    def begin(self, text: str) -> Iterator[Step]:
        """Look for another text: upwards from the end while it follows, else downwards from the top of the window."""
        self.needle = Needle(text) if text else None
        self.match = None
        return self.find(down=not self.following)

    def find(self, *, down: bool) -> Iterator[Step]:
        """Slices of the search for the next match; it ends at either end of the log, or when the log is another."""
        if self.needle is None:
            return
        epoch = self.epoch
        start = self._origin(down)
        for step in self.needle.forward(self.index, start) if down else self.needle.backward(self.index, start):
            if epoch != self.epoch:
                return
            yield step

    def _origin(self, down: bool) -> int:
        """Next to the last match if that is in the window, else at the window."""
        if self.match is not None and any(row.place.start == self.match for row in self.page()):
            return self.index.next_line(self.match) if down else self.match
        return self.index.size if self.following and not down else self.top.start

    def show(self, step: Step) -> None:
        """Move the window so that the line that was found stands in its upper third, and the match in its width."""
        if step.found is None or self.needle is None:
            return
        self.match = step.found
        self.follow(False)
        self.pager.width = self.text_width
        part, cell = self._match_at(step.found)
        self.top = min(self.pager.shift(Place(step.found, part), -(self.height // 3)), self._last())
        if not self.pager.wrap and not self.left <= cell < self.left + self.text_width - len(self.needle.text):
            self.left = max(0, cell - self.text_width // 2) if cell >= self.text_width else 0

    def _match_at(self, start: int) -> tuple[int, int]:
        """Which row of the line at `start` holds its first match, and in which cell of that."""
        assert self.needle is not None
        rows = self.pager.rows(start)[1]
        for part, segments in enumerate(rows):
            spans = self.needle.spans(segments)
            if spans:
                return part, cell_len(plain(segments)[: spans[0][0]])
        return 0, 0

    # what to say

    def new_lines(self) -> tuple[int | None, int]:
        """What came since it stopped following: lines, once they are counted, and bytes."""
        more = max(0, self.index.size - self._paused_at)
        before = self.index.line_number(self._paused_at)
        counted = before is not None and self.index.indexed >= self.index.size
        return (self.index.newlines - (before or 0) if counted else None), more

    def line_of_top(self) -> int | None:
        """The number of the first line of the window, from 1; None as long as it is not counted."""
        number = self.index.line_number(self.top.start)
        return None if number is None else number + 1

    def lines(self) -> int | None:
        """How many lines there are; None as long as they are not counted."""
        if self.index.indexed < self.index.size:
            return None
        unfinished = self.index.size > 0 and self.index.read(self.index.size - 1, self.index.size) != b"\n"
        return self.index.newlines + unfinished

    def position(self) -> str:
        """Where the window stands, in words."""
        total = self.lines()
        if total is None:
            return f"{self.top.start * 100 // max(1, self.index.size)}% of {size(self.index.size)}"
        if self.following:
            return f"{total:,} lines"
        return f"line {self.line_of_top() or 1:,} of {total:,}"
