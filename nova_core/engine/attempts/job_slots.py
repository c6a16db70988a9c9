"""Job slots shared with `make`, `ninja` and `cargo`: the engine is a client or the server of a GNU make jobserver.

A slot is a byte in a pipe. Who starts a job takes one and puts it back later; each program owns one from its start, the
one that its parent took for it. See "POSIX Jobserver Interaction" in the manual of GNU make.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from nova_core.holder.job_setup import JOBSERVER, JOBSERVER_FDS
from nova_core.launch.make_flags import auth_of, with_jobserver

_TOKEN = b"+"
_PLAIN_PATH = re.compile(r"[\w./+@%:,=-]+", re.ASCII)  # make splits MAKEFLAGS at blanks and expands $
_FIFO_SINCE = (4, 4)  # version of GNU make
_FIONREAD = 0x541B


class JobSlots(Protocol):
    """The slots of the engine's workers. `is_short` is True if a worker waits for a slot."""

    is_short: bool

    def environment(self, environ: Mapping[str, str], jobs: int) -> dict[str, str]:
        """Returns the environment of workers, with what lets them use the slots."""

    def hold(self, workers: int, jobs: int) -> bool:
        """Take or put back slots until there is one for each worker; False if they are not free."""

    def close(self, running: int) -> None:
        """Put the slots back; `running` workers continue without the engine."""


class NoSlots:
    """Nova's own limit only: workers know of no jobserver."""

    is_short = False

    def environment(self, environ: Mapping[str, str], jobs: int) -> dict[str, str]:
        return dict(environ)

    def hold(self, workers: int, jobs: int) -> bool:
        return True

    def close(self, running: int) -> None:
        pass


class ClientSlots:
    """Slots of the make that started Nova; the first worker has Nova's own.

    Raises `OSError` if its jobserver cannot be used: its recipe does not begin with `+`, or make is gone.
    """

    def __init__(self, auth: str) -> None:
        self.is_short = False
        self._auth = auth
        self._ends = ""
        self._held: list[bytes] = []
        if auth.startswith("fifo:"):
            self._reader = self._writer = _open_fifo(auth.removeprefix("fifo:"))
            return
        numbers = [int(word) for word in auth.split(",") if word.isdecimal()]
        if len(numbers) != 2 or not all(stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in numbers):
            raise OSError("the jobserver's descriptors are not open")
        # Opened again: O_NONBLOCK would otherwise apply to every program that shares the pipe.
        paths = [f"/proc/{os.getpid()}/fd/{fd}" for fd in numbers]
        self._reader = os.open(paths[0], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._writer = os.open(paths[1], os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._ends = "\n".join(paths)
        self._auth = _pipe()

    def environment(self, environ: Mapping[str, str], jobs: int) -> dict[str, str]:
        return _told(environ, self._auth, jobs, self._ends)

    def hold(self, workers: int, jobs: int) -> bool:
        self.is_short = not _settle(self._held, workers - 1, self._reader, self._writer)
        return not self.is_short

    def close(self, running: int) -> None:
        _settle(self._held, 0, self._reader, self._writer)
        for fd in {self._reader, self._writer}:
            os.close(fd)


class ServerSlots:
    """Nova's own `jobs` slots in a FIFO at `path`; every worker holds one of them.

    `running` workers of an earlier engine hold theirs already. A slot that a killed program took with it is replaced as
    soon as no worker runs. With `old_make` programs get descriptors in place of the path, which make before 4.4 knows.
    """

    def __init__(self, path: Path, jobs: int, running: int, *, old_make: bool) -> None:
        self.is_short = False
        self._path = path
        self._held = [_TOKEN] * running
        self._jobs = jobs
        self._excess = 0  # slots to take away after `jobs` was lowered
        self._is_idle = False
        self._by_number = old_make or not _PLAIN_PATH.fullmatch(str(path))
        try:
            self._fd = _open_fifo(str(path), os.O_WRONLY)  # fails unless a program still has it open
            os.close(self._fd)
            self._fd = _open_fifo(str(path))
        except OSError:
            with suppress(FileNotFoundError):
                path.unlink()
            os.mkfifo(path, 0o600)
            self._fd = _open_fifo(str(path))
            os.write(self._fd, _TOKEN * max(0, jobs - running))

    def environment(self, environ: Mapping[str, str], jobs: int) -> dict[str, str]:
        if self._by_number:
            return _told(environ, _pipe(), jobs, f"{self._path}\n{self._path}")
        return _told(environ, f"fifo:{self._path}", jobs, "")

    def hold(self, workers: int, jobs: int) -> bool:
        self._resize(jobs)
        self.is_short = not _settle(self._held, workers, self._fd, self._fd)
        if not workers and not self._is_idle:
            self._refill()
        self._is_idle = not workers
        return not self.is_short

    def _resize(self, jobs: int) -> None:
        more, self._jobs = jobs - self._jobs, jobs
        self._excess -= more
        if self._excess < 0:
            os.write(self._fd, _TOKEN * -self._excess)
            self._excess = 0
        while self._excess and _take(self._fd):
            self._excess -= 1

    def _refill(self) -> None:
        """No worker runs, so all slots are free: replace those that were lost."""
        free = int.from_bytes(fcntl.ioctl(self._fd, _FIONREAD, b"\0" * 4), "little")
        if free < self._jobs:
            os.write(self._fd, _TOKEN * (self._jobs - free))
        for _ in range(free - self._jobs):
            _take(self._fd)
        self._excess = 0

    def close(self, running: int) -> None:
        if not running:
            with suppress(FileNotFoundError):
                self._path.unlink()
        os.close(self._fd)


def open_slots(path: Path, environ: Mapping[str, str], jobs: int, running: int) -> tuple[JobSlots, str]:
    """The slots of a run: those of the make that started Nova, otherwise Nova's own; and a warning, if there is one."""
    auth, warning = auth_of(environ), ""
    if auth is not None:
        try:
            return ClientSlots(auth), ""
        except OSError:
            warning = "the job slots of make are not available here: begin the line of its recipe with `+`"
    return ServerSlots(path, jobs, running, old_make=_make_is_old(environ)), warning


def _open_fifo(path: str, access: int = os.O_RDWR) -> int:
    fd = os.open(path, access | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(f"{path} is not a FIFO")


def _take(fd: int) -> bytes:
    """A slot; empty if none is free."""
    try:
        return os.read(fd, 1)
    except BlockingIOError:
        return b""


def _settle(held: list[bytes], wanted: int, reader: int, writer: int) -> bool:
    """Take or put back slots until `wanted` are held; returns False if too few are free."""
    while len(held) > max(0, wanted):
        with suppress(OSError):  # make is gone
            os.write(writer, held[-1])
        held.pop()
    while len(held) < wanted:
        token = _take(reader)
        if not token:
            return False
        held.append(token)
    return True


def _pipe() -> str:
    return "{},{}".format(*JOBSERVER_FDS)


def _told(environ: Mapping[str, str], auth: str, jobs: int, ends: str) -> dict[str, str]:
    told = with_jobserver(environ, auth, jobs)
    return {**told, JOBSERVER.decode(): ends} if ends else told


def _make_is_old(environ: Mapping[str, str]) -> bool:
    """Returns True if the workers' make is GNU make before 4.4, which ends with an error for a FIFO."""
    import shutil
    import subprocess

    make = shutil.which("make", path=environ.get("PATH"))
    if make is None:
        return False
    try:
        said = subprocess.run([make, "--version"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return False
    found = re.match(r"GNU Make (\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) < _FIFO_SINCE
