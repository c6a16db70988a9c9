"""Jobs that the machine had no process, descriptor or memory to spare for: kept, and given back after a pause."""

from __future__ import annotations

import time

from nova_core.executors.base import Job, Waiting

_PAUSE = 0.25  # seconds


class HeldJobs:
    """Keeps such `jobs` until `due`. `is_told` is True once this was said, until a job has started again."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._try_at = 0.0
        self.is_told = False

    def add(self, job: Job, why: str) -> Waiting | None:
        """Keep a job; returns what to report, if it was not reported before."""
        if not self.jobs:
            self._try_at = time.monotonic() + _PAUSE
        self.jobs.append(job)
        if self.is_told:
            return None
        self.is_told = True
        return Waiting(job.key, why)

    def remove(self, key: str) -> bool:
        """Forget a job; returns False if it is not kept."""
        kept = [job for job in self.jobs if job.key != key]
        found = len(kept) < len(self.jobs)
        self.jobs = kept
        return found

    def limit(self, deadline: float | None) -> float | None:
        """Returns the monotonic time until which to sleep: `deadline`, or the end of the pause."""
        return self._try_at if deadline is None else min(deadline, self._try_at)

    def due(self) -> list[Job]:
        """Returns the jobs once the pause is over, and forgets them."""
        if not self.jobs or time.monotonic() < self._try_at:
            return []
        jobs, self.jobs = self.jobs, []
        return jobs
