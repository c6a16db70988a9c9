"""The inbox: a maildir through which workers report and people command, whether an engine is alive or not."""

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


# `nova report` sends no bigger ones; SQLite and JSON readers hold them exactly.
Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class Tokens(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Token counts of an attempt so far (totals, not increments); absent classes stay as they are."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_creation_tokens: Count | None = None


class WorkerReport(msgspec.Struct, tag_field="kind", tag="report"):
    """What a worker says of itself: data, never a verdict. `token` proves which attempt speaks.

    `note` is for those who go on from its work, `action` something it did, `output` a promised file that is written,
    `question` what it would ask if somebody were there.
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
    """A command of a person, answered in `ack/`."""

    command: Command


Message = WorkerReport | CommandMessage
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(WorkerReport | CommandMessage)


class Refused(msgspec.Struct, frozen=True):
    """A file in the inbox that is no message, and why."""

    why: str


class Inbox:
    """The engine's side. A message is applied, then removed: applying one twice must change nothing."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._tmp = path / "tmp"
        self._new = path / "new"
        self._ack = path / "ack"
        self._disk = disk or Disk()
        self._seen_mtime = -1

    def read(self) -> Iterator[tuple[str, Message | Refused]]:
        """Every message waiting, oldest first, by file name. One stat(2) when nothing came.

        Each is opened when its turn comes: until then whoever sent it can withdraw it.
        """
        mtime = os.stat(self._new).st_mtime_ns
        if mtime == self._seen_mtime:
            return
        names = sorted(os.listdir(self._new))
        # A file may arrive within the clock tick of the last look: only an empty folder that has rested is settled.
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
        """The message was applied: answer it if somebody waits, then remove it."""
        if reply is not None:
            self._disk.replace(self._ack / name, msgspec.json.encode(reply), sync=False)
        try:
            self._disk.unlink(self._new / name)
        except (IsADirectoryError, PermissionError):  # a folder, that nobody of ours put there
            self._disk.rename(self._new / name, self._tmp / name)

    def sweep(self) -> None:
        """Drop answers that nobody fetched, at the start of an engine."""
        for path in self._ack.iterdir():
            with contextlib.suppress(OSError):
                path.unlink()


def send_command(inbox_dir: Path, command: Command, timeout: float = 5.0) -> Reply | None:
    """Hand a command to the live engine and wait up to `timeout` seconds for its answer; None if none came."""
    name = _deliver(inbox_dir, msgspec.json.encode(CommandMessage(command)))
    answer = inbox_dir / "ack" / name
    deadline = time.monotonic() + timeout
    try:
        while time.monotonic() < deadline and not answer.exists():
            time.sleep(_POLL)
    finally:  # also when the person gives up waiting
        with contextlib.suppress(FileNotFoundError):
            (inbox_dir / "new" / name).unlink()  # not to be carried out later, by surprise
    with contextlib.suppress(FileNotFoundError):
        reply = msgspec.json.decode(answer.read_bytes(), type=Reply)
        answer.unlink()
        return reply
    return None


def _deliver(inbox_dir: Path, data: bytes) -> str:
    """Write beside, fsync, rename in: the reader never sees a part, and what was delivered survives a crash."""
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
    """The project's key for attempt tokens, made on first use (0600)."""
    with contextlib.suppress(FileNotFoundError):
        secret = path.read_bytes()
        if len(secret) == _SECRET_BYTES:
            return secret
    secret = os.urandom(_SECRET_BYTES)
    Disk().replace(path, secret)
    return secret


def attempt_token(secret: bytes, run: str, task: str, attempt: int) -> str:
    """What an attempt shows to be believed: a MAC of its identity (keyed BLAKE2, RFC 7693), stored nowhere."""
    message = f"{run}\0{task}\0{attempt}".encode()
    return hashlib.blake2b(message, key=secret, digest_size=16).hexdigest()
