"""The tree and, beside or below it, the log; the border between them is dragged with the mouse."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.css.scalar import Scalar, Unit
from textual.widget import Widget

from nova_tui.settings import Settings
from nova_tui.widgets.detail import Detail

_LEAST, _MOST = 15, 85  # percent of the body that the tree may have


class _Side(Vertical):
    ALLOW_SELECT = False  # its border is dragged


class Body(Container):
    """Holds the tree, and the log with the rule above it. What is dragged is kept, for each of the two layouts."""

    def __init__(self, tree: Widget, rule: Detail, log: Widget, settings: Settings) -> None:
        super().__init__(id="body")
        self._tree, self._rule, self._log = tree, rule, log
        self._side = _Side(id="side")
        self._settings = settings
        self._dragging = False
        self._percent = 0

    def compose(self) -> ComposeResult:
        """The tree, then the rule and the log."""
        yield self._tree
        with self._side:
            yield self._rule
            yield self._log

    @property
    def _is_wide(self) -> bool:
        return self.screen.has_class("-wide")

    def on_resize(self) -> None:
        """Give the tree its share in the layout of this size."""
        kept = self._settings.kept
        self._divide(kept.tree_columns if self._is_wide else kept.tree_rows)

    def _divide(self, percent: int) -> None:
        """Give the tree a share of the columns or rows; 0 for the usual one."""
        known = _LEAST <= percent <= _MOST
        for widget, share in ((self._tree, percent), (self._side, 100 - percent)):
            part = Scalar(share, Unit.FRACTION, Unit.WIDTH) if known else None
            widget.styles.width = part if self._is_wide else None
            widget.styles.height = None if self._is_wide else part

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take the border."""
        if not self._tree.display or not self._side.display:
            return
        across, down = event.screen_x == self._side.region.x, event.screen_y == self._rule.region.y
        if across if self._is_wide else down:
            event.stop()
            self._dragging, self._rule.is_dragged = True, False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the border to the pointer."""
        if not self._dragging:
            return
        event.stop()
        size = self.size.width if self._is_wide else self.size.height
        at = event.screen_x - self.region.x if self._is_wide else event.screen_y - self.region.y
        percent = min(_MOST, max(_LEAST, round(100 * at / max(1, size))))
        self._rule.is_dragged = True
        self._divide(percent)
        self._percent = percent

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Leave the border where it is, and keep that."""
        if not self._dragging:
            return
        event.stop()
        self._dragging = False
        self.release_mouse()
        if self._rule.is_dragged:
            self._settings.keep(**{"tree_columns" if self._is_wide else "tree_rows": self._percent})
