"""The logs of all running tasks as one log in memory: each line after the id of its task."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from nova_core.files.log_index import Change, LogIndex
from nova_core.text import size
from nova_tui.ansi import MAX_LINE, line_segments
from nova_tui.ansi import plain as shown
from nova_tui.log_line import MOVES
from nova_tui.views.line import plain

MOST = 32 << 20  # bytes of the stream; then its older half is dropped
_TAIL = 4 << 10  # bytes of each log at first
_AT_ONCE = 256 << 10  # bytes of each log per look
_BEHIND = 1 << 20  # bytes; a log that is further ahead is cut short
_COLORS = (36, 35, 32, 34, 96, 95, 92, 94)  # SGR; red and yellow would mean a failure and what needs a person
_WIDEST = 16  # cells of an id


class _Log:
    """What is read of one log."""

    def __init__(self, path: Path, color: int) -> None:
        self.index = LogIndex(path)
        self.color = color
        start = max(0, self.index.size - _TAIL)
        self.at = self.index.next_line(self.index.line_start(start)) if start else 0

    def read(self) -> tuple[bytes, int]:
        """The new whole lines, and the number of bytes that were left out before them."""
        if self.index.poll() in (Change.RENEWED, Change.CUT):
            self.index.reopen()
            self.at = 0
        skipped = 0
        if self.index.size - self.at > _BEHIND:
            start = self.index.next_line(self.index.size - _AT_ONCE)
            skipped, self.at = start - self.at, start
        data = self.index.read(self.at, self.at + _AT_ONCE)
        whole = len(data) if len(data) == _AT_ONCE and b"\n" not in data else data.rfind(b"\n") + 1
        self.at += whole
        return data[:whole], skipped

    def rest(self) -> bytes:
        """What stands after the last newline."""
        data = self.index.read(self.at, self.index.size)
        self.at = self.index.size
        return data


class Stream:
    """Collects what the tasks print while they run, and how they ended. `path_of` names the log of a task.

    `index` reads the stream. Close it when it is no longer shown.
    """

    def __init__(self, path_of: Callable[[str], Path]) -> None:
        self._path_of = path_of
        self._file = os.memfd_create("running", os.MFD_CLOEXEC)
        self.index = LogIndex(Path("running"), self._file)
        self._logs: dict[str, _Log] = {}
        self._begun = 0

    def close(self) -> None:
        """Free the memory."""
        for log in self._logs.values():
            log.index.close()
        self._logs.clear()
        self.index.close()
        os.close(self._file)

    def take(self, running: Mapping[str, None], ended: Callable[[str], str]) -> None:
        """Add what the `running` tasks printed since the last call; `ended` says how another one has ended."""
        for task_id in running:
            if task_id not in self._logs:
                self._logs[task_id] = _Log(self._path_of(task_id), _COLORS[self._begun % len(_COLORS)])
                self._begun += 1
        width = min(_WIDEST, max((len(plain(i)) for i in self._logs), default=0))
        parts = [part for i, log in self._logs.items() for part in self._new(i, log, width)]
        for task_id in [i for i in self._logs if i not in running]:
            log = self._logs.pop(task_id)
            parts += [_line(task_id, log.color, width, raw) for raw in log.rest().splitlines()]
            parts.append(_line(task_id, log.color, width, f"\x1b[1m{ended(task_id)}\x1b[0m".encode()))
            log.index.close()
        if parts:
            self._write(b"".join(parts))

    def _new(self, task_id: str, log: _Log, width: int) -> list[bytes]:
        data, skipped = log.read()
        if not data:
            return []
        note = [f"\x1b[2m{size(skipped)} left out here: L shows the whole log\x1b[0m".encode()] if skipped else []
        lines = data.removesuffix(b"\n").split(b"\n")
        return [_line(task_id, log.color, width, raw) for raw in (*note, *lines)]

    def _write(self, data: bytes) -> None:
        size_now = os.fstat(self._file).st_size
        if size_now + len(data) > MOST:
            kept = (os.pread(self._file, MOST // 2, max(0, size_now - MOST // 2)) + data)[-MOST // 2 :]
            data = kept[kept.find(b"\n") + 1 :]
            os.ftruncate(self._file, 0)
            size_now = 0
        os.pwrite(self._file, data, size_now)


def _line(task_id: str, color: int, width: int, raw: bytes) -> bytes:
    """A line of the stream; what moves the cursor is carried out first, as it would write over the id."""
    if MOVES.search(raw):
        raw = shown(line_segments(raw[-MAX_LINE:], min(len(raw), MAX_LINE))).encode()
    return f"\x1b[{color}m{plain(task_id):<{width}}\x1b[0m ".encode() + raw + b"\n"
