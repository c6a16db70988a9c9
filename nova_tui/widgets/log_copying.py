"""Copies from the shown log: the page or the selection, and lines chosen without a mouse."""

from __future__ import annotations

from pathlib import Path

from nova_core.text import number_of
from nova_tui import outside
from nova_tui.log_cursor import MOST_LINES
from nova_tui.widgets.log_searching import LogSearching

_IN_COPY_MODE = {"mark", "copy_lines", "leave_copy"}


class LogCopying(LogSearching):
    """In copy mode a cursor stands on a line, all keys that move and search move it, and the log is not followed.

    `clipboard` is the file that gets the copied text besides the terminal's clipboard.
    """

    clipboard: Path | None = None
    _was_following = False

    @property
    def is_copying(self) -> bool:
        """True in copy mode."""
        return self.reader is not None and self.reader.cursor is not None

    def action_copy_mode(self) -> None:
        """Put a cursor on a line, to mark and copy lines."""
        if self.reader is None:
            return
        self._was_following = self.reader.following
        if not self.reader.begin_copy():
            self.notify("there is nothing to copy", markup=False)
        self._moved()
        self.refresh_bindings()

    def action_mark(self) -> None:
        """Mark the lines from here to where the cursor goes, or only the one under it."""
        if self.reader is not None and self.reader.cursor is not None:
            self.reader.cursor.toggle_mark()
            self._moved()

    def action_copy_lines(self) -> None:
        """Copy the marked lines, or the one under the cursor, and leave copy mode."""
        if self.reader is None or self.reader.cursor is None:
            return
        text, is_cut = self.reader.cursor.text()
        said = outside.copy(self.app, text, self.clipboard) if text else "the line is empty"
        self.action_leave_copy()
        self.notify(f"{said}; not all: at most {MOST_LINES:,} lines" if is_cut else said, markup=False)

    def action_leave_copy(self) -> None:
        """Leave copy mode; follow again if it was on before."""
        if self.reader is None:
            return
        self.reader.cursor = None
        if self._was_following:
            self.reader.follow(True)
        self._moved()
        self.refresh_bindings()

    def action_copy(self) -> None:
        """Copy the selection, or the page."""
        self.notify(outside.copy(self.app, self.visible_text(), self.clipboard), markup=False)

    def copy_note(self) -> str:
        """What copy mode does now; empty outside of it."""
        if self.reader is None or self.reader.cursor is None:
            return ""
        if self.reader.cursor.mark is None:
            return "copy mode: v marks"
        count = self.reader.cursor.count()
        return f"{'lines' if count is None else number_of(count, 'line')} marked: y copies"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the keys of copy mode only there."""
        if action == "copy_mode":
            return not self.is_copying
        return self.is_copying if action in _IN_COPY_MODE else super().check_action(action, parameters)
