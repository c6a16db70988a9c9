"""Keeping a log near its limit: the middle of a growing log is freed; a finished one becomes head, mark and tail."""

from __future__ import annotations

import os
from contextlib import suppress

BLOCK = 4096
_COPY = 1 << 20
_PUNCH_HOLE_KEEP_SIZE = 0x03


class LogCap:
    """Watches one log, held open as `fd`, whose disk use should stay near `limit` bytes; half of that at either end."""

    def __init__(self, fd: int, limit: int) -> None:
        self._fd = fd
        self._half = max(limit // 2, 1)
        self._limit = limit
        self._freed = -(-self._half // BLOCK) * BLOCK

    def free_middle(self) -> None:
        """Give back the blocks between head and tail, where the file system can; offsets stay true for readers."""
        end = (os.fstat(self._fd).st_size - self._half) // BLOCK * BLOCK
        if end > self._freed and _punch(self._fd, self._freed, end - self._freed):
            self._freed = end

    def cut(self, folder: int, name: str) -> int:
        """Replace a log over the limit by its head, a line telling how much is missing, and its tail; bytes cut.

        Call it when nobody writes any more. Raises OSError; the log is then as it was.
        """
        status = os.fstat(self._fd)
        if status.st_size <= self._limit:
            return 0
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            if not os.path.samestat(status, os.fstat(source)):
                return 0  # renamed meanwhile: the name is no longer this job's
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
            target.write(f"[nova: {cut} bytes of this log were cut here]\n".encode())
            while start < size:
                chunk = os.pread(source, min(_COPY, size - start), start)
                if not chunk:
                    break
                target.write(chunk)
                start += len(chunk)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        return cut


def _punch(fd: int, offset: int, length: int) -> bool:
    """fallocate(2) FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE; False where system or file system cannot."""
    import ctypes

    try:
        fallocate = ctypes.CDLL(None).fallocate
    except (OSError, AttributeError):
        return False
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
    return bool(fallocate(fd, _PUNCH_HOLE_KEEP_SIZE, offset, length) == 0)
