"""The tree of tasks: a flat list of rows; only changed rows in view are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message

from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.rows import Filter, Outline, Row, find_row, kept
from nova_tui.views import tree_row
from nova_tui.views.members import Place
from nova_tui.views.tree_row import Columns
from nova_tui.widgets.tree_canvas import TreeCanvas

_WHEEL = 3


class TaskTree(TreeCanvas, can_focus=True):
    """Shows the plan. When rows are added or removed, the cursor keeps its task and its height on the screen.

    `on_cursor` is called within the key press that moves the cursor: a message would cost a frame. It scrolls without
    a virtual size, like `LinesView`, to avoid layouts. Pass each update to `take`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="move.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="move.up"),
        Binding("g,home", "edge(False)", "First", show=False, id="move.first"),
        Binding("G,end", "edge(True)", "Last", show=False, id="move.last"),
        Binding("ctrl+d,pagedown", "page(1)", "Page down", show=False, id="move.page_down"),
        Binding("ctrl+u,pageup", "page(-1)", "Page up", show=False, id="move.page_up"),
        Binding("l,right", "expand", "Open branch", show=False, id="move.expand"),
        Binding("h,left", "collapse", "Close branch, up", show=False, id="move.collapse"),
        Binding("space", "fold", "Open or close", show=False, id="move.toggle"),
        Binding("enter", "open", "Open", id="move.open"),
        # With priority it acts before the next key is handled, so that keys typed ahead reach the right widget.
        Binding("slash", "screen.search", "Find", key_display="/", id="view.search", priority=True),
    ]

    class Opened(Message):
        """Enter was pressed, or a row was double-clicked."""

        def __init__(self, place: Place) -> None:
            super().__init__()
            self.place = place

    def __init__(self, model: ViewModel, on_cursor: Callable[[Place], None], *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(model, id=id)
        self._on_cursor = on_cursor
        self._cascade = model.cascade
        self._home = self._put = Place()
        self._cursor = next((i for i, row in enumerate(self._rows) if row.place.task is not None), 0)

    # content

    @property
    def place(self) -> Place:
        """The place under the cursor."""
        return self._rows[self._cursor].place if self._cursor < len(self._rows) else Place()

    @property
    def rows(self) -> list[Row]:
        """All rows, including those not in view."""
        return self._rows

    @property
    def task_ids(self) -> list[str]:
        """All task ids in row order."""
        return self._outline.tasks()

    def take(self, dirty: Dirty, *, tick: bool = False) -> None:
        """Draw what changed; `tick` is True once a second, when running times change."""
        self._set_columns()
        if dirty.everything:
            if self.model.cascade is not self._cascade:
                self._cascade, self._outline = self.model.cascade, Outline(self.model.cascade)
            self._strips.clear()
            self._rebuild()
        elif self.only is not Filter.ALL and self._moves(dirty):
            self._rebuild()
        else:
            self._refresh_rows(dirty, tick)

    def _moves(self, dirty: Dirty) -> bool:
        """Returns True if the changes alter the filtered tasks."""
        wanted, inside = kept(self.only), {row.place.task for row in self._rows}
        return any((self.model.shown(i) in wanted) is not (i in inside) for i in dirty.tasks)

    def _refresh_rows(self, dirty: Dirty, tick: bool) -> None:
        tasks, model = self._cascade.tasks, self.model
        places: set[tuple[str | None, str | None]] = {(None, None)} if dirty.tasks else set()
        for task_id in dirty.tasks:
            task = tasks[task_id]
            places |= {(task.branch, None), (task.branch, task.group)}
        working = tick and model.rollups.project.running
        for y in range(min(self._height, len(self._rows) - self._top)):
            row = self._rows[self._top + y]
            place = row.place
            if place.task is None:
                changed = bool((place.branch, place.group) in places or working)
            else:
                changed = place.task in dirty.tasks or (tick and tree_row.is_live(model.shown(place.task)))
            if changed:
                self._refresh_row(self._top + y)

    def show_only(self, only: Filter) -> None:
        """Set the filter. The cursor stays on the task the user selected; while the filter hides that task, the cursor
        is on the first task shown."""
        if self.only is Filter.ALL or self.place != self._put:
            self._home = self.place
        self.only = only
        self._rebuild()
        at_home = next((i for i, row in enumerate(self._rows) if row.place == self._home), None)
        if at_home is not None:
            self._place_cursor(at_home)
        elif self.place.task is None or self.model.shown(self.place.task) not in kept(only):
            self._place_cursor(next((i for i, row in enumerate(self._rows) if row.place.task is not None), 0))
        self._put = self.place
        self.refresh(layout=False)

    def mark(self, hits: frozenset[str]) -> None:
        """Mark the matches of a search."""
        self.hits = hits
        self.refresh(layout=False)

    def go_to(self, task_id: str) -> bool:
        """Move the cursor to a task and open the places above it; False if the filter hides it."""
        task = self._cascade.tasks[task_id]
        above = {Place(), Place(task.branch), Place(task.branch, task.group)}
        if self._folded & above:
            self._folded -= above
            self._rebuild()
        found = find_row(self._rows, Place(task.branch, task.group, task_id))
        if found is None or self._rows[found].place.task != task_id:
            return False
        self._place_cursor(found)
        return True

    def go_back(self, place: Place) -> None:
        """Move the cursor back to a place, if its row still exists."""
        found = find_row(self._rows, place)
        if found is not None:
            self._place_cursor(found)

    def _rebuild(self) -> None:
        """Rebuild the rows; the cursor keeps its place and its height on the screen."""
        before, offset = self.place, self._cursor - self._top
        wanted = kept(self.only)
        keep = None if self.only is Filter.ALL else lambda task_id: self.model.shown(task_id) in wanted
        self._rows = self._outline.visible(self._folded, keep)
        found = find_row(self._rows, before)
        if found is None or (self._rows[found].place != before and keep is not None):
            found = min(self._cursor, len(self._rows) - 1)
        self._cursor = found
        self._top = max(0, found - offset)
        self._keep_in_view()
        self.refresh(layout=False)
        if self.place != before:
            self._on_cursor(self.place)

    # moving

    def _place_cursor(self, index: int) -> None:
        index = min(max(0, index), len(self._rows) - 1)
        before, top = self._cursor, self._top
        self._cursor = index
        self._keep_in_view()
        if self._top != top:
            self.refresh(layout=False)
        elif before != index:
            self._refresh_row(before)
            self._refresh_row(index)
        if before != index:
            self._on_cursor(self.place)

    def _keep_in_view(self) -> None:
        if not self.size.height:  # without a layout every row but one would be out of view
            return
        self._top = min(max(self._top, self._cursor - self._height + 1), self._cursor)
        self._top = min(self._top, max(0, len(self._rows) - self._height))

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self._place_cursor(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move by pages."""
        self._place_cursor(self._cursor + pages * max(1, self._height - 1))

    def action_edge(self, end: bool) -> None:
        """Go to the first or the last row."""
        self._place_cursor(len(self._rows) - 1 if end else 0)

    def action_expand(self) -> None:
        """Open a closed row; else go to the next row."""
        if self.place in self._folded and self.only is Filter.ALL:
            self.action_fold()
        else:
            self.action_move(1)

    def action_collapse(self) -> None:
        """Close an open row; else go to its parent."""
        row = self._rows[self._cursor]
        if row.parent and row.place not in self._folded and self.only is Filter.ALL:
            self.action_fold()
            return
        up = next((i for i in range(self._cursor - 1, -1, -1) if self._rows[i].depth < row.depth), self._cursor)
        self._place_cursor(up)

    def action_fold(self) -> None:
        """Open or close a branch or a group; with a filter, all stay open."""
        row = self._rows[self._cursor]
        if row.parent and self.only is Filter.ALL:
            self._folded ^= {row.place}
            self._rebuild()

    def action_open(self) -> None:
        """Open the row under the cursor."""
        self.post_message(self.Opened(self.place))

    # mouse and size

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def _wheel(self, event: events.MouseEvent) -> None:
        """Scroll the view, not the cursor."""
        event.stop()
        self._scroll(_WHEEL if isinstance(event, events.MouseScrollDown) else -_WHEEL)

    def _scroll(self, rows: int) -> None:
        top = min(max(0, self._top + rows), max(0, len(self._rows) - self._height))
        if top != self._top:
            self._top = top
            self.refresh(layout=False)

    def on_click(self, event: events.Click) -> None:
        """Select a row; a click on its mark folds it, a double click opens it."""
        index = self._top + event.y - 1
        if not 1 <= event.y <= self._height or index >= len(self._rows):
            return
        row = self._rows[index]
        self._place_cursor(index)
        if row.parent and 2 * row.depth <= event.x <= 2 * row.depth + 1:
            self.action_fold()
        elif event.chain > 1:
            self.action_open()

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._set_columns()
        self._keep_in_view()
        self.refresh(layout=False)

    def _set_columns(self) -> None:
        columns = Columns.of(max(1, self.size.width - 1), spent=self.model.rollups.project.tokens.total > 0)
        if columns != self._columns:
            self._columns = columns
            self._strips.clear()
            self.refresh(layout=False)
