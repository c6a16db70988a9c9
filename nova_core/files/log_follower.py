"""Follows a log for a reader: every line once, also when its holder frees its middle, and cuts it at its end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from nova_core.files.holes import next_data, next_hole
from nova_core.files.log_gap import MARK_LINE
from nova_core.files.plain_file import open_plain
from nova_core.holder.log_cap import MARK

CHUNK = 65_536
_MOST_BACK = 8 << 20  # bytes searched for the last lines


class Follower:
    """Reads new output of a log that may grow, shrink, be replaced or not exist yet.

    With `last`, it begins with the last lines, at most that many.
    """

    def __init__(self, path: Path, last: int | None = None) -> None:
        self._path = path
        self._last = last
        self._fd = -1
        self._offset = self._first = 0

    @property
    def is_open(self) -> bool:
        """True if there is a log."""
        return self._fd >= 0

    def read(self) -> bytes:
        """The next piece, empty if there is none; restarts from the beginning if the log was truncated or replaced."""
        if self._fd < 0 or self._has_changed():
            self._open()
        if self._fd < 0:
            return b""
        # Read first, then look for holes: none can appear in between.
        data = os.pread(self._fd, CHUNK, self._offset)
        if not data:
            return b""
        start = next_data(self._fd, self._offset)
        if start > self._offset:
            start = min(start, os.fstat(self._fd).st_size)
            gone, self._offset = start - self._offset, start
            return MARK.format(cut=gone).encode()
        data = data[: max(1, next_hole(self._fd, self._offset, self._offset + CHUNK) - self._offset)]
        self._offset += len(data)
        return data

    def lines_before(self) -> int:
        """The number of lines before the first one that was read."""
        pieces = (os.pread(self._fd, min(CHUNK, self._first - at), at) for at in range(0, self._first, CHUNK))
        return sum(piece.count(b"\n") for piece in pieces)

    def _has_changed(self) -> bool:
        mine = os.fstat(self._fd)
        if mine.st_size < self._offset:
            return True
        if mine.st_size > self._offset:  # finish the old file before a new one
            return False
        try:
            there = os.lstat(self._path)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def _open(self) -> None:
        before, self._fd = self._fd, -1
        read, self._offset = self._offset, 0
        with suppress(OSError):  # none yet, or no regular file
            self._fd = open_plain(self._path)
        if before >= 0:
            if self._fd >= 0 and read == os.fstat(before).st_size and is_cut_of(self._fd, read):
                self._offset = os.fstat(self._fd).st_size
            os.close(before)
        elif self._fd >= 0 and self._last is not None:
            self._offset = self._first = start_of_last(self._fd, self._last)
            self._last = None

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_cut_of(fd: int, size: int) -> bool:
    """Returns True if the file is a log of `size` bytes that was cut: the bytes it has and those it lacks add up."""
    own = os.fstat(fd).st_size
    offset, before = 0, b""
    while data := os.pread(fd, CHUNK, offset):
        for found in MARK_LINE.finditer(before + data):
            whole = own - len(found[0]) + int(found[1])
            if whole in (size, size + 1):  # a newline may have been added before the mark
                return True
        offset += len(data)
        before = data[-100:]
    return False


def start_of_last(fd: int, count: int) -> int:
    """The offset of the last `count` lines, or a later one if they are longer than 8 MB."""
    end = size = os.fstat(fd).st_size
    if not count:
        return size
    lines = count + 1 if size and os.pread(fd, 1, size - 1) == b"\n" else count
    while end > 0 and size - end < _MOST_BACK:
        start = max(0, end - CHUNK)
        data = os.pread(fd, end - start, start)
        found = data.count(b"\n")
        if found >= lines:
            place = len(data)
            for _ in range(lines):
                place = data.rfind(b"\n", 0, place)
            return start + place + 1
        lines -= found
        end = start
    return end
