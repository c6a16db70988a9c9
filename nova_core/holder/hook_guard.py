"""Runs one hook and sees that it ends in time, also when the engine that wanted it is killed; standard library only."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from select import select
from signal import SIG_DFL, SIG_IGN, SIGKILL, SIGPIPE, SIGTERM, signal
from time import monotonic, strftime

from nova_core.holder.process_tree import Table, end_all, with_descendants
from nova_core.holder.spawn import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, prctl, shell_argv

CODE = "import sys; sys.path.append(sys.argv[1]); from nova_core.holder.hook_guard import main; main()"
TIMED_OUT = 124  # as timeout(1) has it
ENDED = 128 + SIGTERM
MOST_OUTPUT = 65_536  # bytes of one hook that are kept
MOST_LOG = 1_000_000  # bytes after which a new log is begun, with the old one beside it
_POLL = 0.05


class Hook:
    """One command line and its result. Its end is the end of everything it started."""

    def __init__(self, line: str, timeout: float, log: int) -> None:
        self._line = line
        self._deadline = monotonic() + timeout
        self._log = log
        self._left = MOST_OUTPUT
        self._cut = 0
        self._ended = False

    def run(self) -> int:
        """Run it to its end; its exit code, 128 and the signal, or `TIMED_OUT`."""
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
                os.killpg(pid, SIGKILL)  # all there is where there is no /proc
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
            argv = shell_argv(self._line)  # as the user wrote it, with nothing put in
            os.execv(argv[0], argv)  # noqa: S606
        finally:
            os._exit(127)

    def _follow(self, pid: int, source: int) -> int | None:
        """Its status, or None when its time is over."""
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
        """Take in what there is, at most so much that time limits are kept; False if nothing will come any more."""
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
            with suppress(OSError):  # a full disk
                os.write(self._log, data)


def _below(table: Table) -> set[int]:
    return with_descendants(table, [process.pid for process in table.values() if process.ppid == os.getpid()])


def open_log(path: str) -> int:
    """The log, for the owner only and never through a link; -1 if it cannot be opened."""
    try:
        if os.lstat(path).st_size > MOST_LOG:
            os.rename(path, f"{path}.old")
    except OSError:  # there is none so far
        pass
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return -1


def main() -> None:
    """`guard ROOT TIMEOUT LOG TITLE LINE`, with the hook's environment and standard input."""
    timeout, path, title, line = sys.argv[2:6]
    signal(SIGPIPE, SIG_IGN)
    log = open_log(path)
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # what the hook leaves behind can be found, and ended
    hook = Hook(line, float(timeout), log)
    hook._say(f"--- {strftime('%Y-%m-%d %H:%M:%S')} {title}\n")
    code = hook.run()
    hook._say("--- ended: too long\n" if code == TIMED_OUT else f"--- exit code {code}\n")
    os._exit(code)
