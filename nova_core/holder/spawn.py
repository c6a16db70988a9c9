"""Starting one command for a holder: its log, its clean surroundings, and the shell only where a shell is needed."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIG_DFL, SIGPIPE, SIGXFSZ, signal
else:  # the module under it: `signal` imports enum, 3.5 ms of a holder's start of 9
    from _signal import SIG_DFL, SIGPIPE, SIGXFSZ, signal

SAFE = dict.fromkeys(map(ord, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:@%+= "))
# First words that mean something to a shell. true, false and sleep are left out: as programs they do the same.
_SHELL_WORDS = """
. : alias bg break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs
disown do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash help
history if in jobs kill let local logout mapfile newgrp popd printf pushd pwd read readarray readonly return
select set shift shopt source suspend test then time times trap type typeset ulimit umask unalias unset until
wait while
"""
SHELL_WORDS = frozenset(_SHELL_WORDS.split())
LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Python ignores these two, and what is ignored stays so across exec; handlers do not.
DEFAULTED = (SIGPIPE, SIGXFSZ)
_DUP2 = os.POSIX_SPAWN_DUP2
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class SpawnError(Exception):
    """The command could not be started; the message is one line for the user."""


def prctl(option: int, value: int) -> bool:
    """Linux prctl(2) with one argument; whether it worked."""
    try:
        # The parts of ctypes needed for one call; importing all of it costs a holder 3.6 ms of its 9.
        from _ctypes import call_function, dlopen, dlsym

        return bool(call_function(dlsym(dlopen("", 2), "prctl"), (option, value, 0, 0, 0)) == 0)
    except (ImportError, OSError, TypeError):
        return False


def simple_argv(line: str) -> list[str] | None:
    """The words of a line that needs no shell (GNU make's rule: only plain characters, no builtin), else None."""
    if line.translate(SAFE):
        return None
    words = line.split()
    if not words or words[0] in SHELL_WORDS or "=" in words[0] or words[0][0] == "-":
        return None
    return words


def shell_argv(line: str) -> list[str]:
    """`/bin/sh` with the line, which `--` keeps from being an option (as system() does since POSIX.1-2024)."""
    return ["/bin/sh", "-c", "--", line]


def open_log(folder: int, name: str) -> int:
    """A descriptor to append to `name` in the open `folder`; raises SpawnError unless it is a plain file of ours."""
    if not name:
        return os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise SpawnError(f"the log name {name!r} is not a plain file name")
    if "/" in name:
        return _open_below(folder, name)
    try:
        # A file that did not exist is ours and plain; asking for that first saves fstat and two fcntl per job.
        return os.open(name, LOG_FLAGS | os.O_EXCL, 0o600, dir_fd=folder)
    except FileExistsError:
        return _open_existing(folder, name)
    except OSError as error:
        raise SpawnError(f"cannot create the log {name}: {error.strerror}") from None


def _open_below(folder: int, name: str) -> int:
    try:
        parent = open_parent(folder, name)
    except OSError as error:
        raise SpawnError(f"cannot use the folder of the log {name}: {error.strerror}") from None
    try:
        return open_log(parent, name.rpartition("/")[2])
    finally:
        os.close(parent)


def open_parent(folder: int, name: str) -> int:
    """A descriptor of the folder that holds `name`, some levels below the open `folder`; missing ones are made.

    Links are not followed: whoever may write into the project would lead us out of it. Raises OSError.
    """
    fd = os.dup(folder)
    for level in name.split("/")[:-1]:
        with suppress(FileExistsError):
            os.mkdir(level, 0o777, dir_fd=fd)
        try:
            below = os.open(level, FOLDER_FLAGS, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def open_stdin(path: str) -> int:
    """A descriptor to read the plain file `path`; raises SpawnError for anything else, which could block for ever."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SpawnError(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SpawnError(f"cannot read {path}: it is not a plain file")
    os.set_blocking(fd, True)
    return fd


def _open_existing(folder: int, name: str) -> int:
    try:
        fd = os.open(name, LOG_FLAGS | os.O_NONBLOCK, 0o600, dir_fd=folder)  # a FIFO must not block
    except OSError as error:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        kind = _kind(found) if not stat.S_ISREG(found) else error.strerror
        raise SpawnError(f"cannot write the log {name}: it is {kind}; Nova writes only to regular files") from None
    found_stat = os.fstat(fd)
    problem = ""
    if not stat.S_ISREG(found_stat.st_mode):
        problem = _kind(found_stat.st_mode)
    elif found_stat.st_nlink != 1:
        problem = "a file with a second hard link"
    elif found_stat.st_uid != os.geteuid():
        problem = "a file of another user"
    if problem:
        os.close(fd)
        raise SpawnError(f"cannot write the log {name}: it is {problem}; Nova writes only to regular files of its own")
    os.set_blocking(fd, True)
    return fd


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), "a device or socket")


class Launch:
    """What one start needs: `argv` or `shell`, the whole environment as bytes, the log's descriptor, and `null`: that
    of what it reads, mostly nothing.

    The working directory is the process's own: a holder has one thread and may change it before each start.
    """

    __slots__ = ("argv", "env", "log", "null", "shell")

    def __init__(self, argv: list[str], shell: str, env: dict[bytes, bytes], log: int, null: int) -> None:
        self.argv = argv
        self.shell = shell
        self.env = env
        self.log = log
        self.null = null

    def spawn(self) -> int:
        """posix_spawn the command in its own session; its pid. Raises OSError or ValueError as posix_spawn does."""
        if not self.shell:
            return self._posix_spawn(self.argv)
        argv = simple_argv(self.shell)
        if argv is not None:
            try:
                return self._posix_spawn(argv)
            except OSError:
                pass  # the shell says better than we could what is wrong, and with its own exit code
        return self._posix_spawn(shell_argv(self.shell))

    def _posix_spawn(self, argv: list[str]) -> int:
        actions = [(_DUP2, self.null, 0), (_DUP2, self.log, 1), (_DUP2, self.log, 2)]
        return os.posix_spawnp(
            argv[0], argv, self.env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=DEFAULTED
        )


class GatedChild:
    """A forked child that dies with its holder and executes nothing before `open_gate`; `pid` is known before."""

    def __init__(self, launch: Launch) -> None:
        self._argv = launch.argv or simple_argv(launch.shell) or shell_argv(launch.shell)
        self._line = launch.shell
        gate_read, self._gate = os.pipe()
        self._errors, errors_write = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            for fd in (gate_read, self._gate, self._errors, errors_write):
                os.close(fd)
            raise
        if self.pid == 0:
            self._child(launch, gate_read, errors_write)
        os.close(gate_read)
        os.close(errors_write)

    def open_gate(self) -> None:
        """Let the child execute its command; raises OSError with the errno of a failed exec."""
        os.write(self._gate, b"x")
        os.close(self._gate)
        failure = os.read(self._errors, 16)  # exec closes the other end: nothing to read is success
        os.close(self._errors)
        if failure:
            code = int(failure)
            raise OSError(code, os.strerror(code))

    def shut(self) -> None:
        """Leave the gate shut for good: the child ends without having executed anything."""
        os.close(self._gate)
        os.close(self._errors)

    def _child(self, launch: Launch, gate: int, errors: int) -> None:
        try:
            os.setsid()
            os.close(self._gate)
            prctl(PR_SET_PDEATHSIG, 9)
            if os.read(gate, 1) == b"x":  # otherwise the holder is gone or could not write the pid down
                for source, target in ((launch.null, 0), (launch.log, 1), (launch.log, 2)):
                    os.dup2(source, target)
                for number in DEFAULTED:
                    signal(number, SIG_DFL)
                _offer_to_oom_killer()
                self._execute(launch.env)
        except OSError as error:
            os.write(errors, str(error.errno or 5).encode())
        except BaseException:  # whatever it is, a copy of the holder must not live on
            os.write(errors, b"22")
        finally:
            os._exit(127)

    def _execute(self, env: dict[bytes, bytes]) -> None:
        try:
            os.execvpe(self._argv[0], self._argv, env)  # noqa: S606
        except OSError:
            if not self._line:
                raise
            line = shell_argv(self._line)
            os.execvpe(line[0], line, env)  # noqa: S606


def _offer_to_oom_killer() -> None:
    """Let the kernel take the agent before engine or holder when memory runs out; best effort."""
    try:
        with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
            score = min(1000, int(file.read()) + 500)
            file.seek(0)
            file.write(str(score))
    except (OSError, ValueError):
        pass
