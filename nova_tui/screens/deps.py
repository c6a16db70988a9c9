"""The graph as a screen: the whole of it, and what is above and below the task under the cursor."""

from __future__ import annotations

from textual.app import ComposeResult

from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.screens.base import ViewScreen
from nova_tui.views import deps
from nova_tui.widgets.lines_view import LinesView
from nova_tui.widgets.one_line import OneLine


class DepsScreen(ViewScreen):
    """The tree of the chosen task above, rails or waves of all tasks, with the cursor, below; `tab` goes from one to
    the other."""

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
        """The tree stands above the graph."""
        heading, graph, keys = super().compose()
        yield from [heading, self.tree_view, self.legend, graph, keys]

    def on_mount(self) -> None:
        """The graph has the cursor."""
        self.view.focus()

    def take(self, dirty: Dirty, tick: bool) -> None:
        if dirty.everything:
            self._rows = deps.rows(self.model.cascade.dag)
        super().take(dirty, tick)

    def redraw(self) -> None:
        """The graph with the marks of now."""
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
        """The tree is that of the chosen task."""
        self._redraw_tree()
