"""How much of a log its limit has left out: said by the line in its middle, or shown by the hole in its file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nova_core.files.holes import next_data, next_hole
from nova_core.files.plain_file import open_plain
from nova_core.holder.log_cap import MARK
from nova_core.text import size

MARK_LINE = re.compile(re.escape(MARK).replace(re.escape("{cut}"), r"(\d{1,19})").encode())
_AROUND = 512 << 10  # bytes before and after the middle: head and tail are of equal length, but for one line each


def said_cut(fd: int) -> int:
    """The bytes that the line in the middle of the file says were cut; 0 without one."""
    length = os.fstat(fd).st_size
    start = max(0, length // 2 - _AROUND)
    data = os.pread(fd, 2 * _AROUND, start)
    found = [m for m in MARK_LINE.finditer(data) if not (start + m.start()) or data[m.start() - 1 : m.start()] == b"\n"]
    nearest = min(found, key=lambda m: abs(length - 2 * start - m.start() - m.end()), default=None)
    return int(nearest[1]) if nearest else 0


def freed(fd: int) -> int:
    """The bytes of the first hole in the file: what was released while the log still grows; 0 without one."""
    length = os.fstat(fd).st_size
    hole = next_hole(fd, 0, length)
    return min(next_data(fd, hole), length) - hole if hole < length else 0


def cut_of(path: Path) -> int:
    """The bytes that were left out of the log at `path`; 0 also if it cannot be read."""
    try:
        fd = open_plain(path)
    except OSError:
        return 0
    try:
        return said_cut(fd) or freed(fd)
    finally:
        os.close(fd)


def words(cut: int) -> str:
    """`136 MB cut out: log_limit`; empty if nothing was cut."""
    return f"{size(cut)} cut out: log_limit" if cut else ""
