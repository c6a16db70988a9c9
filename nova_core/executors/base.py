"""The interface between the engine and the executors that run its attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from nova_core.errors import EnvironmentProblem


class Job(msgspec.Struct, frozen=True):
    """One process to run. `key` identifies it for good (`F1@2`; `F1@2+1` is its first check): it starts at most once.

    Exactly one of `argv` (no shell) and `shell` (one line for `/bin/sh -c`) is set. `log` is a plain file name in the
    executor's log folder; without it the output is discarded and `idle_timeout` has no effect. `stdin` is the path of a
    regular file to read; without it standard input is empty. Times are in seconds; 0 means no limit. With `interrupt`
    the job gets SIGINT before SIGTERM, for programs that then report their usage. `own_holder` gives the job a holder
    process of its own, whose records are on disk before the command starts (agents); other jobs share one. With
    `terminal` the job's session has a terminal (`Executor.to_terminal`); such a job has its own holder, too.
    """

    key: str
    argv: tuple[str, ...] = ()
    shell: str = ""
    cwd: str = "."
    env: Mapping[str, str] = {}
    log: str = ""
    timeout: float = 0.0
    idle_timeout: float = 0.0
    grace: float = 5.0
    log_limit: int = 0
    own_holder: bool = False
    stdin: str = ""
    interrupt: bool = False
    terminal: bool = False


class EndReason(StrEnum):
    """Why a job ended."""

    EXIT = "exit"
    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"
    CANCELLED = "cancelled"
    SPAWN_ERROR = "spawn_error"
    LOST = "lost"


class Started(msgspec.Struct, frozen=True):
    """The job's process runs (or was found running after a restart).

    `started_at` is in seconds since the epoch, `since_boot` the same time in seconds since the machine started; None if
    unknown.
    """

    key: str
    pid: int
    started_at: float
    since_boot: float | None = None


class Ended(msgspec.Struct, frozen=True):
    """The job has ended. At most one of `code` and `signal` is set; both are None for `lost` and `spawn_error`.

    `started_at` and `ended_at` are what the system clock showed, in seconds since the epoch; it may have been set
    between the two. `elapsed` is measured, in seconds; None if unknown. `leftovers` lists processes that the command
    left behind and Nova stopped; `survivors` those it could not stop. `printed` is the size of its log in bytes; None
    if unknown.
    """

    key: str
    reason: EndReason
    code: int | None = None
    signal: int | None = None
    ended_at: float = 0.0
    cpu_seconds: float = 0.0
    max_rss: int = 0
    detail: str = ""
    leftovers: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()
    pid: int | None = None
    started_at: float = 0.0
    elapsed: float | None = None
    printed: int | None = None


class Waiting(msgspec.Struct, frozen=True):
    """The machine has no process, descriptor or memory to spare for the job: it starts as soon as there is one.

    Reported once until such jobs have started.
    """

    key: str
    detail: str


class GivenBack(msgspec.Struct, frozen=True):
    """The job was handed ahead; it has not started, and will not until it is submitted again."""

    key: str


class Typed(msgspec.Struct, frozen=True):
    """What `who` typed into a job's terminal: `count` bytes, 0 if its size was set.

    `text` has one character per byte; None where the terminal did not show them. Without `taken` nothing of it reached
    the job, which does not read what is typed.
    """

    key: str
    who: str
    text: str | None
    count: int
    taken: bool


Report = Started | Ended
News = Report | Waiting | GivenBack | Typed


class Executor(Protocol):
    """Runs jobs. All methods except `wake` must be called on the engine's thread.

    `foreign` are the keys of jobs that `recover` found in records copied from another folder: theirs, never ours.
    """

    foreign: set[str]

    def recover(self) -> list[Report]:
        """Returns what earlier engines left: jobs still running (`Started`), or ended and not released (`Ended`).

        Call it once, before `submit`; afterwards the running jobs report through `wait` like any other.
        """

    def prepare(self) -> object:
        """Start early what shell jobs will need and what takes time to start."""

    def submit(self, job: Job) -> None:
        """Start the job; never blocks on its process. A key that was submitted before is not started again."""

    def hand_ahead(self, job: Job, slots: int) -> None:
        """Let the job start without the engine, in its turn, as soon as fewer than `slots` jobs run.

        Only while nothing else is submitted and no job has a holder of its own. Once a job fails, none that waits
        starts. Each has started when it is reported as `Started` or `Ended`; otherwise it is `GivenBack`.
        """

    def recall(self) -> EnvironmentProblem | None:
        """Take back the jobs handed ahead that wait; on return, `wait` has a report of each job handed ahead.

        Returns what is wrong if it takes longer than a second: call it again, until it returns None.
        """

    def wait(self, timeout: float | None) -> list[News]:
        """Sleep until there is a report, `wake` is called or `timeout` seconds have passed; Nova sleeps only here."""

    def wake(self) -> None:
        """Make `wait` return now; safe from any thread and from a signal handler."""

    def cancel(self, key: str, grace: float) -> None:
        """Ask the process tree to end, and kill it after `grace` seconds; idempotent; an `Ended` report follows."""

    def to_terminal(self, key: str, word: str, *values: str | int) -> bool:
        """Send a running job's terminal `type`, who and text (a character per byte), or `size`, columns and rows.

        A `Typed` report follows. Returns False if the job does not run; one without a terminal ignores it.
        """

    def release(self, keys: Iterable[str]) -> None:
        """Allow the records of these keys to be deleted: their results are on disk."""

    def keep_records(self) -> bool:
        """Create again what the records of running jobs need, if it was deleted; returns True if it was."""

    def close(self) -> None:
        """Detach; running jobs continue."""
