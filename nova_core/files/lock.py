"""One engine per plan: locks that end with their holder, so that none is stale, and that no deletion releases."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import time
from _socket import AF_UNIX, SOCK_DGRAM, socket  # `socket` itself takes 4 ms to import, and `nova status` asks here
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from nova_core.clock import iso
from nova_core.digest import blake2b
from nova_core.errors import RunLockedError
from nova_core.holder.safe_open import inherit_owner

_TRIES = 10
_PAUSE = 0.02  # seconds; `engine_alive` in another process holds the lock for some microseconds
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class EngineInfo(msgspec.Struct, frozen=True):
    """The engine that holds the run: process id, machine, start (ISO 8601 UTC), command line."""

    pid: int = 0
    host: str = ""
    since: str = ""
    command: str = ""


class RunLock:
    """Holds a plan's place in a folder from construction to `close` or death.

    Raises `RunLockedError` naming the holder. There are two locks. `run.lock` is locked with flock(2), not with fcntl
    locks: those vanish when any descriptor of the file is closed. Its file can be deleted (`git clean -fdx`), so the
    engine also claims a name that no file holds: a socket in the abstract namespace (unix(7)), made of the device and
    inode of the folder. `also` are more things of the folder to claim, such as the plan's own name. Where there is no
    such namespace, flock alone has to do.
    """

    def __init__(self, path: Path, also: Iterable[str] = ()) -> None:
        self._path = path
        self._fds: list[int] = []
        self._claims: list[socket] = []
        try:
            self._lock()
            for name in _names(path, also):
                self._claim(name)
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        """Lock the file that has the name, and write who holds it."""
        for attempt in _attempts():
            fd = os.open(self._path, _FLAGS, 0o600)
            self._fds.append(fd)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.is_named():
                    break
            holder = _read(fd)
            os.close(self._fds.pop())
            if attempt == _TRIES:
                raise _locked(holder)
        inherit_owner(fd, self._path.parent)
        info = EngineInfo(os.getpid(), os.uname().nodename, iso(time.time()), " ".join(sys.argv)[:200])
        os.ftruncate(fd, 0)
        os.pwrite(fd, msgspec.json.encode(info), 0)

    def _claim(self, name: bytes) -> None:
        claim = socket(AF_UNIX, SOCK_DGRAM)
        self._claims.append(claim)
        for attempt in _attempts():
            try:
                claim.bind(name)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    return  # no abstract namespace here
            if attempt == _TRIES:
                raise _locked(_wait_for_name(self._path))

    def is_named(self) -> bool:
        """Returns False if the lock file was deleted or replaced: then others cannot see the lock. One stat(2)."""
        try:
            return os.path.samestat(os.stat(self._path, follow_symlinks=False), os.fstat(self._fds[-1]))
        except FileNotFoundError:
            return False

    def restore(self) -> None:
        """Give the lock a file again. Raises `OSError`."""
        with contextlib.suppress(RunLockedError):  # someone else locked the new file first: the claims stop them
            self._lock()

    def close(self) -> None:
        """Release the lock."""
        for fd in self._fds:
            os.close(fd)
        for claim in self._claims:
            claim.close()
        self._fds, self._claims = [], []


def _attempts() -> Iterator[int]:
    """Yields the numbers of the attempts to lock, with a pause in between."""
    for attempt in range(1, _TRIES + 1):
        yield attempt
        time.sleep(_PAUSE)


def _locked(holder: EngineInfo) -> RunLockedError:
    return RunLockedError(
        f"another nova engine runs this plan: pid {holder.pid or 'unknown'} on {holder.host or 'this machine'}, "
        f"since {holder.since or 'just now'} ({holder.command or 'nova run'})",
        hint="open it with `nova attach --control`, or stop its tasks with `nova cancel --all`",
    )


def _names(path: Path, also: Iterable[str]) -> list[bytes]:
    """The names to claim for a lock file: a folder keeps its inode when it is renamed, and a copy has another."""
    root = next((parent.parent for parent in path.parents if parent.name == ".nova"), path.parent)
    try:
        status = os.stat(root)
    except OSError:
        return []
    things = [path.parent.name, *map(_short, also)]
    return [f"\0nova/{status.st_dev}/{status.st_ino}/{thing}".encode() for thing in things]


def _short(thing: str) -> str:
    """A name of any length, short enough for sun_path (unix(7))."""
    return blake2b(thing.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def engine_alive(path: Path) -> EngineInfo | None:
    """The current holder of the lock file, or None. Never blocks, never creates the file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return EngineInfo() if _is_claimed(path) else None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(fd)
    finally:
        os.close(fd)
    return EngineInfo() if _is_claimed(path) else None


def _is_claimed(path: Path) -> bool:
    """Returns True if an engine lives that claimed this lock, whatever happened to its file."""
    for name in _names(path, ()):
        probe = socket(AF_UNIX, SOCK_DGRAM)
        try:
            probe.connect(name)
            return True
        except OSError:
            continue
        finally:
            probe.close()
    return False


def _wait_for_name(path: Path) -> EngineInfo:
    """The engine whose claim is in the way; if its file is gone, it makes another at its next look."""
    for _ in _attempts():
        found = engine_alive(path)
        if found is not None and found.pid:
            return found
    return EngineInfo()


def _read(fd: int) -> EngineInfo:
    """The holder writes after locking, so a reader may briefly find nothing."""
    try:
        return msgspec.json.decode(os.pread(fd, 4096, 0), type=EngineInfo)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return EngineInfo()
