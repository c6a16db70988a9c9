"""Starts one command for a holder: in a clean environment, and with a shell only if it needs one."""

from __future__ import annotations

import os
from ctypes import CDLL
from signal import SIG_DFL, SIGPIPE, SIGXFSZ, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SAFE = dict.fromkeys(map(ord, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:@%+= "))
# First words that need a shell. true, false and sleep are missing: as programs they do the same.
_SHELL_WORDS = """
. : alias bg break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs
disown do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash help
history if in jobs kill let local logout mapfile newgrp popd printf pushd pwd read readarray readonly return
select set shift shopt source suspend test then time times trap type typeset ulimit umask unalias unset until
wait while
"""
SHELL_WORDS = frozenset(_SHELL_WORDS.split())
# Python ignores these two, and ignored signals stay ignored across exec; handlers do not.
DEFAULTED = (SIGPIPE, SIGXFSZ)
_DUP2 = os.POSIX_SPAWN_DUP2
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_FEW = 4096  # bytes


def prctl(option: int, value: int) -> bool:
    """Linux prctl(2) with one argument; returns True on success."""
    try:
        return bool(CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError):  # not Linux
        return False


def open_children() -> int:
    """Returns a descriptor of the list of this process's children; -1 if the system has none."""
    try:
        return os.open("/proc/thread-self/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def read_children(fd: int) -> bytes:
    """Returns the pids in /proc/.../children, each followed by a blank; a small buffer does for most: 10 us per job."""
    pids = os.pread(fd, _FEW, 0)
    return pids if len(pids) < _FEW else os.pread(fd, 1 << 20, 0)


def simple_argv(line: str) -> list[str] | None:
    """Returns the words of a line that needs no shell (GNU make's rule: plain characters, no builtin), or None."""
    if line.translate(SAFE):
        return None
    words = line.split()
    if not words or words[0] in SHELL_WORDS or "=" in words[0] or words[0][0] == "-":
        return None
    return words


def shell_argv(line: str) -> list[str]:
    """Returns the `/bin/sh` command of a line; `--` keeps the line from being an option (POSIX.1-2024 system())."""
    return ["/bin/sh", "-c", "--", line]


class Launch:
    """What one start needs: `argv` or `shell`, the environment as bytes, and the descriptors `log` and `null` (stdin).

    `terminal` is the descriptor of the job's terminal, -1 if it has none: then its output goes to the log.
    The working directory is that of the process: a holder has one thread and may change it before each start.
    """

    __slots__ = ("argv", "env", "log", "null", "shell", "terminal")

    def __init__(self, argv: list[str], shell: str, env: dict[bytes, bytes], log: int, null: int) -> None:
        self.argv = argv
        self.shell = shell
        self.env = env
        self.log = log
        self.null = null
        self.terminal = -1

    def spawn(self) -> int:
        """Start the command in its own session with posix_spawn; returns its pid. Raises OSError or ValueError."""
        if not self.shell:
            return self._posix_spawn(self.argv)
        argv = simple_argv(self.shell)
        if argv is not None:
            try:
                return self._posix_spawn(argv)
            except OSError:
                pass  # the shell gives a better error message and its own exit code
        return self._posix_spawn(shell_argv(self.shell))

    def _posix_spawn(self, argv: list[str]) -> int:
        actions = [(_DUP2, self.null, 0), (_DUP2, self.log, 1), (_DUP2, self.log, 2)]
        return os.posix_spawnp(
            argv[0], argv, self.env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=DEFAULTED
        )


def spawn_gated(launch: Launch, record: Callable[[int], None]) -> int:
    """Fork, let `record` write the pid to disk, and only then let the command run; returns the pid. Raises OSError."""
    child = GatedChild(launch)
    opened = False
    try:
        record(child.pid)
        opened = True
        child.open_gate()
    except OSError:
        if not opened:
            child.shut()
        os.waitpid(child.pid, 0)
        raise
    return child.pid


class GatedChild:
    """A forked child that dies with its holder and executes nothing before `open_gate`; its `pid` is known before."""

    def __init__(self, launch: Launch) -> None:
        self._argv = launch.argv or simple_argv(launch.shell) or shell_argv(launch.shell)
        self._line = launch.shell
        fds: list[int] = []
        try:
            fds += os.pipe()
            fds += os.pipe()
            gate_read, self._gate, self._errors, errors_write = fds
            self.pid = os.fork()
        except OSError:
            for fd in fds:
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
        failure = os.read(self._errors, 16)  # exec closes the other end: no data means success
        os.close(self._errors)
        if failure:
            code = int(failure)
            raise OSError(code, os.strerror(code))

    def shut(self) -> None:
        """Keep the gate shut for good: the child ends without executing anything."""
        os.close(self._gate)
        os.close(self._errors)

    def _child(self, launch: Launch, gate: int, errors: int) -> None:
        try:
            os.setsid()
            os.close(self._gate)
            prctl(PR_SET_PDEATHSIG, 9)
            if os.read(gate, 1) == b"x":  # otherwise the holder is gone or could not record the pid
                output = launch.log
                if launch.terminal >= 0:
                    from nova_core.holder.terminal import take_terminal

                    take_terminal(output := launch.terminal)
                for source, target in ((launch.null, 0), (output, 1), (output, 2)):
                    os.dup2(source, target)
                for number in DEFAULTED:
                    signal(number, SIG_DFL)
                _offer_to_oom_killer()
                self._execute(launch.env)
        except OSError as error:
            os.write(errors, str(error.errno or 5).encode())
        except BaseException:  # in any case, a copy of the holder must not survive
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
    """Let the kernel kill the agent before engine or holder when memory runs out; best effort."""
    try:
        with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
            score = min(1000, int(file.read()) + 500)
            file.seek(0)
            file.write(str(score))
    except (OSError, ValueError):
        pass
