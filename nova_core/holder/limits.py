"""The limits a holder enforces even while no engine runs: wall time, idle time and log size."""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic

from nova_core.holder.log_cap import LogCap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nova_core.holder.job import HolderJob, JobHolder

    Stamp = tuple[int, int]  # size and time of the last change of a log

LOG_CHECK = 1.0
_IDLE_SHARE = 0.05  # of the idle limit: how much later than due a silent job may be stopped
_IDLE_STEP = 0.05  # seconds, at least


def watch(holder: JobHolder, job: HolderJob, timeout: float, idle: float) -> None:
    """Enforce the limits of a job in seconds, 0 for none."""
    if timeout > 0:
        left = max(0.0, job.mono + timeout - monotonic())  # a guard takes over jobs that have run for a while
        holder.later(left, lambda h, late: h.stop(late, "timeout", late.grace), job)
    if idle > 0 and job.log and job.log_fd >= 0:
        _look_idle(holder, job, idle, monotonic(), None)


def watch_size(holder: JobHolder, job: HolderJob) -> None:
    """Keep the log of a job near its limit while it runs."""
    if job.limit > 0 and job.log and job.log_fd >= 0 and job.cap is None:
        job.cap = LogCap(job.log_fd, job.limit)
        holder.later(LOG_CHECK, _check_size, job)


def _look_idle(holder: JobHolder, job: HolderJob, idle: float, since: float, before: Stamp | None) -> None:
    """Stop a job whose log was last seen to change `idle` seconds ago (monotonic time `since`).

    The time of the change is only compared with itself: the file's clock may be another machine's, and be set.
    """
    status = os.fstat(job.log_fd)
    found = status.st_size, status.st_mtime_ns
    now = monotonic()
    since = since if found == before else now
    left = since + idle - now
    if left <= 0:
        holder.stop(job, "idle_timeout", job.grace)
        return
    step = min(max(idle * _IDLE_SHARE, _IDLE_STEP), left)
    holder.later(step, lambda h, quiet: _look_idle(h, quiet, idle, since, found), job)


def _check_size(holder: JobHolder, job: HolderJob) -> None:
    if job.cap:
        job.cap.free_middle()
    holder.later(LOG_CHECK, _check_size, job)


def load_rest(holder: JobHolder, job: HolderJob) -> None:
    """Do what jobs that end at once do without: watch its log, import what ending it may need.

    An upgrade may replace the files later.
    """
    watch_size(holder, job)
    with suppress(ImportError):  # already replaced: harmless unless a job must be ended
        import nova_core.holder.killing  # noqa: F401
