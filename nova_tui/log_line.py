"""One line of a log of any length, as it is shown."""

from __future__ import annotations

import re

from rich.segment import Segment

from nova_core.files.log_index import LogIndex
from nova_tui.ansi import MAX_LINE, line_segments, split_sgr

_AGAIN = re.compile(rb"\r(?!\Z)|\x1b\[[01]?G")  # from here on, everything is written over
MOVES = re.compile(rb"\x08|\r(?!\n)|\x1b\[[0-9;]*[G`CaDKJXP@]")  # a line with one may show what its bytes do not have


def is_rewritten(index: LogIndex, start: int) -> bool:
    """Returns True if the long line that begins at `start` is written over: then only its last state is shown."""
    return _AGAIN.search(index.read(start, start + MAX_LINE)) is not None


def segments_at(index: LogIndex, start: int, end: int) -> list[Segment]:
    """The line from `start` to `end`, which may include its newline.

    Of a long line, its beginning; but of one that was written over again and again (progress), what stands there last.
    """
    raw = index.read(start, min(end, start + MAX_LINE))
    ended = raw.endswith(b"\n")
    if end - start > MAX_LINE and is_rewritten(index, start):
        last = index.read(end - MAX_LINE, end).removesuffix(b"\n").removesuffix(b"\r")
        if again := _AGAIN.search(last):
            return split_sgr(last[again.end() :].decode("utf-8", "replace"))
    return line_segments(raw.removesuffix(b"\n"), end - start - ended)
