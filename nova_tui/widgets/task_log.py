"""The log of a task under a heading: of its latest attempt, or of an older one."""

from __future__ import annotations

from pathlib import Path

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from nova_core.clock import Clock
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.glyphs import MUTED, TITLE, chars
from nova_tui.glyphs import status as word
from nova_tui.views.line import LEFT, line, plain, shorten
from nova_tui.widgets.log_pane import LogPane
from nova_tui.widgets.log_view import LogView
from nova_tui.widgets.one_line import OneLine


class TaskLog(Vertical):
    """Shows the log of the latest attempt, and switches to each new one, unless an older attempt was chosen.

    With `is_one_of_two` set, the heading says whether keys act on this log.
    """

    DEFAULT_CSS = """
    TaskLog { width: 1fr; height: 1fr; }
    """

    def __init__(self, model: ViewModel, task_id: str, clock: Clock | None = None, *, wrap: bool = False) -> None:
        super().__init__()
        self.model = model
        self.task_id = task_id
        self.is_one_of_two = False
        self._logs = self._files()
        self._chosen = len(self._logs) - 1
        clipboard = model.source.project.nova_dir / "clipboard.txt"
        self.pane = LogPane(self._logs[-1], clipboard=clipboard, clock=clock, wrap=wrap)
        self._heading = OneLine()
        self._show()

    def _files(self) -> list[Path]:
        """The logs of all attempts, oldest first."""
        latest, project = self.model.task(self.task_id).attempt, self.model.source.project
        older = (project.attempt_log(self.task_id, n, latest, self.model.cascade.tasks) for n in range(1, latest))
        return [*older, project.latest_log(self.task_id)]

    @property
    def view(self) -> LogView:
        """The log itself."""
        return self.pane.view

    @property
    def is_gone(self) -> bool:
        """True if the task is no longer in the plan."""
        return self.task_id not in self.model.cascade.tasks

    def compose(self) -> ComposeResult:
        """Heading, log."""
        yield self._heading
        yield self.pane

    def take(self, dirty: Dirty) -> None:
        """Update the log and the heading."""
        if self.task_id in dirty.tasks:
            self._renew_attempts()
        self._show()
        self.view.poll()
        self.say()

    @on(LogView.Changed)
    @on(LogView.FollowChanged)
    def say(self) -> None:
        """Redraw the heading."""
        self._heading.show(self._text())

    def on_resize(self) -> None:
        """Redraw the heading for the new width."""
        self.say()

    def on_descendant_focus(self) -> None:
        """Say that keys act on this log."""
        self.say()

    def on_descendant_blur(self) -> None:
        """Say that they no longer do."""
        self.call_after_refresh(self.say)

    def _text(self) -> Content:
        """The heading: the task on the left, the status of the log on the right."""
        width = max(10, self.size.width)
        status = shorten(self.view.status(), width - min(cell_len(self.task_id), width // 3) - 4)
        about = line(LEFT) if self.is_gone else self._about()
        number = f"  attempt {self._chosen + 1}/{len(self._logs)}" if len(self._logs) > 1 else ""
        room = width - cell_len(status) - 3
        here = f"{chars().closed} " if self.is_one_of_two and self.has_focus_within else ""
        task = line((f" {here}{plain(self.task_id)}", TITLE), number, "  ", about, width=max(0, room))
        return Content.assemble(task, " " * max(1, room + 2 - task.cell_length), (status, MUTED), " ")

    def _about(self) -> Content:
        return line(plain(self.model.cascade.tasks[self.task_id].name), "  ", word(self.model.shown(self.task_id)))

    def _renew_attempts(self) -> None:
        """Reload the attempts; if the latest was shown, show the new latest."""
        latest = self._chosen == len(self._logs) - 1
        self._logs = self._files()
        self._chosen = len(self._logs) - 1 if latest else min(self._chosen, len(self._logs) - 1)

    def has_attempt(self, by: int) -> bool:
        """Returns True if there is an older (-1) or a newer (1) attempt than the shown one."""
        return 0 <= self._chosen + by < len(self._logs)

    def show_attempt(self, by: int) -> None:
        """Go to an older or a newer attempt, if there is one."""
        self._chosen = min(max(self._chosen + by, 0), len(self._logs) - 1)
        self._show()
        self.say()

    def show_task(self, task_id: str) -> None:
        """Show the latest log of another task, whose id is safe."""
        self.task_id = task_id
        self._logs = self._files()
        self._chosen = len(self._logs) - 1
        self._show()
        self.say()

    def _show(self) -> None:
        self.view.show_task(self.model, self.task_id, self._logs[self._chosen])
