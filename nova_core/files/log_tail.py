"""Reads a log that another process writes: in pieces, never more than asked for, skipping holes freed in its middle."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from nova_core.agents.log import AgentLog
from nova_core.files.holes import next_data, next_hole

_PIECE = 256 << 10  # bytes; the time is checked between two pieces
_AT_THE_END = 1 << 20  # bytes at the end that show how the attempt ended


class LogTail:
    """New output of a log since the last read.

    The log stays open: when its holder replaces it by a shorter file, unread output is still there, at its old place.
    Bytes that were freed before they were read, or that `hurry` skips, are reported to the parser as missing.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.size = 0  # end of what will be read
        self._first_size = 0
        self._file: tuple[int, int] | None = None
        self._fd = -1
        self._over = self._final = False

    def __del__(self) -> None:
        self.close()

    @property
    def behind(self) -> bool:
        """Returns True if unread output remains."""
        return self.offset < self.size

    @property
    def caught_up(self) -> bool:
        """Returns True if everything present at the first look, which an earlier engine may have read, is read."""
        return self.offset >= self._first_size

    def read(self, path: str | os.PathLike[str], log: AgentLog, most: int, is_late: Callable[[], bool]) -> bool:
        """Feed `log` with `most` bytes or a little more, or until `is_late`. Returns False if nothing is new."""
        try:
            if self._fd < 0:
                self._open(path, log)
            self._measure(log)
            start = self.offset
            while self.behind and self.offset - start < most:
                self._read_piece(log)
                if is_late():
                    break
        except OSError:
            self.size = self.offset
            return False
        return self.offset > start

    def end(self) -> None:
        """The writer has ended: stop waiting for output that other processes write later."""
        self._over = True

    def hurry(self, log: AgentLog) -> None:
        """Skip everything but the end."""
        if self.size - self.offset > _AT_THE_END:
            self._jump(log, self.size - _AT_THE_END)

    def close(self) -> None:
        """Close the file until the next read."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self, path: str | os.PathLike[str], log: AgentLog) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        self._fd = fd
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError(errno.ENOTSUP, "not a regular file")
        file = status.st_dev, status.st_ino
        if self._file is None:
            self._first_size = status.st_size
        elif self._file != file:  # it was cut while not open: its new part cannot be found
            self._jump(log, status.st_size)
        self._file = file

    def _measure(self, log: AgentLog) -> None:
        if self._final:
            return
        self.size = os.fstat(self._fd).st_size
        if self.size < self.offset:  # another program emptied it
            self._jump(log, self.size)
        self._final = self._over

    def _read_piece(self, log: AgentLog) -> None:
        """Read first, then look for holes: none can appear in between."""
        piece = os.pread(self._fd, min(_PIECE, self.size - self.offset), self.offset)
        if not piece:
            self.size = self.offset
            return
        data = next_data(self._fd, self.offset)
        if data > self.offset:
            self._jump(log, min(data, self.size))
            return
        hole = next_hole(self._fd, self.offset, self.size)
        piece = piece[: max(0, hole - self.offset)]
        self.offset += len(piece)  # before it is fed: a piece that makes a reader fail is not fed again
        log.feed(piece)

    def _jump(self, log: AgentLog, offset: int) -> None:
        self.offset = offset
        log.skip()
