"""One job inside a holder: its process, how far its end has come, and the line that tells of it."""

from __future__ import annotations

import os
import sys
from time import CLOCK_MONOTONIC, clock_gettime, monotonic, time

from nova_core.holder.channel import quote
from nova_core.holder.journal import E_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from resource import struct_rusage

    from nova_core.holder.log_cap import LogCap

_BOOT_CLOCK = 7 if sys.platform == "linux" else CLOCK_MONOTONIC  # CLOCK_BOOTTIME: what /proc/PID/stat counts by
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): kilobytes on Linux, bytes on macOS
_MAX_NAMES = 20


class HeldJob:
    """A job that was accepted. `status` is set once its own process ended, `over` when nothing of it is left."""

    __slots__ = (
        "announced", "born", "cap", "deadline", "detail", "grace", "interrupt", "key", "killing_since", "leftovers",
        "log", "log_fd", "mono", "over", "pid", "reason", "started", "status", "usage",
    )  # fmt: skip

    def __init__(self, key: str, log: str, grace: float, *, interrupt: bool = False) -> None:
        self.interrupt = interrupt
        self.key = key
        self.log = log
        self.grace = grace
        self.log_fd = -1
        self.cap: LogCap | None = None
        self.pid = 0
        self.mono = monotonic()
        self.born = clock_gettime(_BOOT_CLOCK)
        self.started = time()
        self.announced = False
        self.reason = ""
        self.detail = ""
        self.deadline = 0.0
        self.killing_since = 0.0
        self.leftovers: list[str] = []
        self.status: int | None = None
        self.usage: struct_rusage | None = None
        self.over = False

    def ending(self, survivors: list[str]) -> str:
        """The E line of the journal, without its newline; shorter than what the journal keeps free for it."""
        code, number = self._outcome()
        cpu, rss = 0.0, 0
        if self.usage:
            cpu = self.usage.ru_utime + self.usage.ru_stime
            rss = self.usage.ru_maxrss * _RSS_UNIT
        start = f'["E","{self.key}","{self.reason or "exit"}",{code},{number},{time():.6f},{cpu:.6f},{rss},'
        end = f",{self.pid or 'null'},{self.started:.6f}]"
        line = f"{start}{quote(self.detail)},{_names(self.leftovers)},{_names(survivors)}{end}"
        return line if len(line) < E_LIMIT else f"{start}{quote(self.detail[:100])},[],{_names(survivors[:3])}{end}"

    def _outcome(self) -> tuple[str, str]:
        if self.status is None:
            return "null", "null"
        if os.WIFSIGNALED(self.status):
            return "null", str(os.WTERMSIG(self.status))
        return str(os.WEXITSTATUS(self.status)), "null"


def _names(names: list[str]) -> str:
    return f"[{','.join(map(quote, names[:_MAX_NAMES]))}]" if names else "[]"
