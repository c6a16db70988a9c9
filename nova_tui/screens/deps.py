"""The screen of the dependency graph, and of the tasks above and below the selected task."""

from __future__ import annotations

from textual.app import ComposeResult

from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.screens.base import ViewScreen
from nova_tui.views import deps
from nova_tui.widgets.lines_view import LinesView
from nova_tui.widgets.one_line import OneLine


class DepsScreen(ViewScreen):
    """Shows the tree of the selected task above, and rails or waves of all tasks, with the cursor, below; `tab`
    switches between them."""

    DEFAULT_CSS = """
    DepsScreen > #tree { height: 1fr; }
    DepsScreen > #lines { height: 1fr; }
    DepsScreen.-short > #tree { display: none; }
    """
    VIEW = "deps"

    def __init__(self, model: ViewModel, task_id: str | None = None) -> None:
        super().__init__(model, task_id)
        self.tree_view = LinesView(id="tree")
        self.legend = OneLine(id="legend")
        self._rows = deps.rows(model.cascade.dag)
        self._placed = False

    def compose(self) -> ComposeResult:
        """Place the tree above the graph."""
        heading, graph, *last = super().compose()
        yield from [heading, self.tree_view, self.legend, graph, *last]

    def on_mount(self) -> None:
        """Focus the graph."""
        self.view.focus()

    def take(self, dirty: Dirty, tick: bool) -> None:
        if dirty.everything:
            self._rows = deps.rows(self.model.cascade.dag)
        super().take(dirty, tick)

    def draw(self) -> None:
        """Draw the graph with the current marks."""
        self.say(deps.title(self.model, self.room))
        self.legend.show(deps.legend(self._rows, self.room))
        self.view.show(deps.lines(self.model, self.view.room, self._rows), [row.task_id for row in self._rows])
        if not self._placed and self.given_task:
            self.view.choose(self.given_task)
        self._placed = True
        self._redraw_tree()

    def _redraw_tree(self) -> None:
        if self.selected_task in self.model.cascade.tasks:
            self.tree_view.show(deps.tree(self.model, self.selected_task, self.tree_view.room))

    def on_lines_view_chosen(self, message: LinesView.Chosen) -> None:
        """Draw the tree of the selected task."""
        self._redraw_tree()
