"""The seam between the engine and whatever runs its attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol

import msgspec


class Job(msgspec.Struct, frozen=True):
    """One process to run. `key` names it for ever (`F1@2`, `F1@2+1` for its first check): it is started at most once.

    Exactly one of `argv` (no shell) and `shell` (one line for `/bin/sh -c`) is set. `log` is a plain file name inside
    the executor's log folder; without one the output is dropped, and silence is not noticed. `stdin` is the path of a
    plain file that it reads, else there is nothing to read. Times are seconds; 0 means no limit. `interrupt` has it
    asked to end by SIGINT before SIGTERM, for programs that then report what they used. `own_holder` gives the job a
    holder process of its own, whose records are on disk before the command starts (agents); the rest share one.
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


class EndReason(StrEnum):
    """Why a job is over."""

    EXIT = "exit"
    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"
    CANCELLED = "cancelled"
    SPAWN_ERROR = "spawn_error"
    LOST = "lost"


class Started(msgspec.Struct, frozen=True):
    """The job's process runs (or was found running, after a restart). `started_at` is seconds since the epoch."""

    key: str
    pid: int
    started_at: float


class Ended(msgspec.Struct, frozen=True):
    """The job is over. `code` and `signal` exclude each other; both are None for `lost` and `spawn_error`.

    `leftovers` names the processes the command left behind and Nova ended; `survivors` those it could not.
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


Report = Started | Ended


class Executor(Protocol):
    """Runs jobs. Only `wake` may be called from another thread than the engine's."""

    def recover(self) -> list[Report]:
        """What earlier engines left: every job still running (`Started`) or ended and not yet released (`Ended`).

        Call it once, before `submit`; afterwards the running ones report through `wait` like any other.
        """

    def prepare(self) -> object:
        """Start now whatever takes time to start and that shell jobs will need."""

    def submit(self, job: Job) -> None:
        """Start the job; never blocks for its process. A key that was ever submitted is not started again."""

    def wait(self, timeout: float | None) -> list[Report]:
        """Sleep until there is a report, `wake` is called or `timeout` seconds passed; the one place Nova sleeps."""

    def wake(self) -> None:
        """Make `wait` return now; safe from any thread and from a signal handler."""

    def cancel(self, key: str, grace: float) -> None:
        """Ask the whole tree to end, kill what is left after `grace` seconds; idempotent, answered by `Ended`."""

    def release(self, keys: Iterable[str]) -> None:
        """The results of these keys are on disk: their records may go."""

    def close(self) -> None:
        """Detach; running jobs continue."""
