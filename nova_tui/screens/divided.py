"""What share of the main screen the plan and the log have."""

from __future__ import annotations

from enum import StrEnum

from nova_core.watch.view_model import ViewModel
from nova_tui.rows import Filter
from nova_tui.screens.finding import FindingScreen
from nova_tui.widgets.detail import Detail
from nova_tui.widgets.log_pane import LogPane


class Width(StrEnum):
    """The share of the log, in the order of the key `z`."""

    HALF = "half"
    LOG = "log"
    TREE = "tree"


class DividedScreen(FindingScreen):
    """A screen with a tree, and a log `pane` below the rule `detail`, which its subclass makes."""

    detail: Detail
    pane: LogPane

    def __init__(self, model: ViewModel) -> None:
        super().__init__(model)
        self.width = Width.HALF
        self._plan = f"{model.source.project.root}: {model.source.project_state.cascade_file}"

    def draw_all(self) -> None:
        """Redraw everything."""
        raise NotImplementedError

    def action_width(self) -> None:
        """Switch the share of the log: half, the log alone, the tree alone."""
        kinds = list(Width)
        self._choose_width(kinds[(kinds.index(self.width) + 1) % len(kinds)])

    def action_both(self) -> None:
        """Show the plan and the log again."""
        self._choose_width(Width.HALF)

    def _choose_width(self, width: Width) -> None:
        self.set_width(width)
        self.settings.keep_width(self._plan, width.value)

    def set_width(self, width: Width) -> None:
        """Give the log its share of the screen, and the keys to what is shown."""
        self.width = width
        self.set_class(width is Width.LOG, "-log-only")
        self.set_class(width is Width.TREE, "-tree-only")
        self.call_after_refresh(self._fit_width)

    def _fit_width(self) -> None:
        self.set_focus(self.pane.view if self.width is Width.LOG else self.tasks)
        self.draw_all()
        self.refresh_bindings()

    def action_pane(self) -> None:
        """Switch between the tree and the log, also to the one that is not shown; on return to the tree the log follows
        again."""
        if self.focused is not self.tasks:
            self.pane.view.action_forget()
            self.pane.view.following = True
        if self.width is not Width.HALF:
            self._choose_width(Width.HALF if self.width is Width.LOG else Width.LOG)
        elif self.detail.size.height:
            self.set_focus(self.pane.view if self.focused is self.tasks else self.tasks)

    def _on_escape(self) -> str:
        """What escape does: it brings back the plan, ends the filter, then the search, and brings back the log."""
        filtered = self.tasks.only is not Filter.ALL
        if self.width is Width.LOG:
            return "both"
        usual = "both" if self.width is Width.TREE else ""
        return "clear" if filtered else "forget" if self._wanted else usual
