"""The roster of a shared holder: what its guard must know to continue its jobs, in memory that both share."""

from __future__ import annotations

import os
from json import dumps
from mmap import mmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nova_core.holder.job import HolderJob

SLOT = 768
HEAD = 16  # bytes of a slot: the pid, and the wait status plus 1 of a command whose leftovers are being ended
FIRST = 16384  # offset of the first slot; the log folder's path is before it
_MAPPED = FIRST + 64 * SLOT  # bytes; what is beyond them is written with pwrite


class Roster:
    """The running jobs, in memory that guard and holder share: one slot each."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("nova-roster", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, _MAPPED)
        self._map = mmap(self.fd, _MAPPED)
        self._free: list[int] = []
        self._count = 0

    def set_logs(self, path: str) -> None:
        """Record the log folder."""
        data = dumps(path).encode() + b"\n"
        if len(data) <= FIRST - 8:
            os.pwrite(self.fd, data, 0)

    def note_server(self) -> None:
        """Record that this process holds the jobs now."""
        os.pwrite(self.fd, os.getpid().to_bytes(8, "little"), FIRST - 8)

    def server(self) -> int:
        """Returns the process that holds the jobs."""
        return int.from_bytes(os.pread(self.fd, 8, FIRST - 8), "little")

    def add(self, job: HolderJob, timeout: float, idle: float, limit: int) -> None:
        """Record a job that is about to be spawned."""
        job.slot = self._free.pop() if self._free else self._count
        self._count = max(self._count, job.slot + 1)
        values = f"{timeout},{idle},{limit},{job.grace},{int(job.interrupt)},{job.mono},{job.born},{job.started}"
        data = bytes(HEAD) + f'["{job.key}",{dumps(job.log)},{values}]\n'.encode()
        if len(data) > SLOT:  # a very long name: its log is then not limited if the holder is killed
            data = bytes(HEAD) + f'["{job.key}","",{values}]\n'.encode()
        self._write(data, FIRST + job.slot * SLOT)

    def note_pid(self, job: HolderJob) -> None:
        """Record the process of a job."""
        self._write(job.pid.to_bytes(8, "little"), FIRST + job.slot * SLOT)

    def note_status(self, job: HolderJob) -> None:
        """Record how the command ended, while what it left behind is being ended."""
        self._write(((job.status or 0) + 1).to_bytes(8, "little"), FIRST + job.slot * SLOT + 8)

    def drop(self, job: HolderJob) -> None:
        """Free the slot of a job whose end is in the journal."""
        self._free.append(job.slot)

    def _write(self, data: bytes, offset: int) -> None:
        """Write through the map: without a system call."""
        end = offset + len(data)
        if end <= _MAPPED:
            self._map[offset:end] = data
        else:
            os.pwrite(self.fd, data, offset)
