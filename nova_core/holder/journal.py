"""The journal of a holder: one short JSON array per fact, readable after any crash, written by one process only.

A line is a letter and values without names, as in the templates here: `["B","F1@1",1764489600.250000]`. Times are in
seconds since the epoch, as the system clock showed it; `elapsed` is measured and in seconds, `start` is in ticks since
boot. Standard library only: holders import this in an isolated
interpreter.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from json import loads

from nova_core.boot import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
HELLO = '["H",{version},{pid},{start},"{boot}","{run_id}"]'  # the holder; precedes its first job
BEGIN = '["B","{key}",{at:.6f}]'  # a job is about to be spawned
UNDONE = '["U","{key}",{why}]'  # it was not spawned after all: its B line is void
PROCESS = '["P","{key}",{pid},{start},{at:.6f}]'  # its process has run for 20 ms, or is an agent
END = (
    '["E","{key}","{reason}",{code},{signal},{ended_at:.6f},{cpu_seconds:.6f},{max_rss},{detail},{leftovers},'
    "{survivors},{pid},{started_at:.6f},{elapsed:.6f},{printed}]"
)  # no process of it runs, except the survivors
WITHDRAWN = '["W",{keys}]'  # only sent: these jobs were handed ahead, and have not started
ROOM = 4096  # bytes reserved for each job that began: more than its longest B, P and E lines together
E_LIMIT = 3072
_NO_PREALLOCATION = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV}


def start_ticks(pid: int) -> int:
    """Returns field 22 of `/proc/PID/stat`, in clock ticks since boot; 0 if unreadable (no such process, no /proc).

    Raw, because a time computed from it moves with the wall clock (proc(5), psutil issue 2526).
    """
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return int(os.read(fd, 2048).rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0
    finally:
        os.close(fd)


def hello(run_id: str) -> str:
    """Returns the H line of this process, without its newline."""
    me = os.getpid()
    return HELLO.format(version=VERSION, pid=me, start=start_ticks(me), boot=boot_id(), run_id=run_id)


class Journal:
    """Appends lines to a preallocated file: lines of jobs that `begin` accepted can be written even to a full disk.

    The bytes after the last line are zeros, which readers ignore.
    """

    def __init__(self, fd: int, *, durable: bool) -> None:
        self._fd = fd
        self._durable = durable
        self._end = 0
        self._allocated = 0

    def begin(self, line: str, running: int) -> None:
        """Append a B line, and reserve space for all further lines of the `running` jobs and this one.

        Raises OSError (ENOSPC, EDQUOT, EFBIG...) if there is no space: the job must not start.
        """
        needed = self._end + (running + 1) * ROOM
        if needed > self._allocated:
            step = ROOM if self._durable else 16 * ROOM
            self._allocate(-(-needed // step) * step)
        self.append(line)

    def _allocate(self, size: int) -> None:
        length = size - self._allocated
        try:
            os.posix_fallocate(self._fd, self._allocated, length)
        except OSError as error:
            if error.errno not in _NO_PREALLOCATION:
                raise
            self._write(b"\0" * length, self._allocated)
        except AttributeError:  # macOS has no posix_fallocate
            self._write(b"\0" * length, self._allocated)
        self._allocated = size

    def _write(self, data: bytes, offset: int) -> None:
        while data:
            n = os.pwrite(self._fd, data, offset)
            data, offset = data[n:], offset + n

    def append(self, line: str) -> None:
        """Append one line that ends in a newline; one write, in space that `begin` reserved."""
        data = line.encode()
        self._write(data, self._end)
        self._end += len(data)

    def sync(self) -> None:
        """Wait until everything is on disk, if this journal is durable."""
        if self._durable:
            os.fsync(self._fd)

    def resume(self) -> list[list[Any]]:
        """Continue the journal of a holder that was killed; returns the whole lines."""
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        self._allocated = len(data)
        text = data.partition(b"\0")[0]
        self._end = text.rfind(b"\n") + 1
        self._write(b"\0" * (len(text) - self._end), self._end)
        lines = []
        for line in text[: self._end].splitlines():
            with suppress(ValueError):
                lines.append(loads(line))
        return [line for line in lines if isinstance(line, list) and len(line) > 1]

    def finish(self) -> None:
        """Release the reserved space."""
        os.ftruncate(self._fd, self._end)
