"""Key actions that change nothing: going to tasks, opening their logs, copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from nova_core.console.tails import tail
from nova_core.model import is_safe_id
from nova_core.runs.words import Shown
from nova_core.text import number_of
from nova_tui import outside
from nova_tui.choice import QuitChoice
from nova_tui.rows import Finder
from nova_tui.screens.log import LogScreen
from nova_tui.screens.run_screen import RunScreen
from nova_tui.settings import Settings
from nova_tui.views.line import plain
from nova_tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from nova_core.watch.view_model import ViewModel

_ERROR_LINES = 20


class TaskFinding(App[QuitChoice]):
    """Finds, shows and copies; the actions apply to the task the front screen `acts_on`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("L", "full_log", "Log", id="view.log"),
        Binding("y", "copy_id", "Copy id", show=False, id="copy.id"),
        Binding("Y", "copy_log", "Copy log path", show=False, id="copy.log"),
        Binding("E", "copy_error", "Copy the error", show=False, id="copy.error"),
        Binding("v", "copy_lines", "Copy lines of the log", show=False, id="copy.lines"),
        Binding("vertical_line", "pager", "Log in $PAGER", show=False, id="copy.pager"),
        Binding("equals_sign", "two_logs", "Two logs", show=False, id="view.two_logs"),
        Binding("M", "stream", "All running logs", show=False, id="view.stream"),
    ]
    model: ViewModel
    main: RunScreen
    key_before = ""  # the key before the present one, if it may be held
    settings: Settings

    @property
    def front(self) -> RunScreen:
        """The topmost screen of the run, which may be behind a dialog."""
        return self.run_screens[-1]

    @property
    def run_screens(self) -> list[RunScreen]:
        """The screens of the run from the main screen, which stays also while the app ends, to the topmost one."""
        return [self.main, *(s for s in self.screen_stack[1:] if isinstance(s, RunScreen))]

    @property
    def finder(self) -> Finder:
        """The search for tasks."""
        raise NotImplementedError

    def go_to(self, task_id: str) -> None:
        """Show the task in the tree."""
        raise NotImplementedError

    @property
    def target(self) -> str | None:
        """The task that keys act on, also when the command palette is open; None if there is none."""
        found = self.front.acts_on
        return found if found in self.model.cascade.tasks else None

    def _label(self, task_id: str) -> str:
        return plain(f"{task_id} {self.model.cascade.tasks[task_id].name}")

    # logs and copying

    def action_full_log(self) -> None:
        """Open the task's log full screen; on a branch, the log of its representative task."""
        self._log_screen()

    def _log_screen(self) -> LogScreen | None:
        """The screen with the task's log, now in front; None if there is no task."""
        task_id = self.front.look_at() if self.front.STANDS_FOR else self.target
        if task_id is None or not is_safe_id(task_id):
            return None
        found = LogScreen(self.model, task_id, among=self.front.listed(), wrap=bool(self.settings.kept.wrap))
        self.push_screen(found)
        return found

    def action_copy_lines(self) -> None:
        """Open the task's log to mark and copy lines of it."""
        if (screen := self._log_screen()) is not None:
            screen.call_after_refresh(screen.view.action_copy_mode)

    def action_two_logs(self) -> None:
        """Open the task's log, and beside it that of another one."""
        if (screen := self._log_screen()) is not None:
            screen.call_after_refresh(screen.action_second)

    def action_stream(self) -> None:
        """Show what all running tasks print in one stream."""
        from nova_tui.screens.stream import StreamScreen

        if not self.model.running():
            self.notify("no task is running", markup=False)
        elif not isinstance(self.front, StreamScreen):
            self.push_screen(StreamScreen(self.model, wrap=bool(self.settings.kept.wrap)))

    # going to tasks

    def show_task(self, task_id: str) -> None:
        """Show a task: in the front screen if it is about one task, else in the tree."""
        if not self.front.show_task(task_id):
            self.go_to(task_id)

    def action_needing(self, way: int) -> None:
        """Go to the next task that asks or needs approval, then to those that have failed."""
        here = self.front.acts_on
        found = self.model.next_needing(here, way)
        if found is None:
            self.notify("no task needs you, and none has failed", markup=False)
            return
        self.model.seen.update(i for i in self.model.approvals if i in (here, found))
        self.show_task(found)

    def action_running(self, number: int) -> None:
        """Go to a running task; 1 is the oldest."""
        ids = self.model.running()
        if number <= len(ids):
            self.show_task(ids[number - 1])
        else:
            count = number_of(len(ids), "task is running", "tasks are running") if ids else "no task is running"
            self.notify(count, markup=False)

    def action_copy_error(self) -> None:
        """Copy why the task failed, and the last lines it printed."""
        task_id = self.target
        if task_id is None or not is_safe_id(task_id):
            return
        if self.model.shown(task_id) is not Shown.FAILED:
            self.notify(f"{plain(task_id)} has not failed", severity="warning", markup=False)
            return
        lines = tail(self.model.source.project.latest_log(task_id), _ERROR_LINES)
        self._copy("\n".join([f"{self._label(task_id)}: {self.model.failure(task_id)}", *lines]), "the error: ")

    def action_copy_id(self) -> None:
        """Copy the task's id to the clipboard."""
        self._copy(self.target or "", "the id ")

    def action_copy_log(self) -> None:
        """Copy the path of the task's log to the clipboard."""
        if (task_id := self.target) is not None and is_safe_id(task_id):
            self._copy(str(self.model.source.project.latest_log(task_id).absolute()), "the path ")

    def on_text_selected(self) -> None:
        """Copy what the mouse has selected: no key would copy it everywhere."""
        if self.screen_stack and (selected := self.screen.get_selected_text()):
            self._copy(selected)

    def on_log_view_wrapped(self, message: LogView.Wrapped) -> None:
        """Keep the choice."""
        self.settings.keep(wrap=message.wrap)

    def _copy(self, text: str, what: str = "") -> None:
        file = self.model.source.project.nova_dir / "clipboard.txt"
        self.notify(outside.copy(self, text, file, what), markup=False)

    def action_pager(self) -> None:
        """Open the task's log in `$PAGER`."""
        task_id = self.target
        if task_id is None or not is_safe_id(task_id):
            return
        path = self.model.source.project.latest_log(task_id)
        problem = outside.open_in_pager(self, path) if path.is_file() else "no log yet"
        if problem:
            self.notify(problem, severity="warning", markup=False)
