"""The widget that shows a worker's terminal: its log, drawn as its terminal shows it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from nova_core.files.plain_file import open_plain
from nova_tui.emulator import Emulator
from nova_tui.palettes import TERMINAL
from nova_tui.views import log_rows

_PIECE = 4096
_MOMENT = 0.02  # seconds that one update may take
_BEFORE = 64 << 10  # bytes of earlier output from which the screen is drawn
_BEHIND = 256 << 10  # bytes; a view that is further behind goes to the end


class TerminalView(Widget):
    """Draws the terminal whose output is the log at `path`; the owner calls `poll` while it is visible."""

    DEFAULT_CSS = """
    TerminalView { width: 1fr; height: 1fr; background: $surface; color: $foreground; }
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.emulator = Emulator(80, 24)
        self._path = path
        self._fd = -1
        self._at = 0

    def on_unmount(self) -> None:
        """Close the log."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def fit(self, size: Size) -> bool:
        """Draw into another size; returns False if it is the same."""
        columns, rows = max(2, size.width), max(2, size.height)
        if self.emulator.size == (columns, rows):
            return False
        self.emulator.resize(columns, rows)
        self.refresh()
        return True

    def poll(self) -> None:
        """Draw what the worker printed since the last time."""
        try:
            if self._fd < 0:
                self._fd = open_plain(self._path)
            size = os.fstat(self._fd).st_size
        except OSError:
            return
        if size < self._at or size - self._at > (_BEHIND if self._at else _BEFORE):
            self.emulator = Emulator(*self.emulator.size)
            self._at = max(0, size - _BEFORE)
        until = time.monotonic() + _MOMENT
        before = self._at
        while self._at < size and time.monotonic() < until:
            data = os.pread(self._fd, _PIECE, self._at)
            if not data:
                break
            self._at += len(data)
            self.emulator.feed(data)
        if self._at != before:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the terminal."""
        width, base = self.size.width, self.rich_style
        if y >= self.emulator.size[1]:
            return Strip.blank(width, base)
        theme = TERMINAL if self.app.native_ansi_color else self.app.ansi_theme
        return log_rows.text_strip(self.emulator.row(y, base), 0, width, base, y, theme)
