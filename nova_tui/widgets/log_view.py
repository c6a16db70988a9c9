"""The widget that shows a log: keys, mouse, drawing, and counting in steps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.selection import Selection

from nova_core.clock import Clock
from nova_core.files.log_gap import words as left_out
from nova_core.text import clean
from nova_core.watch.view_model import ViewModel
from nova_tui import outside
from nova_tui.glyphs import chars
from nova_tui.log_reader import LogReader
from nova_tui.views.why import nothing_printed
from nova_tui.widgets.log_copying import LogCopying

_WHEEL = 3
_SIDEWAYS = 8


class LogView(LogCopying, can_focus=True):
    """Shows the log at a path and follows it.

    It scrolls without a virtual size, which would grow with the log and cause a new layout at every update. The owner
    calls `poll` a few times a second while the log is visible.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow", id="log.follow"),
        # With priority it acts before the next key is handled, so that keys typed ahead reach the right widget.
        Binding("slash", "ask", "Search", id="log.search", priority=True),
        Binding("n", "find(True)", "Next", id="log.next"),
        Binding("N", "find(False)", "Previous", id="log.previous"),
        Binding("v", "mark", "Mark from here", id="log.mark"),
        Binding("y,enter", "copy_lines", "Copy the lines", id="log.copy_lines"),
        Binding("escape", "leave_copy", "End copy mode", id="log.copy_end"),
        Binding("escape", "forget", "End search", id="log.forget"),
        Binding("v", "copy_mode", "Copy mode", id="log.copy_mode"),
        Binding("w", "wrap", "Wrap", id="log.wrap"),
        Binding("u", "words(False)", "Raw log", id="log.words"),
        Binding("u", "words(True)", "Log in words", show=False, id="log.words"),
        Binding("t", "times", "Times", id="log.times"),
        Binding("c", "copy", "Copy the page", show=False, id="log.copy"),
        Binding("vertical_line", "pager", "Pager", show=False, id="log.pager"),
        Binding("j,down", "move(1)", "Down", show=False, id="move.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="move.up"),
        Binding("g,home", "home", "First", show=False, id="move.first"),
        Binding("G,end", "end", "Last", show=False, id="move.last"),
        Binding("ctrl+d,pagedown", "page(1)", "Page down", show=False, id="move.page_down"),
        Binding("ctrl+u,pageup", "page(-1)", "Page up", show=False, id="move.page_up"),
        Binding("l,right", "sideways(1)", "Right", show=False, id="move.right"),
        Binding("h,left", "sideways(-1)", "Left", show=False, id="move.left"),
    ]

    class FollowChanged(Message):
        """The view started or stopped following."""

        def __init__(self, view: LogView, following: bool) -> None:
            super().__init__()
            self.view = view
            self.following = following

    class Wrapped(Message):
        """A person chose to wrap long lines, or to cut them."""

        def __init__(self, wrap: bool) -> None:
            super().__init__()
            self.wrap = wrap

    class Changed(Message):
        """What `status` returns has changed."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LogView.Changed)

    def __init__(
        self, path: Path | None = None, *, clipboard: Path | None = None, clock: Clock | None = None,
        id: str | None = None, classes: str | None = None,  # noqa: A002 - as every widget
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self.clipboard = clipboard
        self.wrap = False
        self._by_agent = False
        self._words: bool | None = None  # what a person chose
        self._clock = clock or Clock()
        self._counting = False
        self._told_following = True
        self.set_path(path)

    # log

    @property
    def path(self) -> Path | None:
        """The shown log."""
        return self.reader.path if self.reader else None

    def show_task(self, model: ViewModel, task_id: str | None, path: Path | None) -> None:
        """Show a log of a task, what an agent prints in words unless a person chose otherwise."""
        known = task_id is not None and task_id in model.cascade.tasks
        self._by_agent = known and bool(model.task(task_id or "").agent or model.cascade.tasks[task_id or ""].agent)
        self.set_path(path)
        self.tell_nothing(nothing_printed(model, task_id) if task_id is not None else "")
        self._choose_words()

    @property
    def in_words(self) -> bool:
        """True if what agents print as JSON is shown in words."""
        return self._by_agent if self._words is None else self._words

    def _choose_words(self) -> None:
        if self.reader is not None and self.reader.pager.is_readable is not self.in_words:
            self.reader.read_aloud(self.in_words)
            self._drawn()

    def set_path(self, path: Path | None) -> None:
        """Show another log from its end; the same path changes nothing, None shows nothing."""
        if path != self.path:
            self.show(LogReader(path, self._clock) if path is not None else None)

    def show(self, reader: LogReader | None) -> None:
        """Show another reader, and close the one before."""
        if self.reader is not None:
            self.reader.close()
            self.workers.cancel_group(self, "search")
        self.reader = reader
        self._tally, self._progress, self._from = None, "", None
        self._followed, self._nowhere_at, self._only = False, None, None
        if self.reader is not None and self.wrap:
            self.reader.toggle_wrap()
        if self.reader is not None:
            self.reader.pager.is_readable = self.in_words
        if self.reader is not None and self.is_mounted:
            self.reader.resize(*self.size)
        self._drawn()
        self._keep_counting()

    @property
    def following(self) -> bool:
        """True if the view follows the end of the log."""
        return self.reader is not None and self.reader.following

    @following.setter
    def following(self, on: bool) -> None:
        if self.reader is not None:
            self.reader.follow(on)
            self._drawn()

    def poll(self) -> None:
        """Read the log and draw new output."""
        reader = self.reader
        copying, epoch = self.is_copying, reader.epoch if reader else 0
        if reader is None or not reader.poll():
            return
        if copying and not self.is_copying:  # the log was replaced: its lines are gone
            self.action_leave_copy()
        self._keep_counting()
        self.count_matches()
        if reader.epoch != epoch or reader.following or len(self._rows or ()) < reader.height or reader.renewed:
            self._drawn()
        else:  # redraw only the last row, which may be growing, and its pill
            self._rows = None
            self.refresh(Region(0, self.size.height - 1, self.size.width, 1))
            self.post_message(self.Changed())

    def _keep_counting(self) -> None:
        """Count some newlines now, and the rest between other work."""
        if self.reader is None or self._counting or not self.reader.count() or not self.is_attached:
            return
        self._counting = True
        self._count()

    @work(group="count")
    async def _count(self) -> None:
        while self.reader is not None and self.reader.count():
            await asyncio.sleep(0)
        self._counting = False
        self._drawn()

    def status(self) -> str:
        """One line for a heading: following, position, state of the search, what the log has lost,
        and what the window leaves out."""
        if self.reader is None or not self.reader.index.is_open:
            return ""
        starts = {row.place.start for row in self._page()}
        state = f"follow {chars().down}" if self.following else "not following (f)"
        place, lost = self.reader.position(), left_out(self.reader.index.cut)
        cut = "long lines cut (w wraps)" if self.reader.is_cut_at_the_side(self._page()) else ""
        told = "in words (u raw)" if any(map(self.reader.pager.is_told, starts)) else ""
        words = [self.copy_note() or state, place, self.reader.gutter_note, self.search_note(), lost, cut, told]
        return clean("  ".join(word for word in words if word))

    def _drawn(self) -> None:
        """Redraw all rows, and notify widgets that show the status."""
        self._rows = None
        self.refresh()
        if self.is_mounted:
            self.post_message(self.Changed())
            if self.following != self._told_following:
                self.post_message(self.FollowChanged(self, self.following))
        self._told_following = self.following

    def selection_updated(self, selection: Selection | None) -> None:
        """Stop following during a selection, so that the selected text does not move."""
        if selection is not None and not self._dragging:
            self.following = False
        self.refresh()

    # keys

    def on_mount(self) -> None:
        """Start counting a long log."""
        self._keep_counting()

    def on_unmount(self) -> None:
        """Close the file."""
        if self.reader is not None:
            self.reader.close()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the page to the new size."""
        if self.reader is not None:
            self.reader.resize(event.size.width, event.size.height)
            self._drawn()

    def _moved(self) -> None:
        """End the selection, as its rows now show other lines."""
        if self.text_selection is not None:
            self.screen.clear_selection()
        self._drawn()

    def action_follow(self) -> None:
        """Start or stop following the end."""
        self.following = not self.following

    def action_move(self, rows: int) -> None:
        """Move by rows."""
        if self.reader is not None:
            self.reader.move(rows)
            self._moved()

    def action_page(self, pages: int) -> None:
        """Move by pages; one row of the old page stays in view."""
        self.action_move(pages * max(1, self.size.height - 1))

    def action_home(self) -> None:
        """Go to the first line."""
        if self.reader is not None:
            self.reader.home()
            self._moved()

    def action_end(self) -> None:
        """Go to the last line, and follow; in copy mode, only go there."""
        if self.reader is not None:
            self.reader.end()
            self._moved()

    def action_sideways(self, direction: int) -> None:
        """Move sideways along long lines."""
        if self.reader is not None:
            self.reader.sideways(direction * _SIDEWAYS)
            self._moved()

    def action_wrap(self) -> None:
        """Toggle between wrapping and cutting long lines."""
        if self.reader is not None:
            self.wrap = not self.wrap
            self.post_message(self.Wrapped(self.wrap))
            self.reader.toggle_wrap()
            self._moved()

    def action_words(self, on: bool) -> None:
        """Show what agents print as JSON in words, or as it is."""
        self._words = on
        self._choose_words()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the other form of the log."""
        return parameters != (self.in_words,) if action == "words" else super().check_action(action, parameters)

    def action_times(self) -> None:
        """Switch the gutter: times, line numbers, nothing."""
        if self.reader is not None:
            self.reader.next_gutter()
            self._moved()

    def action_pager(self) -> None:
        """Open the log in the user's pager."""
        if self.reader is None or self.path is None:
            return
        if self.reader.index.descriptor is not None:
            self.notify("these lines are of many logs: L on a task, then |, opens one", markup=False)
            return
        problem = outside.open_in_pager(self.app, self.path) if self.path.is_file() else "no log yet"
        if problem:
            self.notify(problem, severity="warning", markup=False)
        self.refresh()

    # mouse

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def wheel(self, event: events.MouseScrollDown | events.MouseScrollUp) -> None:
        """Scroll by a few rows."""
        event.stop()
        self.action_move(_WHEEL if isinstance(event, events.MouseScrollDown) else -_WHEEL)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start dragging the thumb in the last column; on the pill, go to the end."""
        if self.on_pill(event.x, event.y):
            self.following = True
        elif event.x == self.size.width - 1:
            self._dragging = True
            self.capture_mouse()
            self._drag(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the thumb."""
        if self._dragging:
            self._drag(event.y)

    def on_mouse_up(self) -> None:
        """Stop dragging the thumb."""
        if self._dragging:
            self._dragging = False
            self.release_mouse()
            self._moved()

    def _drag(self, y: int) -> None:
        if self.reader is not None:
            self.reader.seek(y / max(1, self.size.height - 1))
            self._moved()
