"""The command palette: an input, and the list of what contains the typed words."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from nova_tui.actions import RunActions
from nova_tui.glyphs import MUTED, is_ascii
from nova_tui.palette import Entry, found
from nova_tui.views.line import line, shorten
from nova_tui.widgets.lines_view import LinesView


class _Line(Input):
    """An input that calls back within the key press: with a message, Enter would act on the list of an older text."""

    def __init__(self, on_text: Callable[[], None], text: str) -> None:
        self._on_text: Callable[[], None] = lambda: None  # while it is made there is no list
        super().__init__(text, placeholder="actions, tasks, themes", compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._on_text = on_text

    def watch_value(self) -> None:
        """List what contains the text."""
        self._on_text()


class _List(LinesView, can_focus=False):
    """The entries; the focus stays in the input."""

    def on_click(self, event: events.Click) -> None:
        """Run the clicked entry."""
        super().on_click(event)
        self.action_open()


class PaletteScreen(ModalScreen[None]):
    """Offers what can be done on `behind`, the screen below, by name; enter does it."""

    DEFAULT_CSS = """
    PaletteScreen { align-horizontal: center; }
    PaletteScreen > #box {
        width: 80; max-width: 95%; height: 80%; margin-top: 2;
        padding: 0 1; border: round $primary; background: $surface;
    }
    PaletteScreen.-ascii > #box { border: ascii $primary; }
    PaletteScreen.-short > #box { height: 100%; margin-top: 0; }
    PaletteScreen > #box > Input { width: 1fr; border: none; height: 1; padding: 0; background: $panel; }
    PaletteScreen > #box > #lines { background: $surface; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]  # noqa: RUF012 - as in Screen
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+p", "close", "Back", id="app.close"),
        Binding("enter", "run", "Do it", priority=True, id="palette.run"),
        Binding("down,ctrl+n", "move(1)", "Down", show=False, id="palette.down"),
        Binding("up", "move(-1)", "Up", show=False, id="palette.up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="palette.page_down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="palette.page_up"),
    ]

    def __init__(self, app: RunActions, behind: Screen[Any], text: str = "") -> None:
        super().__init__(classes="-ascii" if is_ascii() else None)
        self._actions, self._behind = app, behind
        self._list = _List(id="lines")
        self._entries: list[Entry] = []
        self._typed = _Line(self.list_entries, text)

    def compose(self) -> ComposeResult:
        """The input above the list."""
        with Vertical(id="box"):
            yield self._typed
            yield self._list

    def on_mount(self) -> None:
        """List the actions."""
        self.list_entries()

    def on_resize(self) -> None:
        """Fit the entries to the new width."""
        self.call_after_refresh(self._draw)

    def list_entries(self) -> None:
        """List what contains the typed words, with the cursor on the first."""
        self._entries = found(self._actions, self._behind, self._typed.value)
        self._list.show([])
        self._draw()

    def _draw(self) -> None:
        room = self._list.room
        if not self._entries:
            self._list.show([line(("nothing has these words", MUTED), width=room)])
            return
        lines = [line(shorten(entry.text, room)) for entry in self._entries]
        self._list.show(lines, range(len(lines)))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self._list.action_move(lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._list.action_page(pages)

    async def action_run(self) -> None:
        """Close, then do what the entry under the cursor says; without an entry, stay."""
        chosen = self._list.key
        if isinstance(chosen, int) and chosen < len(self._entries):
            self.dismiss()
            if isawaitable(done := self._entries[chosen].run()):
                await done

    async def on_lines_view_opened(self) -> None:
        """Run the entry that was clicked."""
        if self.is_current:
            await self.action_run()
