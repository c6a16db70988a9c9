"""The help screen: the keys of the screen that opened it, from its bindings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen, Screen

from nova_tui.views import help as help_view
from nova_tui.widgets.lines_view import LinesView
from nova_tui.widgets.one_line import OneLine


class HelpScreen(ModalScreen[None]):
    """Shows groups of keys in as many columns as needed, and whether each key works now."""

    DEFAULT_CSS = """
    HelpScreen { layout: vertical; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "close", "Back", show=False, id="app.close"),
    ]

    def __init__(self, bindings: Sequence[tuple[Binding, bool]]) -> None:
        super().__init__()
        self._groups = help_view.groups(bindings)
        self._heading = OneLine(id="title")
        self._lines = LinesView(id="lines")

    @classmethod
    def of(cls, screen: Screen[Any]) -> HelpScreen:
        """The help for the current state of a screen."""
        return cls(help_view.listed(screen.active_bindings.values()))

    def compose(self) -> ComposeResult:
        """Title and columns."""
        yield self._heading
        yield self._lines

    def on_mount(self) -> None:
        """Draw once the size is known."""
        self.call_after_refresh(self._draw)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        self._heading.show(help_view.title(self.size.width))
        marks = [*help_view.legend(self._lines.room), Content()]
        room = self._lines.size.height - len(marks)
        self._lines.show([*marks, *help_view.lines(self._groups, self._lines.room, room)])

    def action_close(self) -> None:
        """Close the help."""
        self.dismiss()
