"""Reads one log: position of the window, following, searching; no widget, no drawing."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from rich.cells import cell_len

from nova_core.clock import Clock
from nova_core.files.log_index import Change, LogIndex
from nova_core.text import number_of, size
from nova_tui.ansi import plain
from nova_tui.log_cursor import LineCursor
from nova_tui.log_pager import LogPager, Mark, Place, Row, SeenTimes
from nova_tui.log_search import Needle, Step
from nova_tui.views.log_rows import TIME_WIDTH


class Gutter(IntEnum):
    """The content of the column left of the lines."""

    NONE = 0
    TIMES = 1
    NUMBERS = 2


class LogReader:
    """A window of `width` by `height` cells over one log.

    While following, it shows the end of the file at the path. Otherwise it stays on its lines: new output is only
    counted, and a rotated log stays until `follow`. `poll`, which the owner calls a few times a second, and moves
    read only the pages they need; `count` reads the rest of the log to number its lines. `cursor` is the line to copy,
    while lines are chosen: then moves move it, and the window follows it instead of new output.
    """

    def __init__(self, path: Path, clock: Clock, index: LogIndex | None = None) -> None:
        self.path = path
        self.width, self.height = 80, 24
        self.top = Place()
        self.left = 0
        self.following = True
        self.gutter = Gutter.NONE
        self.renewed = False
        self.needle: Needle | None = None
        self.match: int | None = None
        self.cursor: LineCursor | None = None
        self.epoch = 0
        self._clock = clock
        self.index = index or LogIndex(path)
        self.pager = LogPager(self.index)
        self.seen = SeenTimes()
        self.seen.start(self.index.size)
        self._paused_at = 0
        self._to_end()

    def close(self) -> None:
        """Close the file."""
        self.index.close()

    # new output

    def poll(self) -> bool:
        """Check the file; returns True if the shown content may have changed."""
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
        """Another file has the log's name: open it if following, else stay on the old one."""
        if not self.following and self.index.is_open:
            changed = not self.renewed
            self.renewed = True
            return changed
        was_open = self.index.is_open
        self.index.reopen()
        # If there was no log, everything is new; a replacement may be old: a log cut to its limit.
        self._void(known_since=self.index.size if was_open else 0)
        if not was_open:
            self.seen.grown(self.index.size, self._clock.now())
        self._to_end()
        return True

    def _void(self, *, known_since: int) -> None:
        """Invalidate all offsets."""
        self.renewed = False
        self.match = None
        self.cursor = None
        self.epoch += 1
        self.pager.clear()
        self.seen.start(known_since)
        self._paused_at = min(self._paused_at, self.index.size)
        self.top = self.pager.fit(self.top)

    def count(self) -> bool:
        """Count some of the newlines; returns True if more remain."""
        return self.index.advance()

    # position

    @property
    def text_width(self) -> int:
        """Cells for the text, without gutter and scroll thumb."""
        return max(1, self.width - self.gutter_width - 1)

    @property
    def gutter_width(self) -> int:
        """Cells of the gutter; wide enough for the last line number, once known."""
        if self.gutter is Gutter.TIMES:
            return TIME_WIDTH
        return max(5, len(str(self.index.newlines + 1))) + 1 if self.gutter is Gutter.NUMBERS else 0

    @property
    def gutter_note(self) -> str:
        """Explains the gutter's times, as logs contain none."""
        return "times: when Nova saw the line" if self.gutter is Gutter.TIMES else ""

    def page(self) -> list[Row]:
        """The rows of the window."""
        self.pager.width = self.text_width
        return self.pager.page(self.top, self.height)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the window."""
        self.width, self.height = width, max(1, height)
        self._refit()

    def _refit(self) -> None:
        """Stay on the same line, or at the end, after a change of the rows."""
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
        """Start or stop following the end."""
        if on == self.following and not (on and self.renewed):
            return
        self.following = on
        self.cursor = None if on else self.cursor
        if not on:
            self._paused_at = self.index.size
            return
        if self.renewed:
            self._renew()
        self._to_end()

    def move(self, rows: int) -> None:
        """Move by rows; reaching the end resumes following. The cursor moves by lines."""
        self.pager.width = self.text_width
        if self.cursor is not None:
            self.cursor.move(rows)
            self._show_cursor()
        else:
            self._go(self.pager.shift(self.top, rows))

    def mark(self) -> Mark:
        """The position of the window, for `back_to`."""
        return Mark(self.top, self.following)

    def back_to(self, mark: Mark) -> None:
        """Return to a mark; if it was following, show the new end."""
        self.follow(mark.following)
        if not mark.following:
            self.top = min(self.pager.fit(mark.top), self._last())

    def home(self) -> None:
        """Go to the first line."""
        self._point(0) if self.cursor is not None else self._go(Place())

    def end(self) -> None:
        """Go to the last line, and follow; the cursor only goes there."""
        self._point(self.index.size) if self.cursor is not None else self.follow(True)

    # the cursor of copying

    def begin_copy(self) -> bool:
        """Put a cursor on the match in the window, on the last line while following, else on the first one shown."""
        if not self.index.size:
            return False
        shown = {row.place.start for row in self.page()}
        start = self.match if self.match in shown else self.index.size if self.following else self.top.start
        self.follow(False)
        self.cursor = LineCursor(self.index, start or 0, self.pager.texts)
        self._show_cursor()
        return True

    def _point(self, offset: int) -> None:
        assert self.cursor is not None
        self.cursor.go_to(offset)
        self._show_cursor()

    def _show_cursor(self) -> None:
        """Move the window so that the line of the cursor is in it, if possible whole."""
        assert self.cursor is not None
        self.pager.width = self.text_width
        first = Place(self.cursor.line, 0)
        last = Place(self.cursor.line, len(self.pager.rows(self.cursor.line)[1]) - 1)
        lowest = self.pager.shift(last, 1 - self.height)
        self.top = min(max(self.top, lowest), first)

    def seek(self, share: float) -> None:
        """Go to a share (0 to 1) of the bytes."""
        if self.index.size:
            self._go(Place(self.index.line_start(int(min(max(share, 0.0), 1.0) * (self.index.size - 1)))))

    def _go(self, place: Place) -> None:
        last = self._last()
        self.follow(place >= last and not self.renewed)
        self.top = min(place, last)

    def sideways(self, cells: int) -> None:
        """Move right or, if negative, left; does nothing if lines are wrapped."""
        widest = max((cell_len(plain(row.segments)) for row in self.page()), default=0)
        self.left = 0 if self.pager.wrap else max(0, min(self.left + cells, widest - self.text_width // 2))

    def is_cut_at_the_side(self, page: list[Row]) -> bool:
        """Returns True if a line of the page is longer than the window is wide."""
        room = self.text_width
        return not self.pager.wrap and any(cell_len(plain(row.segments)) > room for row in page)

    def toggle_wrap(self) -> None:
        """Toggle between wrapping and cutting long lines."""
        self.pager.wrap = not self.pager.wrap
        self.left = 0
        self.top = Place(self.top.start)
        self._refit()

    def read_aloud(self, on: bool) -> None:
        """Show what agents print as JSON in words, or as it is."""
        self.pager.is_readable, self.left = on, 0
        self.top = Place(self.top.start)
        self._refit()

    def next_gutter(self) -> None:
        """Switch the gutter: nothing, times, numbers, nothing."""
        self.gutter = Gutter((self.gutter + 1) % len(Gutter))
        self._refit()

    # searching

    def begin(self, text: str) -> Iterator[Step]:
        """Search for a new text: upwards from the end while following, else downwards from the top of the window."""
        self.needle = Needle(text) if text else None
        self.match = None
        return self.find(down=not self.following)

    def find(self, *, down: bool) -> Iterator[Step]:
        """Steps of the search for the next match, round the ends of the log: the last place is where it began, so that
        an only match is found again. They end there, or if the log is replaced."""
        if self.needle is None:
            return
        epoch, start = self.epoch, self._origin(down)
        way = self.needle.forward if down else self.needle.backward
        for step in way(self.index, start):
            if epoch != self.epoch:
                return
            yield step
        for step in way(self.index, 0 if down else self.index.size):
            if epoch != self.epoch or (step.position >= start if down else step.position < start):
                return
            yield step

    @property
    def is_match_shown(self) -> bool:
        """True if the last match is in the window."""
        return self.match is not None and any(row.place.start == self.match for row in self.page())

    def _origin(self, down: bool) -> int:
        """Where to search from: next to the last match if it is in the window, else at the window."""
        if self.match is not None and self.is_match_shown:
            return self.index.next_line(self.match) if down else self.match
        return self.index.size if self.following and not down else self.top.start

    def show(self, step: Step) -> None:
        """Move the window so that the found line is in its upper third and the match is within its width."""
        if step.found is None or self.needle is None:
            return
        self.match = step.found
        self.follow(False)
        if self.cursor is not None:
            self.cursor.go_to(step.found)
        self.pager.width = self.text_width
        part, cell = self._match_at(step.found)
        self.top = min(self.pager.shift(Place(step.found, part), -(self.height // 3)), self._last())
        if not self.pager.wrap and not self.left <= cell < self.left + self.text_width - len(self.needle.text):
            self.left = max(0, cell - self.text_width // 2) if cell >= self.text_width else 0

    def _match_at(self, start: int) -> tuple[int, int]:
        """The row and cell of the first match in the line at `start`."""
        assert self.needle is not None
        rows = self.pager.rows(start)[1]
        for part, segments in enumerate(rows):
            spans = self.needle.spans(segments)
            if spans:
                return part, cell_len(plain(segments)[: spans[0][0]])
        return 0, 0

    # status

    def new_lines(self) -> tuple[int | None, int]:
        """New output since it stopped following: lines (None until counted) and bytes."""
        more = max(0, self.index.size - self._paused_at)
        before = self.index.line_number(self._paused_at)
        counted = before is not None and self.index.indexed >= self.index.size
        return (self.index.newlines - (before or 0) if counted else None), more

    def line_of_top(self) -> int | None:
        """The number of the first line of the window, from 1; None until counted."""
        number = self.index.line_number(self.top.start)
        return None if number is None else number + 1

    def lines(self) -> int | None:
        """The number of lines; None until counted."""
        if self.index.indexed < self.index.size:
            return None
        unfinished = self.index.size > 0 and self.index.read(self.index.size - 1, self.index.size) != b"\n"
        return self.index.newlines + unfinished

    def position(self) -> str:
        """The position of the window, in words."""
        total = self.lines()
        if total is None:
            return f"{self.top.start * 100 // max(1, self.index.size)}% of {size(self.index.size)}"
        if self.following:
            return number_of(total, "line")
        return f"line {self.line_of_top() or 1:,} of {total:,}"
