"""A log file as lines: reads any part of it at once and counts its lines step by step, whatever its length."""

from __future__ import annotations

import os
import stat
from array import array
from collections import OrderedDict
from enum import StrEnum
from pathlib import Path

from nova_core.files.log_gap import freed, said_cut

BLOCK = 65_536
# A longer line is read in pieces, so that no step reads more than two windows.
WINDOW = 1 << 20
SLICE = 1 << 20
_CACHED_BLOCKS = 32
_END = 32


class Change(StrEnum):
    """What happened to a log since the last look."""

    NONE = "none"
    GROWN = "grown"
    CUT = "cut"
    RENEWED = "renewed"


class LogIndex:
    """Lines of one log by byte offset; memory holds a few blocks and 8 bytes per 64 KB of log.

    A line starts at offset 0, after a newline, and at each multiple of `WINDOW` that no newline precedes within a whole
    window. Only regular files are opened, never through a symbolic link. Offsets stay valid while the file grows. After
    `CUT` (the same file, shorter or rewritten) they are void. After `RENEWED` (the path names another file: the log was
    rotated, or now exists) the old file stays readable until `reopen`. No method raises `OSError`: `problem` says why
    there is nothing to read. A log in memory has a `descriptor`, which the caller keeps open; its path is only a name.
    """

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self.path = path
        self.descriptor = descriptor
        self.problem = ""
        self.bytes_read = 0
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._reset(0)
        self.reopen()

    def _reset(self, size: int) -> None:
        """Forget everything counted and read; the file now has `size` bytes."""
        self.size = size
        self.indexed = 0
        self.newlines = 0
        self._counts = array("Q")  # newlines before the end of each whole block
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._end = b""
        self._said_cut: int | None = None  # the line is looked for once: a log is cut when nobody writes to it any more
        self._freed = (0, 0)  # the size at the last look, and the bytes of the hole

    @property
    def cut(self) -> int:
        """The bytes that the limit of logs has left out of the middle; one read, then a look per change of the size."""
        if self._fd < 0 or self.descriptor is not None or not self.size:
            return 0
        try:
            if self._said_cut is None:
                self._said_cut = said_cut(self._fd)
            if self._freed[0] != self.size:
                self._freed = self.size, freed(self._fd)
        except OSError:  # then nothing of it can be read
            return 0
        return self._said_cut or self._freed[1]

    @property
    def is_open(self) -> bool:
        """Returns True if there is a file to read."""
        return self._fd >= 0

    def reopen(self) -> None:
        """Open the file that `path` names now."""
        self.close()
        self._reset(0)
        self.problem = ""
        try:
            self._fd = self._open()
            status = os.fstat(self._fd)
        except FileNotFoundError:
            return
        except OSError as error:
            self.problem = (
                "it is not a regular file" if self.path.is_symlink() else (error.strerror or "it is unreadable")
            )
            return
        self._identity = (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode):
            self._close_file()
            self.problem = "it is not a regular file"
            return
        self._set_size(status.st_size)

    def _open(self) -> int:
        if self.descriptor is not None:
            return os.dup(self.descriptor)
        return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)

    def close(self) -> None:
        """Close the file; nothing can be read until `reopen`."""
        self._close_file()
        self._identity = None

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _set_size(self, size: int) -> None:
        self.size = size
        self._end = self._pread(min(size, _END), size - min(size, _END))

    def poll(self) -> Change:
        """Check the file for changes; three system calls if nothing happened."""
        if self._is_other():
            return Change.RENEWED
        if self._fd < 0:
            return Change.NONE
        size = os.fstat(self._fd).st_size
        if size == self.size:
            return Change.NONE
        # A file that was emptied and rewritten may be longer than before: then the bytes at its old end differ.
        if size < self.size or self._pread(len(self._end), self.size - len(self._end)) != self._end:
            self._reset(size)
            self._set_size(size)
            return Change.CUT
        self._set_size(size)
        return Change.GROWN

    def _is_other(self) -> bool:
        """Returns True if the path names a file other than the open one; False if it names nothing."""
        if self.descriptor is not None:
            return False
        try:
            there = os.lstat(self.path)
        except OSError:
            return False
        if stat.S_ISLNK(there.st_mode):
            return False
        return (there.st_dev, there.st_ino) != self._identity

    def advance(self, budget: int = SLICE) -> bool:
        """Count the newlines of at most `budget` further bytes. Returns True if some are left to count."""
        stop = min(self.size, self.indexed + budget)
        while self.indexed < stop:
            room = BLOCK - self.indexed % BLOCK
            data = self._pread(min(room, stop - self.indexed), self.indexed)
            if not data:
                return False  # shortened meanwhile: the next poll reports it
            self.newlines += data.count(b"\n")
            self.indexed += len(data)
            if self.indexed % BLOCK == 0:
                self._counts.append(self.newlines)
        return self.indexed < self.size

    def line_number(self, offset: int) -> int | None:
        """The number of newlines before `offset`; None until they are counted."""
        if offset > self.indexed:
            return None
        block, skip = divmod(offset, BLOCK)
        before = self._counts[block - 1] if block else 0
        return before + self._block(block).count(b"\n", 0, skip) if skip else before

    def line_start(self, offset: int) -> int:
        """The start of the line that holds the byte at `offset`."""
        window = offset - offset % WINDOW
        found = self._rfind(window, offset)
        if found < 0 and window:
            found = self._rfind(window - WINDOW, window)
            if found < 0:
                return window
        return found + 1

    def next_line(self, start: int) -> int:
        """The end of the line that begins at `start`: the start of the next line, or the size if there is none."""
        border = start - start % WINDOW + WINDOW
        found = self._find(start, border)
        if found < 0:
            if start % WINDOW == 0:
                return min(border, self.size)
            found = self._find(border, border + WINDOW)
        return found + 1 if found >= 0 else min(border + WINDOW, self.size)

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`, fewer at the end of the file."""
        stop = min(stop, self.size)
        block, skip = divmod(start, BLOCK)
        if stop <= (block + 1) * BLOCK:
            return self._block(block)[skip : max(skip, stop - block * BLOCK)]
        return self._pread(stop - start, start)

    def _find(self, start: int, stop: int) -> int:
        """The first newline in `[start, stop)`, or -1."""
        stop = min(stop, self.size)
        while start < stop:
            block, skip = divmod(start, BLOCK)
            found = self._block(block).find(b"\n", skip, stop - block * BLOCK)
            if found >= 0:
                return block * BLOCK + found
            start = (block + 1) * BLOCK
        return -1

    def _rfind(self, start: int, stop: int) -> int:
        """The last newline in `[start, stop)`, or -1."""
        while start < stop:
            block = (stop - 1) // BLOCK
            found = self._block(block).rfind(b"\n", max(0, start - block * BLOCK), stop - block * BLOCK)
            if found >= 0:
                return block * BLOCK + found
            stop = block * BLOCK
        return -1

    def _block(self, number: int) -> bytes:
        """One block; the block at the end of the file may be shorter."""
        wanted = max(0, min(BLOCK, self.size - number * BLOCK))
        data = self._blocks.get(number)
        if data is None or len(data) < wanted:
            data = self._pread(wanted, number * BLOCK)
            self._blocks[number] = data
            if len(self._blocks) > _CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return data

    def _pread(self, length: int, offset: int) -> bytes:
        if self._fd < 0 or length <= 0:
            return b""
        try:
            data = os.pread(self._fd, length, offset)
        except OSError as error:
            self.problem = error.strerror or "it is unreadable"
            return b""
        self.bytes_read += len(data)
        return data
