"""What all jobs of an engine share (environment, log folder, project folder), and how a launch is prepared."""

from __future__ import annotations

import os
from contextlib import suppress

from nova_core.holder.log_cap import LogCap
from nova_core.holder.safe_open import FOLDER_FLAGS, SpawnError, inherit_owner, open_log, open_parent, open_stdin
from nova_core.holder.spawn import Launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nova_core.holder.job import HolderJob
    from nova_core.holder.messages import BaseMessage, JobMessage

_ENOTDIR = 20
JOBSERVER = b"NOVA_JOBSERVER_PIPE"  # of the engine: the paths of a pipe's two ends, which workers get as descriptors
JOBSERVER_FDS = 100, 101  # those descriptors: far from 0 to 9, which scripts open


def native(text: str) -> str:
    """Returns a string of the channel (one character per byte) in this system's encoding."""
    return text if text.isascii() else os.fsdecode(text.encode("latin-1"))


def plain(error: Exception) -> str:
    """Returns the message of an error, without number and file name."""
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


class JobSetup:
    """Prepares launches. Changes the directory and PATH of its process, which has only one thread."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self._env: dict[bytes, bytes] = {}
        self._root = self._cwd = os.getcwd()
        self._asked = ""  # the folder of the last job, as its message named it
        self._path: bytes | None = b""  # PATH of this process; empty until it is set
        self._problem = "the engine named no log folder"
        self.logs = -1
        self._logs_path = ""

    def set_base(self, base: BaseMessage) -> None:
        """Handle the engine's first message."""
        self._env = _encoded(base["env"])
        if ends := self._env.pop(JOBSERVER, b""):
            _open_jobserver(*ends.split(b"\n"))
        self._root = native(base["root"])
        self._asked = ""
        self.use_logs(base["logs"])

    def use_logs(self, path: str) -> None:
        """Create logs in this folder; `path` has one character per byte."""
        self._logs_path = native(path)
        self._open_logs()

    def _open_logs(self) -> None:
        path = self._logs_path
        try:
            self.logs = os.open(path, FOLDER_FLAGS)
        except OSError as error:
            reason = "it is a symbolic link or no folder" if error.errno == _ENOTDIR else plain(error)
            self._problem = f"cannot use the log folder {os.path.basename(path)}: {reason}"

    def _restore_logs(self) -> None:
        """Create the log folder again if it was deleted; one that was only renamed stays in use."""
        if self.logs >= 0:
            if os.fstat(self.logs).st_nlink:
                return
            os.close(self.logs)
            self.logs = -1
        made = False
        with suppress(OSError):  # `_open_logs` says what is wrong
            os.makedirs(self._logs_path, 0o777)
            made = True
        self._open_logs()
        if made and self.logs >= 0:
            inherit_owner(self.logs, self._root)

    def prepare(self, job: JobMessage) -> Launch:
        """Enter the job's folder, open its log and its standard input. Raises SpawnError."""
        folder = self._enter(job["cwd"])
        env = self._env | _encoded(job["env"])
        env[b"PWD"] = os.fsencode(folder)
        env[b"NOVA_JOB"] = f"{self._run_id}/{job['key']}".encode()
        path = env.get(b"PATH")
        if path != self._path:
            self._path = path
            _set_path(path)
        argv = [native(word) for word in job["argv"]]
        source = open_stdin(native(job["stdin"])) if job["stdin"] else self._null
        try:
            return Launch(argv, native(job["shell"]), env, self._open_log(native(job["log"])), source)
        except SpawnError:
            if source != self._null:
                os.close(source)
            raise

    def _open_log(self, name: str) -> int:
        if self.logs >= 0:
            try:
                return open_log(self.logs, name)
            except SpawnError as error:
                if error.passing:
                    raise
        self._restore_logs()
        if self.logs < 0:
            raise SpawnError(self._problem)
        return open_log(self.logs, name)

    def close_stdin(self, launch: Launch) -> None:
        """Close the holder's descriptor of the job's standard input: the job has its own."""
        if launch.null != self._null:
            os.close(launch.null)

    def _enter(self, cwd: str) -> str:
        """Change to the job's folder: posix_spawn cannot, and a shell that does it costs as much as the job."""
        if cwd == self._asked:
            return self._cwd
        folder = self._root if cwd == "." else os.path.normpath(os.path.join(self._root, native(cwd)))
        if folder != self._cwd:
            try:
                os.chdir(folder)
            except (OSError, ValueError) as error:
                raise SpawnError(f"cannot enter the folder {folder}: {plain(error)}", error) from None
            self._cwd = folder
        self._asked = cwd
        return folder

    def go_home(self) -> None:
        """Return to the project folder: an idle holder must not keep a worktree busy."""
        if self._cwd != self._root:
            self._cwd, self._asked = self._root, ""
            os.chdir(self._root)


def close_log(setup: JobSetup, job: HolderJob) -> None:
    """Close the log of a job that has ended, cut to its limit."""
    job.printed = os.fstat(job.log_fd).st_size
    if 0 < job.limit < job.printed and job.log:
        cap = job.cap or LogCap(job.log_fd, job.limit)
        try:
            folder = open_parent(setup.logs, job.log)
            try:
                cap.cut(folder, job.log.rpartition("/")[2])
            finally:
                os.close(folder)
        except OSError as error:
            job.detail = job.detail or f"the log could not be cut: {plain(error)}"
    os.close(job.log_fd)
    job.log_fd = -1


def _open_jobserver(reader: bytes, writer: bytes) -> None:
    """Give all further jobs the ends of GNU make's pipe of job slots; without them make works with one slot."""
    flags = os.O_RDONLY | os.O_NONBLOCK, os.O_WRONLY | os.O_NONBLOCK
    for path, flag, target in zip((reader, writer), flags, JOBSERVER_FDS, strict=True):
        with suppress(OSError):
            fd = os.open(path, flag | os.O_CLOEXEC)
            os.set_blocking(fd, True)
            os.dup2(fd, target)  # inheritable
            os.close(fd)


def _encoded(env: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in env.items()}


def _set_path(path: bytes | None) -> None:
    """Set PATH: posix_spawnp searches the PATH of the calling process."""
    if path is None:
        os.environb.pop(b"PATH", None)
    elif b"\0" not in path:
        os.environb[b"PATH"] = path
