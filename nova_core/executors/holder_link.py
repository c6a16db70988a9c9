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
from nova_core.executors.journal_reader import Challenge, Facts, Hello, Message, Refusal, decode_message
from nova_core.holder.connection import Connection
from nova_core.holder.proof import load_key, prove
from nova_core.holder.safe_open import FOLDER_FLAGS

PATIENCE = 10.0  # seconds within which a holder of an earlier engine must answer
_PAUSE = 0.002
_CODE = "import sys; sys.path.append(sys.argv[1]); from nova_core.holder.holder import main; main()"
_ROOT = str(Path(__file__).resolve().parents[2])
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER_HINT = "use a folder that you own, not a link"
_leaving: set[int] = set()


def make_folder(path: Path) -> Path:
    """Create a private folder if it is missing; returns its absolute path. Raises EnvironmentProblem."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise EnvironmentProblem(f"{path}: cannot create the folder: {reason}", hint=_FOLDER_HINT) from None
    return Path(os.path.abspath(path))


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
        self._connection: Connection | None = None
        self.jobs: dict[str, Job | None] = {}
        self.keys: set[str] = set()
        self.released: set[str] = set()
        self.begun: set[str] = set()  # jobs whose start was reported
        self.greeted = False

    @property
    def alive(self) -> bool:
        """True if the engine is connected to the holder."""
        return self._connection is not None

    @property
    def fd(self) -> int:
        """The descriptor of the connection; -1 without a connection."""
        return self._connection.fd if self._connection else -1

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
        self._connection = Connection(connection.detach())
        return True

    def send(self, message: bytes) -> bool:
        """Queue a message and write what the socket accepts; returns True if everything was written."""
        if self._connection is None:
            return True
        self._connection.send(message)
        return self._connection.flush()

    def flush(self) -> bool:
        """Write what the socket accepts of the queue; returns True if everything was written."""
        return self._connection is None or self._connection.flush()

    def prove(self, *words: str) -> None:
        """Prove that this engine knows the project's key."""
        self.send(json.encode(("proof", self._folder.prove(*words))))

    def receive(self) -> list[Message] | None:
        """Returns the complete messages received so far; None if the holder is gone."""
        messages = self._connection.receive() if self._connection else None
        return None if messages is None else [decode_message(message) for message in messages]

    def close(self) -> None:
        """Close the connection. The holder exits once it holds no job."""
        if self._connection:
            self._connection.close()
        self._connection = None
        if self.pid > 0:
            _leaving.add(self.pid)
        reap_holders()

    def read(self) -> Facts:
        """Returns the current contents of the holder's journal."""
        fd = self._folder.open_file(f"{self.name}.journal")
        if fd < 0:
            return Facts(b"")
        with open(fd, "rb") as file:
            return Facts(file.read())

    def is_gone(self) -> bool:
        """Returns True if no process holds the journal's lock. The kernel frees it however the holder dies."""
        fd = self._folder.open_file(f"{self.name}.journal")
        if fd < 0:
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        return True

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
                raise self._silent()
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
        raise self._silent()

    def _distrustful(self) -> EnvironmentProblem:
        pid = self.read().pid
        return EnvironmentProblem(
            f"the process that holds running tasks (pid {pid}) was started with another key than .nova/secret has now",
            hint=f"restore the file, or end that process and its tasks with `kill -KILL -{pid}`",
        )

    def _silent(self) -> EnvironmentProblem:
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
        for kind in ("journal", "err", "sock"):
            self._folder.remove(f"{self.name}.{kind}")


class AttemptFolder:
    """`.nova/attempts`, kept open: files are opened relative to it, so that the folder cannot be swapped."""

    def __init__(self, nova_dir: Path, run_id: str) -> None:
        self.path = make_folder(nova_dir) / "attempts"
        make_folder(self.path)
        try:
            self._fd = os.open(self.path, FOLDER_FLAGS)
        except OSError as error:
            raise EnvironmentProblem(f"cannot use {self.path}: {error.strerror}", hint=_FOLDER_HINT) from None
        try:
            self._key = load_key(f"{nova_dir}/secret")
        except OSError as error:
            os.close(self._fd)
            text = f"cannot use {nova_dir}/secret: {error.strerror}"
            raise EnvironmentProblem(text, hint="check its owner and permissions") from None
        self._run_id = run_id
        # sun_path holds 108 bytes (unix(7)), but a project's path may be longer.
        self._base = f"/proc/self/fd/{self._fd}" if os.path.isdir("/proc/self/fd") else str(self.path)

    def address(self, name: str) -> str:
        """Returns the path of a socket in the folder, short enough for the kernel."""
        return f"{self._base}/{name}"

    def open_file(self, name: str) -> int:
        """Returns a descriptor to read a file of the folder; -1 if it cannot be opened."""
        try:
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._fd)
        except OSError:
            return -1

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

    def find(self) -> list[HolderLink]:
        """Returns the holders of earlier engines: connected if they are alive, otherwise only their journals."""
        names = sorted(os.listdir(self._fd))
        links: list[HolderLink] = []
        for name in [name.removesuffix(".journal") for name in names if name.endswith(".journal")]:
            link = HolderLink(self, name)
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
        return links

    def close(self) -> None:
        """Close the folder."""
        os.close(self._fd)
