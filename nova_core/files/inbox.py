"""The inbox: a maildir for the reports of workers and the commands of people, with or without a live engine."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from nova_core.command import Command, Reply
from nova_core.digest import blake2b
from nova_core.errors import EnvironmentProblem
from nova_core.files.disk import Disk
from nova_core.files.own_task import require_person
from nova_core.files.project import Project
from nova_core.holder.proof import is_proof, load_key, prove
from nova_core.holder.safe_open import inherit_owner

_MAX_BYTES = 1 << 20
_REST = 0.05  # seconds; the clocks of file systems tick every few milliseconds
_POLL = 0.02
_FRESH = 600 * 10**9  # nanoseconds for which a command may be obeyed: a copy of its file is worthless later
_MOST_WORDS = 200


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
    """A person's command, answered in `ack/`. `proof` shows that its sender knows the project's key."""

    command: msgspec.Raw
    proof: str = ""

    def read(self, name: str, secret: bytes) -> Command:
        """Returns the command in the file `name`. Raises `ValueError` that says why it must not be obeyed."""
        if not is_proof(self.proof, secret, "command", name, bytes(self.command)):
            raise ValueError("it carries no proof by the project's key")
        sent = int(name.partition(".")[0])
        if abs(time.time_ns() - sent) > _FRESH:
            raise ValueError("it is too old, or the clock was set meanwhile")
        return msgspec.json.decode(self.command, type=Command)

    def about(self) -> str:
        """Returns the command in a few words, for people."""
        try:
            command = msgspec.json.decode(self.command, type=Command)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return "unknown"
        return " ".join((command.kind, *command.ids))[:_MOST_WORDS]


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
        self._empty: tuple[int, float] = (-1, 0.0)  # time of the last change of the empty folder, and since when known

    def read(self) -> Iterator[tuple[str, Message | Refused]]:
        """Every waiting message, oldest first, by file name. One stat(2) if nothing arrived.

        Each is opened in its turn: until then its sender can withdraw it.
        """
        mtime = os.stat(self._new).st_mtime_ns
        if mtime == self._seen_mtime:
            return
        names = sorted(os.listdir(self._new))
        # A file may arrive within the clock tick of the last look: an empty folder is settled only after a rest.
        if not names and self._empty[0] != mtime:
            self._empty = mtime, time.monotonic()
        elif not names and time.monotonic() - self._empty[1] > _REST:
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


def send_command(project: Project, command: Command, timeout: float = 5.0) -> Reply | None:
    """Send a command to the live engine and wait up to `timeout` seconds for its answer; None if none arrived.

    Raises `UsageError` inside a task of the project, `EnvironmentProblem` if the project's key cannot be read.
    """
    require_person(project)
    secret = read_secret(project.secret_file)
    inbox_dir, raw = project.inbox_dir, msgspec.json.encode(command)
    name = _new_name()
    message = CommandMessage(msgspec.Raw(raw), prove(secret, "command", name, raw))
    _deliver(inbox_dir, name, msgspec.json.encode(message))
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


def _new_name() -> str:
    return f"{time.time_ns()}.{os.getpid()}.{os.urandom(8).hex()}"


def _deliver(inbox_dir: Path, name: str, data: bytes) -> None:
    """Write beside, fsync, rename: the reader never sees a part, and a delivered message survives a crash."""
    temp = inbox_dir / "tmp" / name
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        inherit_owner(fd, inbox_dir)
        file.write(data)
        file.flush()
        os.fsync(fd)
    temp.rename(inbox_dir / "new" / name)


def load_secret(path: Path) -> bytes:
    """The project's key, which proves who commands and reports; created on first use."""
    return load_key(os.fspath(path))


def read_secret(path: Path) -> bytes:
    """The project's key. Raises `EnvironmentProblem` if it cannot be read."""
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot read {path}: {error.strerror}; without the project's key nobody can command its run",
            hint="use the account that started the run",
        ) from None
    return secret


def attempt_token(secret: bytes, run: str, task: str, attempt: int) -> str:
    """The token that authenticates an attempt: a MAC of its identity (keyed BLAKE2, RFC 7693), stored nowhere."""
    message = f"{run}\0{task}\0{attempt}".encode()
    return blake2b(message, key=secret, digest_size=16).hexdigest()
