"""The logs of all running tasks in one stream."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from nova_core.clock import Clock
from nova_core.model import is_safe_id
from nova_core.text import number_of
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.glyphs import MUTED, TITLE, glyph
from nova_tui.log_reader import LogReader
from nova_tui.screens.run_screen import RunScreen
from nova_tui.stream import Stream
from nova_tui.views.line import LEFT, line, plain, shorten
from nova_tui.widgets.log_pane import LogPane
from nova_tui.widgets.log_view import LogView
from nova_tui.widgets.one_line import KeyLine, OneLine


class StreamScreen(RunScreen):
    """Shows what the running tasks print while the screen is open, each line after the id of its task, and how they
    ended. Tasks that start meanwhile join."""

    DEFAULT_CSS = """
    StreamScreen.-short KeyLine { display: none; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (12, "-tall")]  # noqa: RUF012 - as in Screen
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "back", "Back", id="app.back")]

    def __init__(self, model: ViewModel, clock: Clock | None = None, *, wrap: bool = False) -> None:
        super().__init__(model)
        self.stream = Stream(model.source.project.latest_log)
        self.pane = LogPane(clipboard=model.source.project.nova_dir / "clipboard.txt", clock=clock, wrap=wrap)
        self.pane.view.show(LogReader(Path("running"), clock or Clock(), self.stream.index))
        self._heading = OneLine()

    @property
    def acts_on(self) -> None:
        """No task: its lines are of many."""

    def compose(self) -> ComposeResult:
        """Heading, lines, news, keys."""
        yield self._heading
        yield self.pane
        yield self.news_line
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin with the last lines of each log."""
        self.pane.view.focus()
        self._look()

    def on_unmount(self) -> None:
        """Forget the stream."""
        self.stream.close()

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Show new lines."""
        self._look()
        self.renew_keys()

    def _look(self) -> None:
        self.stream.take(dict.fromkeys(filter(is_safe_id, self.model.running())), self._ended)
        self.pane.view.poll()
        self.say()

    def _ended(self, task_id: str) -> str:
        """How a task has ended."""
        if task_id not in self.model.cascade.tasks:
            return LEFT
        shown = self.model.shown(task_id)
        why = self.model.failure(task_id)
        return plain(f"{glyph(shown)} {shown.value}{': ' if why else ''}{why}")

    @on(LogView.Changed)
    @on(LogView.FollowChanged)
    def say(self) -> None:
        """Redraw the heading."""
        self._heading.show(self._text())

    def on_resize(self) -> None:
        """Redraw the heading for the new width."""
        self.say()

    def _text(self) -> Content:
        """What is shown on the left, the state of the log on the right."""
        width = max(10, self.size.width or self.app.size.width)
        count = len(self.model.running())
        tasks = number_of(count, "task is running", "tasks are running") if count else "no task is running"
        head = line((" All running logs", TITLE), f"  {tasks}", width=width)
        status = shorten(self.pane.view.status(), width - head.cell_length - 3)
        space = width - head.cell_length - cell_len(status) - 1
        return line(head, " " * max(1, space), (status, MUTED), width=width)

    def action_back(self) -> None:
        """Return to the previous screen."""
        self.dismiss()
