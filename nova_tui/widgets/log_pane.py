"""A log with an input line for searches."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from nova_core.clock import Clock
from nova_core.text import clean
from nova_tui.widgets.filter_bar import FilterBar
from nova_tui.widgets.log_view import LogView


class LogPane(Vertical):
    """A `LogView` and, during a search, an input line below it."""

    DEFAULT_CSS = """
    LogPane { width: 1fr; height: 1fr; }
    """

    def __init__(
        self, path: Path | None = None, *, clipboard: Path | None = None, clock: Clock | None = None,
        wrap: bool = False, id: str | None = None, classes: str | None = None,  # noqa: A002 - as every widget
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self.view = LogView(clipboard=clipboard, clock=clock)
        self._bar = FilterBar(self._search, self._close, placeholder="text in the log; capitals count if you type one")
        self.view.asker = self.ask
        self.view.wrap = wrap
        self.view.set_path(path)

    def compose(self) -> ComposeResult:
        """The log above the line."""
        yield self.view
        yield self._bar

    def ask(self) -> None:
        """Open the input line."""
        self.view.begin_search()
        self._bar.open()

    def _search(self, text: str) -> None:
        """Search while typing; an unchanged text is not searched again."""
        needle = self.view.reader.needle if self.view.reader else None
        if (text := clean(text)) != (needle.text if needle else ""):
            self.view.search(text)

    def _close(self, keep: bool) -> None:
        """Enter keeps the search, for `n` and `N`; escape or an empty text returns to the start."""
        if keep and self._bar.text:
            self._search(self._bar.text)  # the message with the last letters may still be queued
        else:
            self.view.action_forget()
        self._bar.display = False
        self.screen.set_focus(self.view)

    @on(LogView.Changed)
    def _tell(self) -> None:
        self._bar.tell(self.view.found())
