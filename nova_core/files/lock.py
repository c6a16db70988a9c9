"""One engine per project: a flock that ends with its holder, so that no stale lock can exist."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path

import msgspec

from nova_core.clock import iso
from nova_core.errors import RunLockedError

_TRIES = 10
_PAUSE = 0.02  # seconds; `engine_alive` in another process holds the lock for some microseconds


class EngineInfo(msgspec.Struct, frozen=True):
    """The engine that holds the run: process id, machine, start (ISO 8601 UTC), command line."""

    pid: int = 0
    host: str = ""
    since: str = ""
    command: str = ""


class RunLock:
    """Holds `run.lock` from construction to `close` or death. Raises `RunLockedError` naming the holder.

    flock(2), not fcntl locks: those vanish when any descriptor of the file is closed. The file is never unlinked or
    replaced: that would allow two owners.
    """

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(fd, "r+b", buffering=0)
        for attempt in range(_TRIES):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if attempt < _TRIES - 1:
                time.sleep(_PAUSE)
        else:
            holder = _read(fd)
            self._file.close()
            raise RunLockedError(
                f"another nova engine runs this project: pid {holder.pid} on {holder.host or 'this machine'}, "
                f"since {holder.since or 'just now'} ({holder.command or 'nova run'})",
                hint="open it with `nova attach --control`, or stop its tasks with `nova cancel --all`",
            )
        info = EngineInfo(os.getpid(), os.uname().nodename, iso(time.time()), " ".join(sys.argv)[:200])
        os.ftruncate(fd, 0)
        os.pwrite(fd, msgspec.json.encode(info), 0)

    def close(self) -> None:
        """Release the lock."""
        self._file.close()


def engine_alive(path: Path) -> EngineInfo | None:
    """The current holder of the lock file, or None. Never blocks, never creates the file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(fd)
    finally:
        os.close(fd)
    return None


def _read(fd: int) -> EngineInfo:
    """The holder writes after locking, so a reader may briefly find nothing."""
    try:
        return msgspec.json.decode(os.pread(fd, 4096, 0), type=EngineInfo)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return EngineInfo()
