"""Draws the rows of the tree: theme styles, and strips cached until their content changes."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from nova_core.runs.words import Shown
from nova_core.watch.view_model import ViewModel
from nova_tui.folds import Folds
from nova_tui.glyphs import chars
from nova_tui.rows import Filter, Order, Outline, Row
from nova_tui.views import members, tree_row
from nova_tui.views.line import fit
from nova_tui.views.tree_row import Columns

_KEPT_STRIPS = 2_000
_SHORT = 16  # rows; a lower screen has no rule above the tree
_WITH_HINTS = 100  # cells
_WIDE = 140  # cells of the screen from which figures follow the names
_CLASS = "task-tree--"
_NONE = {Filter.FAILED: "no task has failed", Filter.NEEDS_YOU: "no task needs you"}


class TreeCanvas(Widget):
    """Draws `_rows` from `_top` on below a rule, and highlights the row at `_cursor`.

    It scrolls without a virtual size, to avoid layouts.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    TreeCanvas { width: 1fr; height: 1fr; background: $background; color: $foreground; }
    TreeCanvas > .task-tree--head { color: $text-muted; }
    TreeCanvas > .task-tree--cursor {
        background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground; text-style: bold;
    }
    TreeCanvas:focus > .task-tree--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold;
    }
    TreeCanvas > .task-tree--title { text-style: bold; }
    TreeCanvas > .task-tree--muted { color: $text-muted; }
    TreeCanvas > .task-tree--hit { color: $text-accent; text-style: bold underline; }
    TreeCanvas > .task-tree--bar { color: $primary; }
    TreeCanvas > .task-tree--done { color: $text-success; }
    TreeCanvas > .task-tree--rest { color: $border; }
    TreeCanvas > .task-tree--ready { color: $foreground; }
    TreeCanvas > .task-tree--running, TreeCanvas > .task-tree--verifying { color: $text-primary; }
    TreeCanvas > .task-tree--approval { color: $text-warning; text-style: bold; }
    TreeCanvas > .task-tree--retrying { color: $foreground; }
    TreeCanvas > .task-tree--blocked { color: $text-error; }
    TreeCanvas > .task-tree--completed { color: $text-success; }
    TreeCanvas > .task-tree--failed { color: $text-error; text-style: bold; }
    TreeCanvas > .task-tree--cancelled { color: $text-error; }
    TreeCanvas > .task-tree--waiting, TreeCanvas > .task-tree--skipped { color: $text-muted; }
    TreeCanvas:ansi > .task-tree--cursor { background: ansi_default; color: ansi_default; text-style: bold reverse; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"{_CLASS}{name}" for name in ("head", "cursor", *tree_row.STYLES)}

    def __init__(self, model: ViewModel, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.model = model
        self.only = Filter.ALL
        self.order = Order.PLAN
        self.hits: frozenset[str] = frozenset()
        self._outline = Outline(model.cascade)
        self.folds = Folds()
        self._rows: list[Row] = self._outline.visible(self.folds.closed)
        self._cursor = self._top = 0
        self._columns = Columns(80)
        self._styles: dict[str, Style] = {}
        self._strips: dict[tuple[Row, bool], tuple[Any, Strip]] = {}

    @property
    def _head(self) -> int:
        """The number of lines above the rows."""
        return 1 if self.app.size.height >= _SHORT else 0

    @property
    def _height(self) -> int:
        """The number of rows in view."""
        return max(1, self.size.height - self._head)

    def notify_style_update(self) -> None:
        """Clear cached styles after a change of theme."""
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def _style(self, name: str) -> Style:
        found = self._styles.get(name)
        if found is None:
            found = self.get_component_rich_style(f"{_CLASS}{name}") if name else self.rich_style
            self._styles[name] = found
        return found

    def render_line(self, y: int) -> Strip:
        """The heading, or one row with its cell of the scroll bar."""
        if y < self._head:
            return self._plain(self._rule(), "head")
        index = self._top + y - self._head
        if index < len(self._rows):
            return self._row(index, y - self._head)
        said = self._emptiness() if index == len(self._rows) else ""
        return self._plain(said, "muted")

    def _rule(self) -> str:
        """The rule above the rows: filter, order, how many rows are above and below, keys."""
        rest = chars().rest
        only = "" if self.only is Filter.ALL else f", only {self.only.value}: esc shows all"
        unspent = self.order is Order.COST and not self._columns.spent
        order = "" if self.order is Order.PLAN else f", {self.order.value}{': no costs yet' if unspent else ''}"
        above, below = self._top, max(0, len(self._rows) - self._top - self._height)
        edges = [f"{mark} {n:,} more" for mark, n in ((chars().up, above), (chars().down, below)) if n]
        tail = f" {'  '.join(edges)} {rest}" if edges else ""
        width = self.size.width
        hints = f" f filter {chars().dot} / find {chars().dot} o order {rest}" if width >= _WITH_HINTS else ""
        head = f"{rest} plan{order}{only} "
        return head + rest * max(0, width - cell_len(head) - cell_len(hints) - cell_len(tail)) + hints + tail

    def _plain(self, text: str, style: str) -> Strip:
        width = self.size.width
        return Strip([Segment(fit(text, width), self._style(style))], width)

    def _row(self, index: int, y: int) -> Strip:
        row = self._rows[index]
        chosen = index == self._cursor
        base = self._style("cursor") if chosen else self.rich_style
        seen = self._seen(row)
        kept_strip = self._strips.get((row, chosen))
        if kept_strip is None or kept_strip[0] != seen:
            is_open = row.place not in self.folds.closed or self.only is not Filter.ALL
            hit = row.place.task in self.hits
            pieces = tree_row.draw(self.model, row, self._columns, is_open=is_open, hit=hit)
            strip = Strip([Segment(t, base if chosen else self._style(name)) for t, name in pieces if t])
            if len(self._strips) >= _KEPT_STRIPS:
                self._strips.clear()
            kept_strip = self._strips[row, chosen] = seen, strip
        return Strip([*kept_strip[1], self._mark(y, base)])

    def _seen(self, row: Row) -> tuple[Any, ...]:
        """The values that the drawing of the row depends on."""
        model, task_id = self.model, row.place.task
        if task_id is None:
            sums = members.rollup(model, row.place)
            return sums, row.place in self.folds.closed, int(model.now) if sums.running else 0
        shown = model.shown(task_id)
        unmet = tuple(model.unmet(task_id)) if shown is Shown.WAITING else ()
        second = int(model.now) if tree_row.is_live(shown) else 0
        return model.task(task_id), shown, second, task_id in self.hits, unmet

    def _mark(self, y: int, base: Style) -> Segment:
        """One cell of the scroll bar, in row `y` of the view; blank if all rows are in view."""
        height, count = self._height, len(self._rows)
        if count <= height:
            return Segment(" ", base)
        size = max(1, height * height // count)
        first = round(self._top / max(1, count - height) * (height - size))
        inside = first <= y < first + size
        style = self._style("muted" if inside else "rest")
        return Segment(chars().thumb if inside else chars().vertical, style)

    def _emptiness(self) -> str:
        if self.only is Filter.ALL or self._rows:
            return ""
        return f"   {_NONE.get(self.only, f'no task is {self.only.value}')}: f shows others, esc shows all"

    def _set_columns(self) -> None:
        sums = self.model.rollups.project
        columns = Columns(
            max(1, self.size.width - 1), wide=self.app.size.width >= _WIDE, spent=sums.tokens.total > 0,
            priced=bool(sums.priced), dear=self.order is Order.COST and sums.tokens.total > 0,
        )  # fmt: skip
        if columns != self._columns:
            self._columns = columns
            self._strips.clear()
            self.refresh(layout=False)

    def _refresh_row(self, index: int) -> None:
        y = index - self._top
        if 0 <= y < self._height:
            self.refresh(Region(0, y + self._head, self.size.width, 1))
