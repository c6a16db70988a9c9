"""The tree of tasks: a flat list of rows; only changed rows in view are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message

from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.rows import Filter, Order, Outline, Row, find_row, kept, ordered
from nova_tui.views import members, tree_row
from nova_tui.views.members import Place
from nova_tui.widgets.tree_canvas import TreeCanvas

_WHEEL = 3
_SORT_EVERY = 3.0  # seconds


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

    class Folded(Message):
        """A person opened or closed a branch."""

    class LogWanted(Message):
        """The log of the task under the cursor shall get the keys."""

    def __init__(self, model: ViewModel, on_cursor: Callable[[Place], None], *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(model, id=id)
        self._on_cursor = on_cursor
        self._cascade = model.cascade
        self._home = self._put = Place()
        self._cursor = next((i for i, row in enumerate(self._rows) if row.place.task is not None), 0)
        self._sorted_at = self._touched_at = 0.0
        self._unsorted = False

    # content

    @property
    def place(self) -> Place:
        """The place under the cursor."""
        row = self._row_here
        return row.place if row is not None else Place()

    @property
    def _row_here(self) -> Row | None:
        """The row under the cursor; None if a filter hides all rows."""
        return self._rows[self._cursor] if 0 <= self._cursor < len(self._rows) else None

    @property
    def rows(self) -> list[Row]:
        """All rows, including those not in view."""
        return self._rows

    @property
    def task_ids(self) -> list[str]:
        """All task ids in row order."""
        ids = self._outline.tasks()
        return ids if self.order is Order.PLAN else ordered(self.model, ids, self.order)

    @property
    def shown_ids(self) -> list[str]:
        """The ids of the tasks that have a row now."""
        return [row.place.task for row in self._rows if row.place.task is not None]

    def below(self, place: Place) -> list[str]:
        """The ids of the tasks below a branch or a group that the filter keeps."""
        wanted = kept(self.only)
        return [i for i in members.tasks_of(self.model, place) if self.model.shown(i) in wanted]

    def take(self, dirty: Dirty, *, tick: bool = False) -> None:
        """Draw what changed; `tick` is True once a second, when running times change."""
        self._set_columns()
        if dirty.everything:
            if self.model.cascade is not self._cascade:
                self._cascade, self._outline = self.model.cascade, Outline(self.model.cascade)
            self._strips.clear()
            self._rebuild()
        elif (
            self._opens(dirty) or (self.only is not Filter.ALL and self._moves(dirty)) or (tick and self._sorts(dirty))
        ):
            self._rebuild()
        else:
            self._refresh_rows(dirty, tick)

    def _moves(self, dirty: Dirty) -> bool:
        """Returns True if the changes alter the filtered tasks."""
        wanted, inside = kept(self.only), {row.place.task for row in self._rows}
        return any((self.model.shown(i) in wanted) is not (i in inside) for i in dirty.tasks)

    def _sorts(self, dirty: Dirty) -> bool:
        """Returns True if it is time to sort the rows again; never right after a key."""
        self._unsorted = self._unsorted or bool(dirty.tasks)
        now = monotonic()
        if self.order is Order.PLAN or not self._unsorted or now - max(self._sorted_at, self._touched_at) < _SORT_EVERY:
            return False
        self._sorted_at, self._unsorted = now, False
        return True

    def fold_quiet(self, closed: Iterable[Place] | None = None) -> None:
        """Close what is done or has not begun, if there are more rows than lines; or exactly the places `closed`.

        Does something once, when the size is known.
        """
        if self.folds.begun or (closed is None and not self.size.height):
            return
        parents = [row.place for row in self._outline.parents()]
        self.folds.begin(self.model, parents, closed, many=len(self._rows) > self._height)
        if self.folds.closed:
            self._rebuild()

    def _opens(self, dirty: Dirty) -> bool:
        """Open what was closed because it had not begun; returns True if something was."""
        return self.folds.open_begun(self.model, dirty.tasks)

    def sort(self, order: Order) -> None:
        """Show the rows in another order, from the first one on, which the cursor is on; in that of the plan, it is
        back on its task, unless it has moved."""
        if self.order is Order.PLAN or self.place != self._put:
            self._home = self.place
        self.order, self._sorted_at = order, monotonic()
        self._set_columns()
        self._rebuild()
        if order is Order.PLAN:
            self.go_back(self._home)
        else:
            self._place_cursor(0)
        self._put = self.place

    def _refresh_rows(self, dirty: Dirty, tick: bool) -> None:
        tasks, model = self._cascade.tasks, self.model
        places: set[tuple[str | None, str | None]] = set()
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
        if self.folds.open(above):
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
        if self.order is Order.PLAN:
            self._rows = self._outline.visible(self.folds.closed, keep)
        else:
            self._rows = self._outline.flat(self.task_ids, keep)
        found = find_row(self._rows, before)
        if found is None or (self._rows[found].place != before and keep is not None):
            found = max(0, min(self._cursor, len(self._rows) - 1))
        self._cursor = found
        at_top = self._top == 0 and self.order is not Order.PLAN and found < self._height
        self._top = 0 if at_top else max(0, found - offset)
        self._keep_in_view()
        self.refresh(layout=False)
        if self.place != before:
            self._on_cursor(self.place)

    # moving

    def _place_cursor(self, index: int) -> None:
        index = max(0, min(index, len(self._rows) - 1))
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
        """Move the cursor; with a filter, from one task it keeps to the next."""
        self._touched_at = monotonic()
        wanted = self._cursor + rows
        if self.only is not Filter.ALL:
            tasks = [i for i, row in enumerate(self._rows) if not row.parent]
            on = [i for i in tasks if i >= wanted] if rows > 0 else [i for i in reversed(tasks) if i <= wanted]
            wanted = on[0] if on else (tasks[-1] if rows > 0 else tasks[0]) if tasks else wanted
        self._place_cursor(wanted)

    def action_page(self, pages: int) -> None:
        """Move by pages."""
        self.action_move(pages * max(1, self._height - 1))

    def action_edge(self, end: bool) -> None:
        """Go to the first or the last row."""
        self.action_move(len(self._rows) if end else -len(self._rows))

    def action_expand(self) -> None:
        """Open a closed row; on an open one go to the next row, on a task to its log."""
        row = self._row_here
        if row is None:
            return
        if not row.parent:
            self.post_message(self.LogWanted())
        elif row.place in self.folds.closed and self.only is Filter.ALL:
            self.action_fold()
        else:
            self.action_move(1)

    def action_collapse(self) -> None:
        """Close an open row; else go to its parent."""
        row = self._row_here
        if row is None:
            return
        if row.parent and row.place not in self.folds.closed and self.only is Filter.ALL:
            self.action_fold()
            return
        up = next((i for i in range(self._cursor - 1, -1, -1) if self._rows[i].depth < row.depth), self._cursor)
        self._place_cursor(up)

    def action_fold(self) -> None:
        """Open or close a branch or a group; with a filter, all stay open."""
        row = self._row_here
        if row is not None and row.parent and self.only is Filter.ALL:
            self.folds.toggle(row.place)
            self.post_message(self.Folded())
            self._rebuild()

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._row_here is not None:
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
        index = self._top + event.y - self._head
        if event.y < self._head or index >= len(self._rows):
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
