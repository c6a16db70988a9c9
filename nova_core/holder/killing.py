"""How a holder ends a job: TERM, grace, then everything that is left of it, also what detached itself."""

from __future__ import annotations

import os
from contextlib import suppress
from signal import SIGCONT, SIGINT, SIGTERM
from time import monotonic
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from nova_core.holder.job import HolderJob, JobHolder

GRACE_POLL = 0.02
KILL_POLL = 0.002
GIVE_UP = 5.0  # seconds after which a process that KILL did not end is named as a survivor
_TICKS = os.sysconf("SC_CLK_TCK")


def stop(holder: JobHolder, job: HolderJob, reason: str, grace: float) -> None:
    """Ask the job's process group to end; whatever is left `grace` seconds later is killed.

    Half of the grace belongs to SIGINT where that makes a program report its totals.
    """
    deadline = monotonic() + grace
    if not job.reason:
        job.reason = reason
        if job.status is None:  # not reaped, so the number is still this job's
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
    for number in (wanted, SIGCONT):  # a stopped process acts on it only when it continues
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def sweep(holder: JobHolder, job: HolderJob) -> None:
    """The command's own process has ended: end what it left behind, after the grace if the job is being stopped."""
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
    """One round of freezing and killing; further rounds follow until nothing is found, or for GIVE_UP seconds."""
    now = monotonic()
    job.killing_since = job.killing_since or now
    alone = job.status is not None
    hit = freeze_and_kill(lambda table: _targets(holder, job, table))
    if alone:
        job.leftovers += [name for name in map(str, hit) if name not in job.leftovers]
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
    """Living children of the holder that are no job's own process."""
    me = os.getpid()
    if holder.children >= 0:
        pids = [int(pid) for pid in os.pread(holder.children, 1 << 20, 0).split()]
        found = [read_process(pid) for pid in pids if pid not in holder.by_pid]
    else:
        found = [p for p in read_table().values() if p.ppid == me and p.pid not in holder.by_pid]
    return [p for p in found if p and p.state not in DEAD]


def _owned(holder: JobHolder, job: HolderJob, stray: Process) -> bool:
    """Whether a stray is to end with this job.

    The marker in its environment decides. Without one (a daemon that cleared it) it belongs to the jobs that began
    before it: to this one if it is the last of them.
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
