"""The limits a holder enforces even while no engine runs: wall time, idle time and log size."""

from __future__ import annotations

import os
from time import monotonic, time

from nova_core.holder.log_cap import LogCap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nova_core.holder.job import HolderJob, JobHolder

LOG_CHECK = 1.0


def watch(holder: JobHolder, job: HolderJob, timeout: float, idle: float, limit: int) -> None:
    """Enforce the limits of a job; times in seconds, `limit` in bytes, 0 for none."""
    if timeout > 0:
        left = max(0.0, job.mono + timeout - monotonic())  # a guard takes over jobs that have run for a while
        holder.later(left, lambda h, late: h.stop(late, "timeout", late.grace), job)
    if not job.log or job.log_fd < 0:
        return
    if idle > 0:
        size = os.fstat(job.log_fd).st_size
        holder.later(idle, lambda h, quiet: _check_idle(h, quiet, idle, size), job)
    if limit > 0:
        job.cap = LogCap(job.log_fd, limit)
        holder.later(LOG_CHECK, _check_size, job)


def _check_idle(holder: JobHolder, job: HolderJob, idle: float, size: int) -> None:
    status = os.fstat(job.log_fd)
    if status.st_size == size:
        holder.stop(job, "idle_timeout", job.grace)
        return
    silent = min(max(time() - status.st_mtime, 0.0), idle)  # wall clock time: it may have been set meanwhile
    holder.later(max(idle - silent, 0.01), lambda h, quiet: _check_idle(h, quiet, idle, status.st_size), job)


def _check_size(holder: JobHolder, job: HolderJob) -> None:
    if job.cap:
        job.cap.free_middle()
    holder.later(LOG_CHECK, _check_size, job)
