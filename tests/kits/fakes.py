"""Fakes of the clock, the disk and the processes, for tests of the engine that touch none of them."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterable

from nova_core.clock import Clock
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, EndReason, GivenBack, Job, News, Report, Started
from nova_core.files.disk import Disk


class FakeClock(Clock):
    """Time stands still until it is advanced. `ahead` is how far somebody has set the system time wrong."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.time = start
        self.ahead = 0.0
        self.boot = "this boot"

    def now(self) -> float:
        return self.time + self.ahead

    def monotonic(self) -> float:
        return self.time - 1_600_000_000.0

    def since_boot(self) -> float:
        return self.time - 1_600_000_000.0

    def boot_id(self) -> str:
        return self.boot

    def advance(self, seconds: float) -> None:
        self.time += seconds


class JumpingClock(FakeClock):
    """The system time jumps, by up to ten years in either direction, each time that somebody reads it."""

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self._random = random.Random(seed) if seed is not None else None

    def now(self) -> float:
        if self._random is not None and self._random.random() < 0.3:
            self.ahead = self._random.uniform(-3e8, 3e8)
        return super().now()


class FakeExecutor:
    """Runs nothing: each job ends on the next `wait`, as `outcome(job)` says, unless it is held or `None`.

    `wait` advances the clock to the timeout when nothing happens, so that backoff needs no sleeping; where hours must
    pass, by at least `least` seconds, as on a machine that is slow to wake.
    """

    def __init__(
        self, clock: FakeClock, outcome: Callable[[Job], Ended | None] | None = None, least: float = 0.001
    ) -> None:
        self.clock = clock
        self.least = least
        self.outcome = outcome or ok
        self.jobs: list[Job] = []
        self.running: dict[str, Job] = {}
        self.most_running = 0
        self.released: list[str] = []
        self.found: list[Report] = []
        self.cancelled: list[str] = []
        self.reports: list[News] = []
        self.waiting: list[tuple[Job, int]] = []  # handed ahead, not started
        self.untold: list[str] = []  # handed ahead and started, which the engine does not know yet
        self.foreign: set[str] = set()
        self.is_frozen = False  # the holder: it neither answers nor reports
        self.typed: list[tuple[str | int, ...]] = []  # to terminals

    def recover(self) -> list[Report]:
        return self.found

    def prepare(self) -> None:
        pass

    def keep_records(self) -> bool:
        return False

    def submit(self, job: Job) -> None:
        assert job.key not in {j.key for j in self.jobs}, "a key is started at most once"
        self.jobs.append(job)
        if job.key in self.cancelled:
            self.reports.append(Ended(job.key, EndReason.CANCELLED))
            return
        self.running[job.key] = job
        self.most_running = max(self.most_running, len(self.running))

    def hand_ahead(self, job: Job, slots: int) -> None:
        self.waiting.append((job, slots))

    def recall(self) -> EnvironmentProblem | None:
        if self.is_frozen:
            return EnvironmentProblem("the holder does not answer", hint="resume it")
        self._give_back()
        self.reports += [Started(key, 4242, self.clock.now()) for key in self.untold]
        self.untold = []
        return None

    def _give_back(self) -> None:
        self.reports += [GivenBack(job.key) for job, _ in self.waiting]
        self.waiting = []

    def _start_waiting(self) -> None:
        """Start what was handed ahead, as a holder does: the engine does not know it yet."""
        while self.waiting and len(self.running) < self.waiting[0][1]:
            job, _ = self.waiting.pop(0)
            self.submit(job)
            self.untold.append(job.key)

    def wait(self, timeout: float | None) -> list[News]:
        reports, self.reports = self.reports, []
        if self.is_frozen:
            self.clock.advance(max(timeout or 0.0, self.least))
            return reports
        self._start_waiting()
        for key, job in list(self.running.items()):
            ended = self.outcome(job)
            if ended is not None:
                del self.running[key]
                self.untold = [other for other in self.untold if other != key]
                reports.append(ended)
                if ended.code != 0:
                    self._give_back()
                self._start_waiting()
        self.clock.advance(0.001 if reports else max(timeout or 0.0, 0.001 if self.running else self.least))
        return reports

    def wake(self) -> None:
        pass

    def cancel(self, key: str, grace: float) -> None:
        self.cancelled.append(key)
        if self.running.pop(key, None):
            self.reports.append(Ended(key, EndReason.CANCELLED, signal=15))

    def to_terminal(self, key: str, word: str, *values: str | int) -> bool:
        self.typed.append((key, word, *values))
        return key in self.running

    def release(self, keys: Iterable[str]) -> None:
        self.released.extend(keys)

    def close(self) -> None:
        pass


def ok(job: Job) -> Ended:
    """The job exited with code 0."""
    return Ended(job.key, EndReason.EXIT, code=0)


def exits(code: int) -> Callable[[Job], Ended]:
    """Every job exits with `code`."""
    return lambda job: Ended(job.key, EndReason.EXIT, code=code)


def running(key: str, pid: int = 4242, at: float = 1_700_000_000.0) -> Started:
    """The job was found alive."""
    return Started(key, pid, at)


class FaultyDisk(Disk):
    """Fails at, or dies at, the n-th call (counted from 1) and at the next ones, `times` altogether.

    `repeat` means all that follow; `calls` is the number of calls made.
    """

    def __init__(
        self, fail_at: int = 0, action: Callable[[], None] | None = None, repeat: bool = False, times: int = 1
    ) -> None:
        self.calls = 0
        self._fail_at = fail_at
        self._action = action or no_space
        self._repeat = repeat
        self._times = times

    def step(self, call: str, path: str) -> None:
        self.calls += 1
        if 0 < self._fail_at <= self.calls and (self._repeat or self.calls < self._fail_at + self._times):
            self._action()


def no_space() -> None:
    """The disk is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
