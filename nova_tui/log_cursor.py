"""A cursor on a line of a log, and the lines marked from there to copy them without a mouse."""

from __future__ import annotations

from collections.abc import Callable

from nova_core.files.log_index import LogIndex

MOST_LINES = 10_000
MOST_BYTES = 1 << 20


class LineCursor:
    """Stands on the line that holds the byte at `offset` of a log, which must not be empty. Offsets must stay valid.

    `shown` gives the text of the line at an offset.
    """

    def __init__(self, index: LogIndex, offset: int, shown: Callable[[int], list[str]]) -> None:
        self._index, self._shown = index, shown
        self.line = index.line_start(min(offset, index.size - 1))
        self.mark: int | None = None

    def move(self, lines: int) -> None:
        """Go down by lines, up if negative, limited to the log's ends."""
        for _ in range(-lines):
            if self.line == 0:
                return
            self.line = self._index.line_start(self.line - 1)
        for _ in range(lines):
            below = self._index.next_line(self.line)
            if below >= self._index.size:
                return
            self.line = below

    def go_to(self, offset: int) -> None:
        """Go to the line that holds the byte at `offset`, or to the last one."""
        self.line = self._index.line_start(min(offset, self._index.size - 1))

    def toggle_mark(self) -> None:
        """Mark lines from here on, or none."""
        self.mark = self.line if self.mark is None else None

    def has(self, start: int) -> bool:
        """Returns True if the line that begins at `start` would be copied."""
        first, last = self._ends()
        return first <= start <= last

    def _ends(self) -> tuple[int, int]:
        other = self.line if self.mark is None else self.mark
        return min(other, self.line), max(other, self.line)

    def count(self) -> int | None:
        """The number of lines that would be copied; None until counted."""
        first, last = map(self._index.line_number, self._ends())
        return None if first is None or last is None else last - first + 1

    def text(self) -> tuple[str, bool]:
        """The lines as they are shown, unwrapped, and whether there are more than may be copied at once."""
        start, last = self._ends()
        lines: list[str] = []
        size = 0
        while start <= last and start < self._index.size:
            if len(lines) >= MOST_LINES or size > MOST_BYTES:
                return "\n".join(lines), True
            texts = self._shown(start)
            lines += texts
            size += sum(map(len, texts))
            start = self._index.next_line(start)
        return "\n".join(lines), False
