"""A log with the line in which one enters what to search for."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from nova_core.clock import Clock
from nova_core.text import clean
from nova_tui.widgets.log_view import LogView


class SearchInput(Input):
    """The line; escape closes it, and what is pasted into it is text."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back to the log", id="log.leave")]

    def action_leave(self) -> None:
        """Close the line and search for nothing else."""
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class LogPane(Vertical):
    """A `LogView`, and below it, while somebody searches, one line to type into."""

    DEFAULT_CSS = """
    LogPane { width: 1fr; height: 1fr; }
    LogPane SearchInput { height: 1; border: none; padding: 0; background: $boost; }
    """

    def __init__(
        self, path: Path | None = None, *, clipboard: Path | None = None, clock: Clock | None = None,
        wrap: bool = False, id: str | None = None, classes: str | None = None,  # noqa: A002 - as every widget
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self.view = LogView(clipboard=clipboard, clock=clock)
        self._line = SearchInput(placeholder="search: n next, N previous; capitals count if you type one", compact=True)
        self._line.display = False
        self.view.asker = self.ask
        self.view.wrap = wrap
        self.view.set_path(path)

    def compose(self) -> ComposeResult:
        """The log above the line."""
        yield self.view
        yield self._line

    def ask(self) -> None:
        """Open the line."""
        self._line.display = True
        self.screen.set_focus(self._line)

    @on(Input.Submitted)
    def answer(self, event: Input.Submitted) -> None:
        """Search, and close the line."""
        event.stop()
        self._line.display = False
        self.screen.set_focus(self.view)
        if event.value:
            self.view.search(clean(event.value))
        self._line.value = ""
