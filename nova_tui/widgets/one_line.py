"""Widgets of one line: a title, and the keys that work now."""

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
    """Shows one line; a new one is painted without laying the screen out."""

    DEFAULT_CSS = """
    OneLine { height: 1; width: 1fr; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    def __init__(self, content: Content | None = None, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._content = content or Content()

    def show(self, content: Content) -> None:
        """Show this, cut to the width of the line by whoever made it."""
        if not content.is_same(self._content):
            self._content = content
            self.refresh(layout=False)

    def render(self) -> Content:
        """The line."""
        return self._content


class KeyLine(OneLine):
    """The footer: keys of the screen that would do something now, made from the bindings.

    Where not all fit, those that act on what is selected stay longest; those in `_ALWAYS` never go.
    """

    def on_mount(self) -> None:
        """Draw again whenever other keys work."""
        self.screen.bindings_updated_signal.subscribe(self, self._renew)
        self._renew(self.screen)

    def on_resize(self) -> None:
        """More or fewer fit."""
        self._renew(self.screen)

    def renew(self) -> None:
        """Draw again."""
        self._renew(self.screen)

    def _renew(self, screen: Screen[object]) -> None:
        if screen is not self.screen or not self.is_attached:
            return
        if self.app.screen is not screen:  # a question is in front: these keys do not work now
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
