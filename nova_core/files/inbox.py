"""The inbox: a maildir for the reports of workers and the commands of people, with or without a live engine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from nova_core.command import Command, Reply
from nova_core.files.disk import Disk

_MAX_BYTES = 1 << 20
_POLL = 0.02
_SECRET_BYTES = 32


# `nova report` sends no larger ones; SQLite and JSON readers hold them exactly.
Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class Tokens(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Token counts of an attempt so far (totals, not increments); absent classes stay unchanged."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_creation_tokens: Count | None = None


class WorkerReport(msgspec.Struct, tag_field="kind", tag="report"):
    """A worker's report on itself: data, never a verdict. `token` proves which attempt sent it.

    `note` is for the tasks that depend on it, `action` something it did, `output` a promised file that is written,
    `question` a question for a person.
    """

    run: str
    task: str
    attempt: int
    token: str
    step: str | None = None
    percent: int | None = None
    tokens: Tokens | None = None
    criterion: int | None = None
    files: tuple[str, ...] = ()
    message: str | None = None
    note: str | None = None
    action: str | None = None
    output: str | None = None
    question: str | None = None


class CommandMessage(msgspec.Struct, tag_field="kind", tag="command"):
    """A person's command, answered in `ack/`."""

    command: Command


Message = WorkerReport | CommandMessage
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(WorkerReport | CommandMessage)


class Refused(msgspec.Struct, frozen=True):
    """A file in the inbox that is not a message, and why."""

    why: str


class Inbox:
    """The engine's side. A message is applied, then removed: applying it twice must change nothing."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._tmp = path / "tmp"
        self._new = path / "new"
        self._ack = path / "ack"
        self._disk = disk or Disk()
        self._seen_mtime = -1

    def read(self) -> Iterator[tuple[str, Message | Refused]]:
        """Every waiting message, oldest first, by file name. One stat(2) if nothing arrived.

        Each is opened in its turn: until then its sender can withdraw it.
        """
        mtime = os.stat(self._new).st_mtime_ns
        if mtime == self._seen_mtime:
            return
        names = sorted(os.listdir(self._new))
        # A file may arrive within the clock tick of the last look: an empty folder is settled only after a rest.
        if not names and time.time_ns() - mtime > 50_000_000:
            self._seen_mtime = mtime
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield name, self._load(self._new / name)

    def _load(self, path: Path) -> Message | Refused:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                found = os.fstat(fd)
                if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES:
                    return Refused("not a regular file of at most 1 MB")
                return _decoder.decode(os.read(fd, _MAX_BYTES))
            finally:
                os.close(fd)
        except FileNotFoundError:
            raise
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return Refused(str(error))

    def done(self, name: str, reply: Reply | None = None) -> None:
        """Remove an applied message, after answering it if its sender waits."""
        if reply is not None:
            self._disk.replace(self._ack / name, msgspec.json.encode(reply), sync=False)
        try:
            self._disk.unlink(self._new / name)
        except (IsADirectoryError, PermissionError):  # a folder that Nova did not create
            self._disk.rename(self._new / name, self._tmp / name)

    def sweep(self) -> None:
        """Remove answers that were never fetched, at the start of an engine."""
        for path in self._ack.iterdir():
            with contextlib.suppress(OSError):
                path.unlink()


def send_command(inbox_dir: Path, command: Command, timeout: float = 5.0) -> Reply | None:
    """Send a command to the live engine and wait up to `timeout` seconds for its answer; None if none arrived."""
    name = _deliver(inbox_dir, msgspec.json.encode(CommandMessage(command)))
    answer = inbox_dir / "ack" / name
    deadline = time.monotonic() + timeout
    try:
        while time.monotonic() < deadline and not answer.exists():
            time.sleep(_POLL)
    finally:  # also when the person stops waiting
        with contextlib.suppress(FileNotFoundError):
            (inbox_dir / "new" / name).unlink()  # must not be carried out later
    with contextlib.suppress(FileNotFoundError):
        reply = msgspec.json.decode(answer.read_bytes(), type=Reply)
        answer.unlink()
        return reply
    return None


def _deliver(inbox_dir: Path, data: bytes) -> str:
    """Write beside, fsync, rename: the reader never sees a part, and a delivered message survives a crash."""
    name = f"{time.time_ns()}.{os.getpid()}.{os.urandom(4).hex()}"
    temp = inbox_dir / "tmp" / name
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
    temp.rename(inbox_dir / "new" / name)
    return name


def load_secret(path: Path) -> bytes:
    """The project's key for attempt tokens, created on first use (0600).

    A power cut may lose it, but no attempt outlives that.
    """
    with contextlib.suppress(FileNotFoundError):
        secret = path.read_bytes()
        if len(secret) == _SECRET_BYTES:
            return secret
    secret = os.urandom(_SECRET_BYTES)
    Disk().replace(path, secret, sync=False)
    return secret


def attempt_token(secret: bytes, run: str, task: str, attempt: int) -> str:
    """The token that authenticates an attempt: a MAC of its identity (keyed BLAKE2, RFC 7693), stored nowhere."""
    message = f"{run}\0{task}\0{attempt}".encode()
    return hashlib.blake2b(message, key=secret, digest_size=16).hexdigest()
