"""How a holder ends a job: TERM, grace, then KILL to everything that is left, including detached processes."""

from __future__ import annotations

import os
from contextlib import suppress
from signal import SIGCONT, SIGINT, SIGTERM
from time import monotonic

from nova_core.holder.process_tree import (
    DEAD,
    Process,
    Table,
    freeze_and_kill,
    job_of,
    read_process,
    read_table,
    with_descendants,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nova_core.holder.job import HolderJob, JobHolder

GRACE_POLL = 0.02
KILL_POLL = 0.002
GIVE_UP = 5.0  # seconds after which a process that KILL did not end is reported as a survivor
_TICKS = os.sysconf("SC_CLK_TCK")


def stop(holder: JobHolder, job: HolderJob, reason: str, grace: float) -> None:
    """Ask the job's process group to end; what is left after `grace` seconds is killed.

    With `interrupt`, SIGINT comes first and SIGTERM after half of the grace, so that the program can report its totals.
    """
    deadline = monotonic() + grace
    if not job.reason:
        job.reason = reason
        if job.status is None:  # not reaped, so the pid is still this job's
            _signal_group(job.pid, SIGINT if job.interrupt and grace else SIGTERM)
            if job.interrupt and grace:
                holder.later(grace / 2, _terminate, job)
    elif deadline >= job.deadline:
        return
    job.deadline = deadline
    holder.later(grace, kill, job)


def _terminate(holder: JobHolder, job: HolderJob) -> None:
    if job.status is None:
        _signal_group(job.pid, SIGTERM)


def _signal_group(group: int, wanted: int) -> None:
    for number in (wanted, SIGCONT):  # a stopped process handles the signal only after it continues
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def sweep(holder: JobHolder, job: HolderJob) -> None:
    """End what an ended command left behind, after the grace if the job is being stopped."""
    if job.killing_since or job.status is None:
        return
    if job.reason and monotonic() < job.deadline and _group_lives(job.pid):
        holder.later(GRACE_POLL, sweep, job)
    elif job.reason or any(_owned(holder, job, process) for process in strays(holder)):
        kill(holder, job)
    else:
        holder.finish(job)


def _group_lives(group: int) -> bool:
    return any(p.group == group and p.state not in DEAD for p in read_table().values())


def kill(holder: JobHolder, job: HolderJob) -> None:
    """Run one round of freezing and killing; rounds repeat until no process is found, for at most GIVE_UP seconds."""
    now = monotonic()
    job.killing_since = job.killing_since or now
    alone = job.status is not None
    hit = freeze_and_kill(lambda table: _targets(holder, job, table))
    if alone:
        again = {str(process.pid) for process in hit}  # since the last round exec(2) may have renamed it
        job.leftovers[:] = [name for name in job.leftovers if name.partition(" ")[0] not in again]
        job.leftovers += map(str, hit)
    holder.reap()
    if not hit and job.status is not None:
        holder.finish(job)
    elif now - job.killing_since > GIVE_UP:
        holder.finish(job, tuple(map(str, hit)))
    else:
        holder.later(KILL_POLL, kill, job)


def _targets(holder: JobHolder, job: HolderJob, table: Table) -> set[int]:
    me = os.getpid()
    roots = {p.pid for p in table.values() if p.ppid == me and p.pid not in holder.by_pid and _owned(holder, job, p)}
    if job.status is None:
        roots.add(job.pid)
    return with_descendants(table, roots)


def strays(holder: JobHolder) -> list[Process]:
    """Returns the living children of the holder that are not a job's own process."""
    me = os.getpid()
    if holder.children >= 0:
        pids = [int(pid) for pid in os.pread(holder.children, 1 << 20, 0).split()]
        found = [read_process(pid) for pid in pids if pid not in holder.by_pid]
    else:
        found = [p for p in read_table().values() if p.ppid == me and p.pid not in holder.by_pid]
    return [p for p in found if p and p.state not in DEAD]


def _owned(holder: JobHolder, job: HolderJob, stray: Process) -> bool:
    """Returns True if a stray must end with this job.

    The marker in its environment decides. Without a marker (a daemon that cleared it) it may belong to any job that
    began before it: it ends with the last of these.
    """
    marker = job_of(stray.pid)
    if marker:
        run_id, _, key = marker.rpartition("/")
        if key == job.key and run_id == holder.run_id:
            return True
        if run_id == holder.run_id and key in holder.jobs:
            return False
    born = (stray.start + 1) / _TICKS
    return all(other is job or other.born > born for other in holder.jobs.values())
