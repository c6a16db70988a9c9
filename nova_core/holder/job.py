"""One job in a holder: its process, the progress of its end, and the line that records it."""

from __future__ import annotations

import os
import sys
from json import dumps
from time import monotonic, time

from nova_core.boot import since_boot
from nova_core.holder.journal import E_LIMIT, END

TYPE_CHECKING = False  # avoids the import of `typing`
if TYPE_CHECKING:
    from collections.abc import Callable
    from resource import struct_rusage
    from typing import Protocol

    from nova_core.holder.log_cap import LogCap
    from nova_core.holder.messages import JobMessage

    class JobHolder(Protocol):
        """The part of the holder that limits and killing need."""

        run_id: str
        children: int  # descriptor of /proc/.../children, or -1
        by_pid: dict[int, HolderJob]
        jobs: dict[str, HolderJob]

        def later(self, delay: float, action: Callable[[JobHolder, HolderJob], None], job: HolderJob) -> None:
            """Call `action` after `delay` seconds, unless the job has ended by then."""

        def reap(self) -> None:
            """Reap every child that ended."""

        def stop(self, job: HolderJob, reason: str, grace: float) -> None:
            """End a job: TERM, after `grace` seconds KILL."""

        def finish(self, job: HolderJob, survivors: tuple[str, ...] = ()) -> None:
            """Record the end of a job of which only `survivors` remain."""


_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): kilobytes on Linux, bytes on macOS
_MAX_NAMES = 20


class HolderJob:
    """An accepted job. `status` is set once its own process has ended, `over` once nothing of it is left."""

    __slots__ = (
        "announced", "born", "cap", "deadline", "detail", "grace", "interrupt", "key", "killing_since", "leftovers",
        "limit", "log", "log_fd", "mono", "over", "pid", "printed", "reason", "slot", "started", "status", "usage",
    )  # fmt: skip

    def __init__(self, job: JobMessage) -> None:
        self.interrupt = job["interrupt"]
        self.key = job["key"]
        self.log = job["log"]
        self.grace = job["grace"]
        self.log_fd = -1
        self.limit = 0  # bytes of its log, 0 for none
        self.cap: LogCap | None = None
        self.pid = 0
        self.slot = 0  # its place in the roster of the guard
        self.mono = monotonic()
        self.born = since_boot()
        self.started = time()
        self.announced = False
        self.reason = ""
        self.detail = ""
        self.deadline = 0.0
        self.killing_since = 0.0
        self.leftovers: list[str] = []
        self.status: int | None = None
        self.usage: struct_rusage | None = None
        self.printed = -1  # bytes in its log when it ended; -1 if unknown
        self.over = False

    def ending(self, survivors: list[str]) -> str:
        """Returns the E line of the journal, without its newline; shorter than the space reserved for it."""
        code, number = self._outcome()
        usage = self.usage
        values = {
            "key": self.key,
            "reason": self.reason or "exit",
            "code": code,
            "signal": number,
            "ended_at": time(),
            "cpu_seconds": usage.ru_utime + usage.ru_stime if usage else 0.0,
            "max_rss": usage.ru_maxrss * _RSS_UNIT if usage else 0,
            "detail": dumps(self.detail),
            "leftovers": _names(self.leftovers),
            "survivors": _names(survivors),
            "pid": self.pid or "null",
            "started_at": self.started,
            "elapsed": since_boot() - self.born,
            "printed": self.printed if self.printed >= 0 else "null",
        }
        line = END.format_map(values)
        if len(line) < E_LIMIT:
            return line
        short = {"detail": dumps(self.detail[:100]), "leftovers": "[]", "survivors": _names(survivors[:3])}
        return END.format_map(values | short)

    def _outcome(self) -> tuple[int | str, int | str]:
        """Returns exit code and signal, as JSON."""
        if self.status is None:
            return "null", "null"
        if os.WIFSIGNALED(self.status):
            return "null", os.WTERMSIG(self.status)
        return os.WEXITSTATUS(self.status), "null"


def _names(names: list[str]) -> str:
    return dumps(names[:_MAX_NAMES]) if names else "[]"
