"""Keeps a log near its limit: frees the middle while it grows; cuts a finished log to head, mark and tail."""

from __future__ import annotations

import os
from contextlib import suppress

BLOCK = 4096
MARK = "[nova: {cut} bytes of this log were cut here]\n"
_COPY = 1 << 20
_PUNCH_HOLE_KEEP_SIZE = 0x03


class LogCap:
    """Watches one log, open as `fd`, whose disk use should stay near `limit` bytes; half of that at each end."""

    def __init__(self, fd: int, limit: int) -> None:
        self._fd = fd
        self._half = max(limit // 2, 1)
        self._limit = limit
        self._freed = -(-self._half // BLOCK) * BLOCK

    def free_middle(self) -> None:
        """Free the blocks between head and tail if the file system supports it; offsets stay valid for readers."""
        end = (os.fstat(self._fd).st_size - self._half) // BLOCK * BLOCK
        if end > self._freed and _punch(self._fd, self._freed, end - self._freed):
            self._freed = end

    def cut(self, folder: int, name: str) -> int:
        """Cut a log over the limit to its head, a line with the number of bytes cut, and its tail; returns that number.

        Call it after the last writer has ended. Raises OSError; the log is then unchanged.
        """
        status = os.fstat(self._fd)
        if status.st_size <= self._limit:
            return 0
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            if not os.path.samestat(status, os.fstat(source)):
                return 0  # renamed meanwhile: the name no longer belongs to this job
            return self._rewrite(source, status.st_size, folder, name)
        finally:
            os.close(source)

    def _rewrite(self, source: int, size: int, folder: int, name: str) -> int:
        head = os.pread(source, self._half, 0)
        head = head[: head.rfind(b"\n") + 1] or head
        start = size - self._half
        start += os.pread(source, self._half, start).find(b"\n") + 1
        cut = start - len(head)
        temporary = f".{name}.cut"
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as target:
            target.write(head)
            if not head.endswith(b"\n"):
                target.write(b"\n")
            target.write(MARK.format(cut=cut).encode())
            while start < size:
                chunk = os.pread(source, min(_COPY, size - start), start)
                if not chunk:
                    break
                target.write(chunk)
                start += len(chunk)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        return cut


def _punch(fd: int, offset: int, length: int) -> bool:
    """fallocate(2) FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE; returns False if it is not supported."""
    import ctypes

    try:
        fallocate = ctypes.CDLL(None).fallocate
    except (OSError, AttributeError):
        return False
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
    return bool(fallocate(fd, _PUNCH_HOLE_KEEP_SIZE, offset, length) == 0)
