"""The guard: the parent of a shared holder, which takes its place if a job kills it (`kill -9 $PPID`).

A holder's children fall to its guard, the next subreaper, which alone can learn how they end. What the journal does not
have of them (pids of young jobs, limits) the holder writes into a roster in shared memory. After that the guard is a
holder that gets no new jobs. A holder of an agent has no guard: it holds one job, which dies with it.
"""

from __future__ import annotations

import os
from json import dumps
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM, signal

from nova_core.holder.spawn import PR_SET_CHILD_SUBREAPER, prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nova_core.holder.holder import Holder
    from nova_core.holder.job import HolderJob

SLOT = 768
HEAD = 16  # bytes of a slot: the pid, and the wait status plus 1 of a command whose leftovers are being ended
FIRST = 16384  # offset of the first slot; the log folder's path is before it


class Roster:
    """The running jobs, in memory that guard and holder share: one slot each. Costs 3 us per job."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("nova-roster", os.MFD_CLOEXEC)
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
        os.pwrite(self.fd, data, self._offset(job))

    def note_pid(self, job: HolderJob) -> None:
        """Record the process of a job."""
        os.pwrite(self.fd, job.pid.to_bytes(8, "little"), self._offset(job))

    def note_status(self, job: HolderJob) -> None:
        """Record how the command ended, while what it left behind is being ended."""
        os.pwrite(self.fd, ((job.status or 0) + 1).to_bytes(8, "little"), self._offset(job) + 8)

    def drop(self, job: HolderJob) -> None:
        """Free the slot of a job whose end is in the journal."""
        self._free.append(job.slot)

    def _offset(self, job: HolderJob) -> int:
        return FIRST + job.slot * SLOT


def serve_guarded(make: Callable[[Roster | None], Holder]) -> None:
    """Serve in a child, under the watch of this process, which takes over if the child is killed.

    There are two guards: a job that starts at the moment when another one kills the holder takes the guard for it.
    """
    for number in (SIGTERM, SIGINT, SIGHUP, SIGQUIT):
        signal(number, lambda *_: None)
    try:
        roster = Roster()
    except OSError:  # no descriptor or memory for it
        make(None).serve()
    else:
        _guard(make, roster, 2)


def _guard(make: Callable[[Roster | None], Holder], roster: Roster, guards: int) -> None:
    try:
        child = os.fork() if guards else 0
    except OSError:  # no process or memory for it
        child = guards = 0
    if child == 0 and guards == 0:
        roster.note_server()
        make(roster).serve()
    elif child == 0:
        os.setsid()  # a signal to the group of one does not reach the others
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        _guard(make, roster, guards - 1)
    else:
        from nova_core.holder import killing, takeover  # noqa: F401 - now: an upgrade may replace the files

        if _is_killed(child, roster):
            roster.note_server()
            holder = make(roster)
            takeover.take_over(holder, roster.fd)
            holder.serve()


def _is_killed(child: int, roster: Roster) -> bool:
    """Wait until the holder is gone, also if only the guard between was killed; returns False if it left by itself."""
    while True:
        try:
            if os.waitpid(child, 0)[1] == 0:
                return False
        except ChildProcessError:  # the guard between had reaped it, and was killed before it took over
            return True
        server = roster.server()
        if server == child:
            return True
        child = server
