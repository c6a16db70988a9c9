"""Widgets of one line: a title, and the footer of keys."""

from __future__ import annotations

from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from nova_tui.views import help as help_view
from nova_tui.views.line import line

_RANKS = {"run.control": 0, "run.go_on": 0, "move.open": 0, "view.log": 2}
_ALWAYS = ("app.back", "app.help", "app.quit")


class OneLine(Widget):
    """Shows one line; changing it needs no layout."""

    DEFAULT_CSS = """
    OneLine { height: 1; width: 1fr; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    def __init__(self, content: Content | None = None, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._content = content or Content()

    def show(self, content: Content) -> None:
        """Show `content`, which the caller has cut to the width of the line."""
        if not content.is_same(self._content):
            self._content = content
            self.refresh(layout=False)

    def render(self) -> Content:
        """The line."""
        return self._content


class KeyLine(OneLine):
    """The footer: the screen's keys that work now, from its bindings.

    If not all fit, keys that act on the selection are dropped last; those in `_ALWAYS` are never dropped.
    """

    def on_mount(self) -> None:
        """Redraw whenever the available keys change."""
        self.screen.bindings_updated_signal.subscribe(self, self._renew)
        self._renew(self.screen)

    def on_resize(self) -> None:
        """Redraw for the new width."""
        self._renew(self.screen)

    def renew(self) -> None:
        """Redraw the keys."""
        self._renew(self.screen)

    def _renew(self, screen: Screen[object]) -> None:
        if screen is not self.screen or not self.is_attached:
            return
        if self.app.screen is not screen:  # a dialog is in front: these keys do not work now
            self.show(Content())
            return
        found = [b for b in help_view.usable(screen.active_bindings.values()) if b.show]
        width = self.size.width or self.app.size.width
        last = help_view.footer([b for b in found if b.id in _ALWAYS], width)
        first = sorted((b for b in found if b.id not in _ALWAYS), key=_rank)
        self.show(line(help_view.footer(first, width - last.cell_length), last))


def _rank(binding: Binding) -> int:
    name = binding.id or ""
    return _RANKS.get(name, {"task": 1, "log": 2, "run": 3}.get(name.partition(".")[0], 4))
