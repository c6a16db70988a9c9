"""The line one types a search into, and what it found."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from nova_tui.glyphs import MUTED
from nova_tui.widgets.one_line import OneLine


class SearchLine(Input):
    """What is typed is text: no markup, no suggestions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Forget", id="search.leave"),
        Binding("enter", "submit", "Keep (n next, N previous)", id="search.keep"),
    ]

    def action_leave(self) -> None:
        """Search for nothing."""
        self.post_message(FilterBar.Closed(keep=False))


class FilterBar(Horizontal):
    """Asks what to find. Every key press tells `Changed`; enter closes it and keeps the search, escape forgets it."""

    DEFAULT_CSS = """
    FilterBar { display: none; height: 1; width: 1fr; background: $panel; }
    FilterBar.-open { display: block; }
    FilterBar > #mark { width: 2; }
    FilterBar > SearchLine { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    FilterBar > #found { width: 18; }
    """

    class Changed(Message):
        """Another text is searched for."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """The line is done with."""

        def __init__(self, *, keep: bool) -> None:
            super().__init__()
            self.keep = keep

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._found = OneLine(id="found")

    def compose(self) -> ComposeResult:
        """Slash, text, how many."""
        yield OneLine(Content(" /"), id="mark")
        field = SearchLine(placeholder="words of ids and names", compact=True)
        field.cursor_blink = False
        yield field
        yield self._found

    def open(self, text: str = "") -> None:
        """Show the line and give it the keys."""
        self.add_class("-open")
        field = self.query_one(SearchLine)
        field.value = text
        field.focus()

    def close(self) -> None:
        """Hide the line."""
        self.remove_class("-open")

    def tell(self, text: str) -> None:
        """How many were found."""
        self._found.show(Content.styled(text, MUTED))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search while typing."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the search."""
        event.stop()
        self.post_message(self.Closed(keep=True))
