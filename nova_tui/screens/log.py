"""A task's log full screen, of its latest attempt or of an older one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from nova_core.clock import Clock
from nova_core.model import is_safe_id
from nova_core.watch.allowed import OVER
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.glyphs import MUTED, TITLE
from nova_tui.glyphs import status as word
from nova_tui.screens.run_screen import RunScreen
from nova_tui.views.line import LEFT, line, plain, shorten
from nova_tui.widgets.log_pane import LogPane
from nova_tui.widgets.log_view import LogView
from nova_tui.widgets.one_line import KeyLine, OneLine


class LogScreen(RunScreen):
    """Shows the log of the latest attempt, and switches to each new one, unless an older attempt was chosen."""

    DEFAULT_CSS = """
    LogScreen.-short KeyLine { display: none; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (12, "-tall")]  # noqa: RUF012 - as in Screen
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", id="app.back"),
        Binding("left_square_bracket", "attempt(-1)", "Earlier attempt", id="log.older"),
        Binding("right_square_bracket", "attempt(1)", "Later attempt", id="log.newer"),
        Binding("J", "another(1)", "Next log", id="log.next_task"),
        Binding("K", "another(-1)", "Previous log", show=False, id="log.previous_task"),
    ]

    def __init__(
        self,
        model: ViewModel,
        task_id: str,
        clock: Clock | None = None,
        *,
        among: Sequence[str] = (),
        wrap: bool = False,
    ) -> None:
        super().__init__(model)
        self.task_id = task_id
        self._among = among
        self._logs = self._files()
        self._chosen = len(self._logs) - 1
        clipboard = model.source.project.nova_dir / "clipboard.txt"
        self.pane = LogPane(self._logs[-1], clipboard=clipboard, clock=clock, wrap=wrap)
        self._heading = OneLine(id="heading")

    def _files(self) -> list[Path]:
        """The logs of all attempts, oldest first."""
        latest, project = self.model.task(self.task_id).attempt, self.model.source.project
        older = (project.attempt_log(self.task_id, n, latest, self.model.cascade.tasks) for n in range(1, latest))
        return [*older, project.latest_log(self.task_id)]

    @property
    def acts_on(self) -> str:
        """The task keys act on."""
        return self.task_id

    @property
    def view(self) -> LogView:
        """The log itself."""
        return self.pane.view

    @property
    def is_gone(self) -> bool:
        """True if the task is no longer in the plan."""
        return self.task_id not in self.model.cascade.tasks

    def compose(self) -> ComposeResult:
        """Heading, log, keys."""
        yield self._heading
        yield self.pane
        yield self.news_line
        yield KeyLine()

    def on_mount(self) -> None:
        """Focus the log."""
        self.view.focus()
        self.say()

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Update the log and the heading."""
        if self.task_id in dirty.tasks:
            self._renew_attempts()
        self.view.tell_over(self.is_gone or self.model.shown(self.task_id) in OVER)
        self.view.poll()
        self.say()
        self.renew_keys()

    @on(LogView.Changed)
    @on(LogView.FollowChanged)
    def say(self) -> None:
        """Redraw the heading."""
        self._heading.show(self._text())

    def _text(self) -> Content:
        """The heading: the task on the left, the status of the log on the right."""
        width = max(10, self.size.width)
        status = shorten(self.view.status(), width - min(cell_len(self.task_id), width // 3) - 4)
        about = line(LEFT) if self.is_gone else self._about()
        number = f"  attempt {self._chosen + 1}/{len(self._logs)}" if len(self._logs) > 1 else ""
        room = width - cell_len(status) - 3
        task = line((f" {plain(self.task_id)}", TITLE), number, "  ", about, width=max(0, room))
        return Content.assemble(task, " " * max(1, room + 2 - task.cell_length), (status, MUTED), " ")

    def _about(self) -> Content:
        return line(plain(self.model.cascade.tasks[self.task_id].name), "  ", word(self.model.shown(self.task_id)))

    def _renew_attempts(self) -> None:
        """Reload the attempts; if the latest was shown, show the new latest."""
        latest = self._chosen == len(self._logs) - 1
        self._logs = self._files()
        self._chosen = len(self._logs) - 1 if latest else min(self._chosen, len(self._logs) - 1)
        self.refresh_bindings()

    def action_attempt(self, by: int) -> None:
        """Go to an older or a newer attempt."""
        self._chosen = min(max(self._chosen + by, 0), len(self._logs) - 1)
        self.view.set_path(self._logs[self._chosen])
        self.refresh_bindings()
        self.say()

    def show_task(self, task_id: str) -> bool:
        """Show the log of another task."""
        if not is_safe_id(task_id):
            return False
        self.task_id, self._logs = task_id, []
        self._logs = self._files()
        self._chosen = len(self._logs) - 1
        self.view.set_path(self._logs[-1])
        self.view.tell_over(self.model.shown(task_id) in OVER)
        self.refresh_bindings()
        self.say()
        return True

    def action_another(self, way: int) -> None:
        """Show the log of the next or the previous task of the list from which this screen was opened; of those that
        have one."""
        ids = [i for i in self._among if i == self.task_id or self._has_log(i)]
        here = ids.index(self.task_id) if self.task_id in ids else -1
        if len(ids) > 1 or (ids and here < 0):
            self.show_task(ids[(here + way) % len(ids)])
        else:
            self.notify("no other task has a log", markup=False)

    def _has_log(self, task_id: str) -> bool:
        return task_id in self.model.cascade.tasks and self.model.task(task_id).attempt > 0

    def listed(self) -> Sequence[str]:
        """The list from which the screen was opened."""
        return self._among

    def action_back(self) -> None:
        """Return to the previous screen."""
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the keys for attempts only if there are several."""
        if action == "attempt":
            return 0 <= self._chosen + (-1 if parameters == (-1,) else 1) < len(self._logs)
        return True
