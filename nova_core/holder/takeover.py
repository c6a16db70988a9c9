"""How a guard takes over from a holder that was killed: it finds out what each of its children is."""

from __future__ import annotations

import os
from contextlib import suppress
from json import loads
from time import monotonic, sleep

from nova_core.holder.job import HolderJob
from nova_core.holder.limits import watch, watch_size
from nova_core.holder.process_tree import DEAD, Process, job_of, read_process
from nova_core.holder.roster import FIRST, HEAD, SLOT
from nova_core.holder.safe_open import SpawnError, open_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nova_core.holder.holder import Holder

_PATIENCE = 1.0  # seconds for a process that was being spawned to become recognizable
_PAUSE = 0.002
_TICKS = os.sysconf("SC_CLK_TCK")


def _logs(roster: int) -> str:
    line, newline, _ = os.pread(roster, FIRST, 0).partition(b"\n")
    return str(loads(line)) if newline else ""


def _jobs(roster: int) -> list[tuple[HolderJob, float, float, int]]:
    """Returns the jobs in all slots, also old ones, by age, with their timeout, idle timeout and log limit."""
    found = []
    for at in range(FIRST, os.fstat(roster).st_size, SLOT):
        with suppress(ValueError, TypeError):
            entry = _read_slot(os.pread(roster, SLOT, at))
            entry[0].slot = (at - FIRST) // SLOT
            found.append(entry)
    return sorted(found, key=lambda entry: entry[0].mono)


def _read_slot(data: bytes) -> tuple[HolderJob, float, float, int]:
    key, log, timeout, idle, limit, grace, interrupt, mono, born, started = loads(data[HEAD:].partition(b"\n")[0])
    job = _job(key, log, grace, interrupt=bool(interrupt))
    job.pid = int.from_bytes(data[:8], "little")
    status = int.from_bytes(data[8:HEAD], "little")
    job.status = status - 1 if status else None
    job.mono, job.born, job.started = mono, born, started
    return job, timeout, idle, limit


def _job(key: str, log: str = "", grace: float = 0.0, *, interrupt: bool = False) -> HolderJob:
    message: Any = {"key": key, "log": log, "grace": grace, "interrupt": interrupt}
    return HolderJob(message)


def take_over(holder: Holder, roster: int) -> None:
    """Let the new `holder` hold the jobs of the dead one, as its journal and the roster (a descriptor) have them."""
    begun: set[str] = set()
    announced: set[str] = set()
    for kind, key, *_ in holder.journal.resume():
        if kind == "B":
            begun.add(key)
        elif kind == "P":
            announced.add(key)
        elif kind in "EU":
            begun.discard(key)
            announced.discard(key)
    holder.setup.use_logs(_logs(roster))
    found = {entry[0].key: entry for entry in _jobs(roster) if entry[0].key in begun}
    for key in begun - found.keys():
        _lose(holder, _job(key))
    known = {entry[0].pid for entry in found.values()}
    for job, *limits in found.values():
        job.announced = job.key in announced
        _continue(holder, job, limits, known)
    if holder.jobs:
        holder.journal.append(holder.head)
        holder.head = ""
        holder.reap()


def _continue(holder: Holder, job: HolderJob, limits: list[Any], known: set[int]) -> None:
    holder.jobs[job.key] = job
    if job.pid == 0:
        job.pid = _find_process(holder, job, known)
    if job.pid == 0:
        job.detail = "its holder was killed"
        holder.give_back(job)
        return
    if job.status is not None:
        from nova_core.holder.killing import sweep

        sweep(holder, job)
        return
    if job.pid not in _children():
        _lose(holder, job)
        return
    holder.by_pid[job.pid] = job
    if holder.roster:
        holder.roster.note_pid(job)
    if not job.announced:
        holder.young.append(job)
    timeout, idle, limit = limits
    if job.log and (idle or limit):
        with suppress(SpawnError):
            job.log_fd = open_log(holder.setup.logs, job.log)
    job.limit = limit
    watch(holder, job, timeout, idle)
    if job.announced:
        watch_size(holder, job)


def _lose(holder: Holder, job: HolderJob) -> None:
    """Its process ended, and the holder that learned how was killed before it could write it down."""
    holder.jobs[job.key] = job
    job.reason, job.detail = "lost", "its holder was killed while it ended"
    holder.finish(job)


def _find_process(holder: Holder, job: HolderJob, known: set[int]) -> int:
    """Returns the process of the one job that was being spawned, 0 if there is none.

    Until it executes its command, it has the environment of the holder; once it has ended, none.
    """
    wanted = f"{holder.run_id}/{job.key}"
    deadline = monotonic() + _PATIENCE
    while True:
        new = [p for p in map(read_process, _children() - known) if p and (p.start + 1) / _TICKS >= job.born]
        ended: list[Process] = []
        unclear = False
        for process in new:
            marker = job_of(process.pid)
            if process.state in DEAD:
                ended += [process] if process.session == process.pid else []
            elif marker == wanted and process.session == process.pid:
                pid: int = process.pid
                return pid
            elif marker is None or not marker.startswith(f"{holder.run_id}/"):
                unclear = True
        if not unclear or monotonic() > deadline:
            return ended[0].pid if len(ended) == 1 else 0
        sleep(_PAUSE)


def _children() -> set[int]:
    with open("/proc/thread-self/children", encoding="ascii") as file:
        return set(map(int, file.read().split()))
