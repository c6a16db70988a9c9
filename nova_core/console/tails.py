"""The last lines of a log, safe to show: a worker may print anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from nova_core.text import clean, head_and_tail

MAX_BYTES = 65_536
MAX_WIDTH = 300


def open_log(path: Path) -> int | None:
    """Open the log. None if there is none; symbolic links, pipes and devices are not accepted."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def tail(path: Path, count: int) -> list[str]:
    """The last `count` lines that are not empty, cleaned and cut to `MAX_WIDTH`; empty if there is no log."""
    descriptor = open_log(path)
    if descriptor is None:
        return []
    with os.fdopen(descriptor, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - MAX_BYTES)
        file.seek(start)
        text = file.read(MAX_BYTES).decode("utf-8", "replace")
    lines = text.split("\n")
    if start:
        lines = lines[1:] or lines  # the first line is incomplete
    shown = (shown_line(line) for line in reversed(lines))
    return [line for line, _ in zip((line for line in shown if line), range(count), strict=False)][::-1]


def shown_line(line: str) -> str:
    """The text a terminal would show for one line: a carriage return restarts it (progress bars)."""
    parts = [part for part in line.split("\r") if part.strip()]
    return head_and_tail(clean(parts[-1]), MAX_WIDTH).rstrip() if parts else ""
