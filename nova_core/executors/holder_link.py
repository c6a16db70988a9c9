"""The engine's end of holders: starting them, finding those of earlier engines, talking without ever blocking."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Job
from nova_core.executors.journal_reader import Facts, Hello, Record, decode_record
from nova_core.holder.connection import Connection
from nova_core.holder.safe_open import FOLDER_FLAGS

PATIENCE = 10.0  # seconds in which a holder of an earlier engine has to answer
_PAUSE = 0.002
_CODE = "import sys; sys.path.append(sys.argv[1]); from nova_core.holder.holder import main; main()"
_ROOT = str(Path(__file__).resolve().parents[2])
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER_HINT = "it must be a folder of yours, no link"
_leaving: set[int] = set()


def make_folder(path: Path) -> Path:
    """Create a private folder unless it is there; its absolute path. Raises EnvironmentProblem."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise EnvironmentProblem(f"{path}: cannot create the folder: {reason}", hint=_FOLDER_HINT) from None
    return Path(os.path.abspath(path))


def reap_holders() -> None:
    """Take the exit status of holders that were let go, so that they do not stay as zombies."""
    for pid in list(_leaving):
        try:
            gone = os.waitpid(pid, os.WNOHANG)[0]
        except ChildProcessError:  # started by an earlier engine
            gone = pid
        if gone:
            _leaving.discard(pid)


class HolderLink:
    """One holder as the engine sees it. `jobs` are those without an end so far, `keys` all it was ever given."""

    def __init__(self, folder: AttemptFolder, name: str, pid: int = 0) -> None:
        self._folder = folder
        self.name = name
        self.pid = pid
        self._connection: Connection | None = None
        self.jobs: dict[str, Job | None] = {}
        self.keys: set[str] = set()
        self.released: set[str] = set()

    @property
    def alive(self) -> bool:
        """Whether the engine is connected to it."""
        return self._connection is not None

    @property
    def fd(self) -> int:
        """The descriptor of the connection; -1 without one."""
        return self._connection.fd if self._connection else -1

    def connect(self) -> bool:
        """Connect, which works as soon as the socket listens, before any holder runs; False when nobody listens."""
        connection = socket(AF_UNIX, SOCK_STREAM)
        try:
            connection.connect(self._folder.address(f"{self.name}.sock"))
        except OSError:
            connection.close()
            return False
        connection.setblocking(False)
        self._connection = Connection(connection.detach())
        return True

    def send(self, message: bytes) -> bool:
        """Queue a message and write what the socket takes; whether all was written."""
        if self._connection is None:
            return True
        self._connection.send(message)
        return self._connection.flush()

    def flush(self) -> bool:
        """Write what is queued as far as the socket takes it; whether all was written."""
        return self._connection is None or self._connection.flush()

    def receive(self) -> list[Record] | None:
        """The whole messages that have arrived; None when the holder is gone."""
        messages = self._connection.receive() if self._connection else None
        return None if messages is None else [decode_record(message) for message in messages]

    def close(self) -> None:
        """Hang up. The holder leaves once it holds no job."""
        if self._connection:
            self._connection.close()
        self._connection = None
        if self.pid > 0:
            _leaving.add(self.pid)
        reap_holders()

    def read(self) -> Facts:
        """What its journal says now."""
        fd = self._folder.open_file(f"{self.name}.journal")
        if fd < 0:
            return Facts(b"")
        with open(fd, "rb") as file:
            return Facts(file.read())

    def is_gone(self) -> bool:
        """Whether no process has its lock any more. The kernel frees it when the holder dies, however it dies."""
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

    def wait_for_end(self) -> None:
        """Wait until the holder is gone. Raises EnvironmentProblem when it is not within `PATIENCE`."""
        deadline = time.monotonic() + PATIENCE
        while not self.is_gone():
            if time.monotonic() > deadline:
                raise self._silent()
            time.sleep(_PAUSE)
        reap_holders()

    def adopt(self) -> None:
        """Connect to the holder of an earlier engine and wait for its greeting, or find that it is gone.

        The greeting comes after the last job of the earlier engine was taken from the socket: from then on the journal
        knows all of them. Raises EnvironmentProblem when neither happens within `PATIENCE`.
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
                    return True
        self.close()
        raise self._silent()

    def _silent(self) -> EnvironmentProblem:
        pid = self.read().pid or self.pid
        return EnvironmentProblem(
            f"the process that holds running tasks (pid {pid}) does not answer",
            hint=f"it may be stopped: `kill -CONT {pid}` resumes it; `kill -KILL {pid}` ends it and its tasks",
        )

    def last_words(self) -> str:
        """The last line the holder printed (it prints only when it fails), as plain ASCII; empty if none."""
        fd = self._folder.open_file(f"{self.name}.err")
        if fd < 0:
            return ""
        with open(fd, "rb") as file:
            lines = file.read(1 << 16).decode("ascii", "replace").split("\n")
        return next(("".join(filter(str.isprintable, line))[:200] for line in reversed(lines) if line.strip()), "")

    def unlink(self) -> None:
        """Remove its files."""
        for kind in ("journal", "err", "sock"):
            self._folder.remove(f"{self.name}.{kind}")


class AttemptFolder:
    """`.nova/attempts`, held open: files are named relative to it, so that nobody can slip in another folder."""

    def __init__(self, nova_dir: Path, run_id: str) -> None:
        self.path = make_folder(nova_dir) / "attempts"
        make_folder(self.path)
        try:
            self._fd = os.open(self.path, FOLDER_FLAGS)
        except OSError as error:
            raise EnvironmentProblem(f"{self.path}: cannot be used: {error.strerror}", hint=_FOLDER_HINT) from None
        self._run_id = run_id
        # sun_path holds 108 bytes (unix(7)); a project may lie deeper.
        self._base = f"/proc/self/fd/{self._fd}" if os.path.isdir("/proc/self/fd") else str(self.path)

    def address(self, name: str) -> str:
        """The path of a socket in the folder, short enough for the kernel."""
        return f"{self._base}/{name}"

    def open_file(self, name: str) -> int:
        """A descriptor to read a file of the folder; -1 when it is not there."""
        try:
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._fd)
        except OSError:
            return -1

    def remove(self, name: str) -> None:
        """Unlink a file if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def start(self, *, own: bool) -> HolderLink:
        """Start a holder, connected to. Raises EnvironmentProblem when files or the process cannot be made."""
        name = f"{'own' if own else 'shared'}-{os.urandom(6).hex()}"
        link = HolderLink(self, name)
        try:
            link.pid = self._spawn(link, own=own)
        except OSError as error:
            link.unlink()
            raise EnvironmentProblem(f"{self.path}: cannot start a holder: {error.strerror or error}") from None
        return link

    def _spawn(self, link: HolderLink, *, own: bool) -> int:
        fds = [os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)]
        listener = socket(AF_UNIX, SOCK_STREAM)
        try:
            fds.append(os.open(f"{link.name}.err", _CREATE | os.O_APPEND, 0o600, dir_fd=self._fd))
            fds.append(os.open(f"{link.name}.journal", _CREATE, 0o600, dir_fd=self._fd))
            fcntl.flock(fds[2], fcntl.LOCK_EX | fcntl.LOCK_NB)
            listener.bind(self.address(f"{link.name}.sock"))
            listener.listen(16)
            link.connect()
            return self._execute(link.name, (fds[0], fds[0], fds[1], fds[2], listener.fileno(), self._fd), own=own)
        finally:
            listener.close()
            for fd in fds:
                os.close(fd)  # the lock is the holder's alone from now on

    def _execute(self, name: str, numbers: tuple[int, ...], *, own: bool) -> int:
        argv = [sys.executable, "-I", "-S", "-c", _CODE, _ROOT, self._run_id, name, "own" if own else "shared"]
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in numbers]  # out of the way of the targets
        try:
            actions = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(high)]
            defaults = set(range(1, 65)) - {9, 19, 32, 33}  # KILL, STOP, and two that are glibc's
            return os.posix_spawn(
                argv[0], argv, os.environ, file_actions=actions, setsid=True, setsigmask=(), setsigdef=defaults
            )
        finally:
            for fd in high:
                os.close(fd)

    def find(self) -> list[HolderLink]:
        """The holders of earlier engines: connected to those that live, the others to be read."""
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
