"""The input line of a search, with the number of matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input

from nova_tui.glyphs import MUTED
from nova_tui.widgets.one_line import OneLine


class SearchLine(Input):
    """A plain text input: no markup, no suggestions. `on_close(keep)` is called within the final key press: with a
    message, keys typed ahead would still arrive here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close(False)", "Forget", id="search.leave"),
        Binding("enter", "close(True)", "Keep (n next, N previous)", id="search.keep"),
    ]

    def __init__(self, on_close: Callable[[bool], None], placeholder: str) -> None:
        super().__init__(placeholder=placeholder, compact=True)
        self._on_close = on_close
        self.cursor_blink = False

    def action_close(self, keep: bool) -> None:
        """Close the line."""
        self._on_close(keep)


class FilterBar(Horizontal):
    """Asks for a text to find: `on_text` gets each new text; `on_close` gets True for enter, False for escape."""

    DEFAULT_CSS = """
    FilterBar { height: 1; width: 1fr; background: $panel; }
    FilterBar > #mark { width: 2; }
    FilterBar > SearchLine { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    FilterBar > #found { width: 20; }
    """

    def __init__(
        self, on_text: Callable[[str], None], on_close: Callable[[bool], None], *,
        placeholder: str = "words of ids and names", id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:  # fmt: skip
        super().__init__(id=id)
        self._on_text = on_text
        self._found = OneLine(id="found")
        self._field = SearchLine(on_close, placeholder)
        self.display = False

    def compose(self) -> ComposeResult:
        """A slash, the input, the number of matches."""
        yield OneLine(Content(" /"), id="mark")
        yield self._field
        yield self._found

    def open(self, text: str = "") -> None:
        """Show the line and focus it before the next key is handled."""
        self.display = True
        self._field.value = text
        self.screen.set_focus(self._field)

    @property
    def text(self) -> str:
        """The typed text."""
        return self._field.value

    def tell(self, text: str) -> None:
        """Show the number of matches."""
        self._found.show(Content.styled(text, MUTED))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search while typing."""
        event.stop()
        if self.display:
            self._on_text(event.value)
