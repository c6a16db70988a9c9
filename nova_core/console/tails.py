"""The last lines of a log, safe to show: a worker may print anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from nova_core.text import clean, head_and_tail

MAX_WIDTH = 300
_PIECE = 65_536
_MOST = 8 << 20  # bytes read back for the last lines: those of agents may have megabytes each
_HALF = 1_000  # characters at each end of a very long line that are cleaned
_HOLE = b"\0" * 4096  # where the middle of a growing log was freed


def open_log(path: Path) -> int | None:
    """Open the log. None if there is none; symbolic links, pipes and devices are not accepted."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def tail(path: Path, count: int) -> list[str]:
    """The last `count` lines that are not empty, cleaned and cut to `MAX_WIDTH`; empty if there is no log."""
    descriptor = open_log(path)
    if descriptor is None:
        return []
    with os.fdopen(descriptor, "rb") as file:
        lines = (shown_line(line.decode("utf-8", "replace")) for line in _lines_back(file.fileno()))
        return list(islice(filter(None, lines), count))[::-1]


def _lines_back(descriptor: int) -> Iterator[bytes]:
    """The lines of a file from its end; of what is too far back, or was freed, nothing."""
    end = size = os.fstat(descriptor).st_size
    held: list[bytes] = []  # the pieces of the line whose end was read, the last one first
    while end > 0 and size - end < _MOST:
        start = max(0, end - _PIECE)
        piece, end = os.pread(descriptor, end - start, start), start
        _, freed, piece = piece.rpartition(_HOLE)
        first, *lines = piece.split(b"\n")
        if lines:
            yield lines.pop() + b"".join(reversed(held))
            yield from reversed(lines)
            held = []
        held.append(first)
        if freed:
            break
    yield b"".join(reversed(held))


def shown_line(line: str) -> str:
    """The text a terminal would show for one line: a carriage return restarts it (progress bars)."""
    shown = next((part for part in reversed(line.split("\r")) if part.strip()), "")
    if len(shown) <= 4 * _HALF:
        return head_and_tail(clean(shown), MAX_WIDTH).rstrip()
    kept = MAX_WIDTH // 2 - 20
    head, end = clean(shown[:_HALF])[:kept], clean(shown[-_HALF:])[-kept:]
    return f"{head} … {len(shown) - 2 * kept:,} characters left out … {end}".rstrip()
