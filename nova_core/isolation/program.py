"""Runs a program, mostly git, to its end: in a session of its own, and at most for a time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from nova_core.isolation.values import GitFailed

if TYPE_CHECKING:
    from subprocess import Popen

SLOW = 1.0  # seconds until it is asked why a git takes so long; then twice as many, each time


class Result(msgspec.Struct, frozen=True):
    """What a git printed, and how it ended."""

    code: int
    out: bytes
    error: str

    @property
    def fields(self) -> list[bytes]:
        """The output of `-z`, field by field. Raises GitFailed if its end is missing."""
        if self.out and not self.out.endswith(b"\0"):
            raise GitFailed(f"git printed {shown(self.out[-60:])!r} at the end")
        return [field for field in self.out.split(b"\0") if field]


def shown(name: bytes) -> str:
    """A file name as text that can be stored: bytes that are not UTF-8 become `\\xff`."""
    return name.decode("utf-8", "backslashreplace")


class Running:
    """The programs that run now, by the numbers of their process groups; all are killed once it is `over`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._groups: set[int] = set()
        self.is_over = False

    def add(self, group: int) -> None:
        """A program has started."""
        with self._lock:
            self._groups.add(group)
            if self.is_over:
                _kill(group)

    def discard(self, group: int) -> None:
        """A program has come to its end; to be called before its number can be another's."""
        with self._lock:
            self._groups.discard(group)

    def over(self) -> None:
        """Kill what runs, and what starts from now on."""
        with self._lock:
            self.is_over = True
            for group in self._groups:
                _kill(group)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def run_program(
    command: list[str], where: str, environ: dict[str, str], stdin: bytes = b"", *, limit: float, slow: float = SLOW,
    passing: tuple[int, ...] = (), look: Callable[[], object] = bool, running: Running | None = None,
) -> Result:  # fmt: skip
    """Run a program to its end in a session of its own, at most `limit` seconds; it inherits the descriptors `passing`.

    After `slow` seconds, and then ever longer ones, `look` is called; if it raises, the program is killed. While it
    runs, it is in `running`. Raises GitFailed if it cannot start or takes too long: then it is killed, with what it has
    started.
    """
    import subprocess  # only where tasks have trees

    running = running or Running()
    with _given(stdin) as file:
        try:
            process = subprocess.Popen(
                command, cwd=where, env=environ, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True, pass_fds=passing,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise GitFailed(f"cannot start {command[0]}: {error}") from None
    running.add(process.pid)
    try:
        out, error_text = _watched(process, limit, slow, look)
    except subprocess.TimeoutExpired:
        raise GitFailed(f"{' '.join(command[:2])} took longer than {limit:.0f} s and was killed") from None
    finally:
        running.discard(process.pid)
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in filter(None, (process.stdout, process.stderr)):
                stream.close()
    return Result(process.returncode, out, error_text.decode("utf-8", "replace"))


@contextmanager
def _given(stdin: bytes) -> Iterator[int]:
    """What a program reads: a file, because a pipe is no longer fed after a time limit of `communicate`."""
    from tempfile import TemporaryFile  # only where tasks have trees

    with TemporaryFile() as file:
        file.write(stdin)
        file.seek(0)
        yield file.fileno()


def _watched(process: Popen[bytes], limit: float, pause: float, look: Callable[[], object]) -> tuple[bytes, bytes]:
    """What the program prints until its end. Raises TimeoutExpired after `limit` seconds."""
    from subprocess import TimeoutExpired

    while limit > pause:
        try:
            return process.communicate(timeout=pause)
        except TimeoutExpired:
            look()
        limit, pause = limit - pause, pause * 2
    return process.communicate(timeout=limit)
