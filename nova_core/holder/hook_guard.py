"""Runs one hook and ends it in time, even if the engine is killed; standard library only."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from select import select
from signal import SIG_DFL, SIG_IGN, SIGKILL, SIGPIPE, SIGTERM, signal
from time import monotonic, strftime

from nova_core.holder.process_tree import Table, end_all, with_descendants
from nova_core.holder.safe_open import inherit_owner
from nova_core.holder.spawn import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, prctl, shell_argv

CODE = "import sys; sys.path.append(sys.argv[1]); from nova_core.holder.hook_guard import main; main()"
TIMED_OUT = 124  # as in timeout(1)
ENDED = 128 + SIGTERM
MOST_OUTPUT = 65_536  # bytes of output kept per hook
MOST_LOG = 1_000_000  # bytes after which a new log starts; the old one is kept beside it
_POLL = 0.05


class Hook:
    """One command line and its result. The hook ends when everything it started has ended."""

    def __init__(self, line: str, timeout: float, log: int) -> None:
        self._line = line
        self._deadline = monotonic() + timeout
        self._log = log
        self._left = MOST_OUTPUT
        self._cut = 0
        self._ended = False

    def run(self) -> int:
        """Run the hook to its end; returns its exit code, 128 plus the signal, or `TIMED_OUT`."""
        source, target = os.pipe()
        signal(SIGTERM, self._end)
        pid = os.fork()
        if not pid:
            self._become(target)
        os.close(target)
        os.set_blocking(source, False)
        status = self._follow(pid, source)
        if status is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, SIGKILL)  # the only way on systems without /proc
        end_all(_below)
        self._read(source)
        if self._cut:
            self._say(f"[{self._cut} more bytes left out]\n")
        if status is None:
            return ENDED if self._ended else TIMED_OUT
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def _become(self, target: int) -> None:
        try:
            os.setsid()
            prctl(PR_SET_PDEATHSIG, SIGKILL)
            os.dup2(target, 1)
            os.dup2(target, 2)
            for number in (SIGTERM, SIGPIPE):
                signal(number, SIG_DFL)
            argv = shell_argv(self._line)  # exactly as the user wrote it
            os.execv(argv[0], argv)  # noqa: S606
        finally:
            os._exit(127)

    def _follow(self, pid: int, source: int) -> int | None:
        """Returns the exit status, None if the time is over."""
        is_open = True
        while monotonic() < self._deadline and not self._ended:
            if is_open:
                select([source], [], [], _POLL)
                is_open = self._read(source)
            else:
                select([], [], [], _POLL / 10)
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return status
        return None

    def _end(self, number: int, frame: object) -> None:
        self._ended = True

    def _read(self, source: int) -> bool:
        """Read available output, bounded so that time limits are kept; returns False at the end of the output."""
        for _ in range(256):
            try:
                data = os.read(source, MOST_OUTPUT)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._cut += max(0, len(data) - self._left)
            self._write(data[: self._left])
            self._left -= min(self._left, len(data))
        return True

    def _say(self, text: str) -> None:
        self._write(text.encode("utf-8", "replace"))

    def _write(self, data: bytes) -> None:
        if self._log >= 0 and data:
            with suppress(OSError):  # the disk may be full
                os.write(self._log, data)


def _below(table: Table) -> set[int]:
    return with_descendants(table, [process.pid for process in table.values() if process.ppid == os.getpid()])


def open_log(path: str) -> int:
    """Open the log, readable by the owner only and never through a link; returns -1 if it cannot be opened."""
    try:
        if os.lstat(path).st_size > MOST_LOG:
            os.rename(path, f"{path}.old")
    except OSError:  # there is no log yet
        pass
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        inherit_owner(fd, os.path.dirname(path))
        return fd
    except OSError:
        return -1


def main() -> None:
    """`guard ROOT TIMEOUT LOG TITLE LINE`, with the hook's environment and standard input."""
    timeout, path, title, line = sys.argv[2:6]
    signal(SIGPIPE, SIG_IGN)
    log = open_log(path)
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # to find and end what the hook leaves behind
    hook = Hook(line, float(timeout), log)
    hook._say(f"--- {strftime('%Y-%m-%d %H:%M:%S')} {title}\n")
    code = hook.run()
    hook._say("--- ended: too long\n" if code == TIMED_OUT else f"--- exit code {code}\n")
    os._exit(code)
