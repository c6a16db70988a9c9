"""A scrolling list of drawn lines, with a cursor if its lines have keys."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual
from textual.widget import Widget

from nova_tui.glyphs import MUTED, chars

_WHEEL = 3
Keys = Sequence[Hashable | None]


class LinesView(Widget, can_focus=True):
    """Shows lines; draws only those on the screen. With `keys` there is a cursor, which stays on its key when lines are
    added or removed; a line with the key None cannot be selected. With `follow` the end stays in view until the user
    scrolls away from it.

    The last column is the scroll bar: draw lines `room` cells wide.
    """

    DEFAULT_CSS = """
    LinesView { width: 1fr; height: 1fr; background: $background; color: $foreground; text-wrap: nowrap; }
    LinesView > .lines-view--cursor { background: $block-cursor-blurred-background; text-style: bold; }
    LinesView:focus > .lines-view--cursor { background: $block-cursor-background 60%; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines-view--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="move.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="move.up"),
        Binding("g,home", "edge(False)", "First", show=False, id="move.first"),
        Binding("G,end", "edge(True)", "Last", show=False, id="move.last"),
        Binding("ctrl+d,pagedown", "page(1)", "Page down", show=False, id="move.page_down"),
        Binding("ctrl+u,pageup", "page(-1)", "Page up", show=False, id="move.page_up"),
        Binding("enter", "open", "Open", id="move.open"),
    ]

    class Chosen(Message):
        """The cursor moved to another key."""

        def __init__(self, view: LinesView, key: Hashable | None) -> None:
            super().__init__()
            self.view = view
            self.key = key

        @property
        def control(self) -> LinesView:
            """The view."""
            return self.view

    class Opened(Chosen):
        """Enter was pressed, or a line was clicked twice."""

    def __init__(self, *, follow: bool = False, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._lines: Sequence[Content] = ()
        self._keys: Keys | None = None
        self._follow = follow
        self._top = 0
        self._cursor = 0

    # content

    @property
    def room(self) -> int:
        """The width of a line in cells."""
        return max(1, (self.size.width or self.app.size.width) - 1)

    @property
    def key(self) -> Hashable | None:
        """The key under the cursor; None if there is none."""
        if self._keys is None or not 0 <= self._cursor < len(self._keys):
            return None
        return self._keys[self._cursor]

    @property
    def top(self) -> int:
        """The number of the first line in view."""
        return self._top

    def show(self, lines: Sequence[Content], keys: Keys | None = None) -> None:
        """Show other lines; the cursor stays on its key, or near its old place if the key is gone."""
        at_end = self._follow and self._top >= self._last_top
        before = self.key
        self._lines, self._keys = lines, keys
        if keys is not None and before is not None and before != self.key:
            self._cursor = next((i for i, key in enumerate(keys) if key == before), self._cursor)
        if keys is not None:
            self._cursor = self._choosable(min(self._cursor, max(0, len(lines) - 1)), 1)
        if at_end:
            self._top = self._last_top
            self._cursor = max(0, len(lines) - 1) if before is None else self._cursor
        self._top = min(self._top, self._last_top)
        self.refresh(layout=False)

    def choose(self, key: Hashable) -> bool:
        """Put the cursor on a key; False if no line has it."""
        found = next((i for i, k in enumerate(self._keys or ()) if k == key), None)
        if found is not None:
            self._place(found)
        return found is not None

    def find(self, text: str, step: int = 1) -> bool:
        """Go to the next (-1: previous) line that contains `text`, ignoring case; False if there is none."""
        wanted, count = text.casefold(), len(self._lines)
        start = self._cursor if self._keys is not None else self._top
        for n in range(1, count + 1):
            index = (start + n * step) % count
            if wanted in self._lines[index].plain.casefold():
                self._place(index)
                return True
        return False

    # drawing

    @property
    def _last_top(self) -> int:
        return max(0, len(self._lines) - max(1, self.size.height))

    def render_line(self, y: int) -> Strip:
        """One line of the list, with its cell of the scroll bar."""
        index, width = self._top + y, self.size.width
        if index >= len(self._lines):
            return Strip.blank(width, self.visual_style.rich_style)
        chosen = self._keys is not None and index == self._cursor and self._keys[index] is not None
        style = self._cursor_style() if chosen else self.visual_style
        line = self._lines[index]
        line = line.pad_right(max(0, width - 1 - line.cell_length)) + self._mark(y)
        return Visual.to_strips(self, line, width, 1, style)[0]

    def _cursor_style(self) -> Style:
        """Reverse the line's colours in a terminal's own palette, where the contrast of other pairs is unknown."""
        if self.app.native_ansi_color:
            return self.visual_style + Style(reverse=True)
        return self.get_visual_style("lines-view--cursor")

    def _mark(self, y: int) -> Content:
        """One cell of the scroll bar; blank if all lines are in view."""
        height, count = self.size.height, len(self._lines)
        if count <= height:
            return Content(" ")
        size = max(1, height * height // count)
        first = round(self._top / max(1, self._last_top) * (height - size))
        inside = first <= y < first + size
        return Content.styled(chars().thumb if inside else chars().vertical, MUTED if inside else "$panel")

    # moving

    def _place(self, index: int) -> None:
        """Move the cursor to the line, or to the nearest selectable one, and bring it into view."""
        before = self.key
        step = 1 if index >= self._cursor else -1
        self._cursor = self._choosable(index, step) if self._keys is not None else index
        height = max(1, self.size.height)
        self._top = min(max(self._top, self._cursor - height + 1), self._cursor)
        if 0 < self._top <= self._cursor and not any(k is not None for k in (self._keys or ())[: self._cursor]):
            self._top = 0  # keep a heading above the first selectable line in view
        self._top = min(self._top, self._last_top)
        self.refresh(layout=False)
        if self._keys is not None and self.key != before:
            self.post_message(self.Chosen(self, self.key))

    def _choosable(self, index: int, step: int) -> int:
        keys = self._keys or ()
        for way in (step, -step):
            found = index
            while 0 <= found < len(keys):
                if keys[found] is not None:
                    return found
                found += way
        return index

    def _scroll_by(self, lines: int) -> None:
        self._top = min(max(0, self._top + lines), self._last_top)
        self.refresh(layout=False)

    def action_move(self, lines: int) -> None:
        """Move the cursor, or the view if there is no cursor."""
        if self._keys is None:
            self._scroll_by(lines)
        else:
            self._place(min(max(0, self._cursor + lines), max(0, len(self._lines) - 1)))

    def action_page(self, pages: int) -> None:
        """Move by pages."""
        self.action_move(pages * max(1, self.size.height - 1))

    def action_edge(self, end: bool) -> None:
        """Go to the first or the last line."""
        self.action_move(len(self._lines) if end else -len(self._lines))

    def action_open(self) -> None:
        """Open the line under the cursor."""
        if self.key is not None:
            self.post_message(self.Opened(self, self.key))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable enter only for lines with a key."""
        return action != "open" or self.key is not None

    # mouse and size

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def _wheel(self, event: events.MouseEvent) -> None:
        """Scroll the view, not the cursor."""
        event.stop()
        self._scroll_by(_WHEEL if isinstance(event, events.MouseScrollDown) else -_WHEEL)

    def on_click(self, event: events.Click) -> None:
        """Select a line; open it on the second click."""
        index = self._top + event.y
        if self._keys is None or index >= len(self._keys) or self._keys[index] is None:
            return
        again = index == self._cursor
        self._place(index)
        if again and event.chain > 1:
            self.action_open()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        if self._keys is not None and self._lines:
            self._place(min(self._cursor, len(self._lines) - 1))
        self._top = min(self._top, self._last_top)
