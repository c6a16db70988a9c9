"""The engine's side of holders: starts them, finds those of earlier engines, and never blocks on messages."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

from msgspec import json

from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Job
from nova_core.executors.folders import FOLDER_HINT, make_folder
from nova_core.executors.journal_file import JournalFile
from nova_core.executors.journal_reader import Challenge, Facts, Hello, Message, Refusal, decode_message
from nova_core.holder.connection import Connection
from nova_core.holder.proof import load_key, prove
from nova_core.holder.safe_open import FOLDER_FLAGS, inherit_owner

PATIENCE = 10.0  # seconds within which a holder of an earlier engine must answer
_PAUSE = 0.002
_CODE = "import sys; sys.path.append(sys.argv[1]); from nova_core.holder.holder import main; main()"
_ROOT = str(Path(__file__).resolve().parents[2])
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_leaving: set[int] = set()


def reap_holders() -> None:
    """Reap the released holders, so that they do not remain as zombies."""
    for pid in list(_leaving):
        try:
            gone = os.waitpid(pid, os.WNOHANG)[0]
        except ChildProcessError:  # started by an earlier engine
            gone = pid
        if gone:
            _leaving.discard(pid)


class HolderLink:
    """One holder as the engine sees it. `jobs` are the jobs that have not ended, `keys` all jobs it was given."""

    def __init__(self, folder: AttemptFolder, name: str, pid: int = 0) -> None:
        self._folder = folder
        self.name = name
        self.pid = pid
        self.connection: Connection | None = None
        self.journal = JournalFile(folder, f"{name}.journal")
        self.jobs: dict[str, Job | None] = {}
        self.keys: set[str] = set()
        self.released: set[str] = set()
        self.begun: set[str] = set()  # jobs whose start was reported
        self.greeted = False

    @property
    def alive(self) -> bool:
        """True if the engine is connected to the holder."""
        return self.connection is not None

    @property
    def fd(self) -> int:
        """The descriptor of the connection; -1 without a connection."""
        return self.connection.fd if self.connection else -1

    def connect(self) -> bool:
        """Connect; works as soon as the socket listens, even before the holder runs. Returns False on failure."""
        try:
            connection = socket(AF_UNIX, SOCK_STREAM)
        except OSError:  # no descriptor to spare
            return False
        try:
            connection.connect(self._folder.address(f"{self.name}.sock"))
        except OSError:
            connection.close()
            return False
        connection.setblocking(False)
        self.connection = Connection(connection.detach())
        return True

    def send(self, message: bytes) -> bool:
        """Queue a message and write what the socket accepts; returns True if everything was written."""
        return self.connection is None or self.connection.write(message)

    def flush(self) -> bool:
        """Write what the socket accepts of the queue; returns True if everything was written."""
        return self.connection is None or self.connection.flush()

    def prove(self, *words: str) -> None:
        """Prove that this engine knows the project's key."""
        self.send(json.encode(("proof", self._folder.prove(*words))))

    def receive(self) -> list[Message] | None:
        """Returns the complete messages received so far; None if the holder is gone."""
        messages = self.connection.receive() if self.connection else None
        return None if messages is None else [decode_message(message) for message in messages]

    def close(self) -> None:
        """Close the connection. The holder exits once it holds no job."""
        if self.connection:
            self.connection.close()
        self.connection = None
        if self.pid > 0:
            _leaving.add(self.pid)
        reap_holders()

    def read(self) -> Facts:
        """Returns the current contents of the holder's journal."""
        return Facts(self.journal.read())

    def keep_journal(self) -> None:
        """Keep a copy of the journal if its name was deleted and the records are still needed."""
        if self.journal.has_lost_name() and self.keys - self.released:
            self.journal.keep()

    def is_gone(self) -> bool:
        """Returns True if no process holds the journal's lock. The kernel frees it however the holder dies."""
        return not self.journal.is_locked()

    def adopt(self) -> None:
        """Connect to the holder of an earlier engine and wait for its greeting, or find that it is gone.

        The greeting follows once the holder has read the last job of the earlier engine: from then on the journal has
        all of them. Raises EnvironmentProblem if neither happens within `PATIENCE`.
        """
        deadline = time.monotonic() + PATIENCE
        while not self.is_gone():
            if self.connect():
                if self._greeted(deadline):
                    return
                self.close()
            elif time.monotonic() > deadline:
                raise self.silent()
            time.sleep(_PAUSE)

    def _greeted(self, deadline: float) -> bool:
        from select import POLLIN, poll

        poller = poll()
        poller.register(self.fd, POLLIN)
        while poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            records = self.receive()
            if records is None:
                return False
            for record in records:
                if isinstance(record, Hello):
                    self.pid = record.pid
                    self.greeted = True
                    return True
                if isinstance(record, Challenge):
                    self.prove("engine", self.name, record.challenge)
                elif isinstance(record, Refusal):
                    self.close()
                    raise self._distrustful()
        self.close()
        raise self.silent()

    def _distrustful(self) -> EnvironmentProblem:
        pid = self.read().pid
        return EnvironmentProblem(
            f"the process that holds running tasks (pid {pid}) was started with another key than .nova/secret has now",
            hint=f"restore the file, or end that process and its tasks with `kill -KILL -{pid}`",
        )

    def silent(self) -> EnvironmentProblem:
        """Returns the error of a holder that does not answer."""
        pid = self.read().pid or self.pid
        return EnvironmentProblem(
            f"the process that holds running tasks (pid {pid}) does not answer",
            hint=f"resume it with `kill -CONT {pid}`, or end it and its tasks with `kill -KILL {pid}`",
        )

    def last_words(self) -> str:
        """Returns the last line the holder printed (it prints only if it fails), as plain ASCII; empty if none."""
        fd = self._folder.open_file(f"{self.name}.err")
        if fd < 0:
            return ""
        with open(fd, "rb") as file:
            lines = file.read(1 << 16).decode("ascii", "replace").split("\n")
        return next(("".join(filter(str.isprintable, line))[:200] for line in reversed(lines) if line.strip()), "")

    def unlink(self) -> None:
        """Remove the holder's files."""
        self.journal.close()
        for kind in ("journal", "err", "sock"):
            self._folder.remove(f"{self.name}.{kind}")


class AttemptFolder:
    """The folder `attempts` of a place, kept open: files are opened relative to it, so that it cannot be swapped.

    A job's marker is made of the run and the first of `places`, which a copied folder does not have.
    """

    def __init__(self, nova_dir: Path, run_id: str, places: tuple[str, ...] = ()) -> None:
        self.path = nova_dir / "attempts"
        self._places = places
        self._run_id = f"{run_id}.{places[0]}" if places else run_id
        self._fd = -1
        self._open()
        try:
            self._key = load_key(f"{nova_dir}/secret")
        except OSError as error:
            self.close()
            text = f"cannot use {nova_dir}/secret: {error.strerror}"
            raise EnvironmentProblem(text, hint="check its owner and permissions") from None

    def _open(self) -> None:
        make_folder(self.path)
        try:
            fd = os.open(self.path, FOLDER_FLAGS)
        except OSError as error:
            raise EnvironmentProblem(f"cannot use {self.path}: {error.strerror}", hint=FOLDER_HINT) from None
        self.close()
        self._fd = fd
        # sun_path holds 108 bytes (unix(7)), but a project's path may be longer.
        self._base = f"/proc/self/fd/{self._fd}" if os.path.isdir("/proc/self/fd") else str(self.path)

    def close(self) -> None:
        """Close the folder."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def restore(self) -> bool:
        """Create the folder again if it was deleted; returns True if it was. Raises EnvironmentProblem."""
        if self.path.exists() and os.path.samestat(os.stat(self.path), os.fstat(self._fd)):
            return False
        self._open()
        return True

    def owns(self, facts: Facts) -> bool:
        """Returns True if the jobs of a journal ran in this very folder; its disk may have got another number."""
        own = self._places[0] if self._places else ""
        return not own or not facts.place or facts.place.partition("-")[2] == own.partition("-")[2]

    def _is_foreign(self, link: HolderLink, facts: Facts) -> bool:
        """Returns True if a journal was copied from another folder; one without a place is of an older Nova.

        A living holder locks its own journal, so it is not the holder of a journal that nobody has locked.
        """
        if facts.hello is None or not self._places or facts.place == self._places[0]:
            return False
        return facts.place not in ("", *self._places) or (facts.holder_lives() and link.is_gone())

    def address(self, name: str) -> str:
        """Returns the path of a socket in the folder, short enough for the kernel."""
        return f"{self._base}/{name}"

    def open_file(self, name: str) -> int:
        """Returns a descriptor to read a file of the folder; -1 if it cannot be opened."""
        try:
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._fd)
        except OSError:
            return -1

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the folder."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with open(os.open(name, flags, 0o600, dir_fd=self._fd), "wb") as file:
            inherit_owner(file.fileno(), self._fd)
            file.write(data)

    def remove(self, name: str) -> None:
        """Unlink a file if it exists."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def prove(self, *words: str) -> str:
        """Returns the proof by the project's key that an engine says these words."""
        return prove(self._key, *words)

    def start(self, *, own: bool) -> HolderLink:
        """Start a holder and connect to it.

        Raises EnvironmentProblem if its files or process cannot be created; its cause is the OSError.
        """
        name = f"{'own' if own else 'shared'}-{os.urandom(6).hex()}"
        link = HolderLink(self, name)
        self.restore()
        try:
            with ExitStack() as closing:
                link.pid = self._spawn(link, closing, own=own)
        except OSError as error:
            link.close()
            link.unlink()
            text = f"cannot start a holder for {self.path}: {error.strerror or error}"
            raise EnvironmentProblem(text) from error
        link.prove("start", name)
        return link

    def _spawn(self, link: HolderLink, closing: ExitStack, *, own: bool) -> int:
        def kept(fd: int) -> int:
            closing.callback(os.close, fd)  # from then on only the holder has it, with the lock of the journal
            return fd

        reader, writer = map(kept, os.pipe())
        os.write(writer, self._key)
        null = kept(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC))
        errors = kept(os.open(f"{link.name}.err", _CREATE | os.O_APPEND, 0o600, dir_fd=self._fd))
        journal = kept(os.open(f"{link.name}.journal", _CREATE, 0o600, dir_fd=self._fd))
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        inherit_owner(errors, self._fd)
        inherit_owner(journal, self._fd)
        link.journal.open()
        listener = closing.enter_context(socket(AF_UNIX, SOCK_STREAM))
        listener.bind(self.address(f"{link.name}.sock"))
        listener.listen(16)
        if not link.connect():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        numbers = (reader, null, errors, journal, listener.fileno(), self._fd)
        high = [kept(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)) for fd in numbers]  # above the target descriptors
        argv = [sys.executable, "-I", "-S", "-c", _CODE, _ROOT, self._run_id, link.name, "own" if own else "shared"]
        actions = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(high)]
        defaults = set(range(1, 65)) - {9, 19, 32, 33}  # KILL, STOP, and two reserved by glibc
        return os.posix_spawn(
            argv[0], argv, os.environ, file_actions=actions, setsid=True, setsigmask=(), setsigdef=defaults
        )

    def find(self) -> tuple[list[HolderLink], set[str]]:
        """Returns the holders of earlier engines, and the keys of jobs in journals copied from another folder.

        Holders are connected if they are alive, otherwise they are only their journals. Foreign journals are removed.
        """
        names = sorted(os.listdir(self._fd))
        links: list[HolderLink] = []
        foreign: set[str] = set()
        for name in [name.removesuffix(".journal") for name in names if name.endswith(".journal")]:
            link = HolderLink(self, name)
            facts = link.read()
            if self._is_foreign(link, facts):
                foreign |= facts.keys()
                link.unlink()
                continue
            try:
                link.adopt()
            except EnvironmentProblem:
                for other in links:
                    other.close()
                raise
            links.append(link)
        for name in names:
            if name.endswith((".sock", ".err")) and f"{name.rpartition('.')[0]}.journal" not in names:
                self.remove(name)
        return links, foreign
