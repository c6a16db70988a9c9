"""The screen of what a task changed."""

from __future__ import annotations

from typing import ClassVar

from textual import work

from nova_core.errors import NovaError
from nova_core.runs.merging import DiffOf, diff_of
from nova_core.runs.patch import Patch, read_patch
from nova_core.watch.task_diff import patch_text
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.screens.base import ViewScreen
from nova_tui.views import diff
from nova_tui.views.line import line, plain
from nova_tui.widgets.lines_view import LinesView


class DiffScreen(ViewScreen):
    """Shows the files of a task's commit, then the difference; of a running task, that of its tree at this time.

    Git is asked in a thread, once, and again when there is another commit to show.
    """

    VIEW: ClassVar[str] = "diff"

    def __init__(self, model: ViewModel, task_id: str) -> None:
        super().__init__(model, task_id)
        self.task_id = task_id
        self._of: DiffOf | None = None
        self._patch: Patch | None = None
        self._problem = ""

    @property
    def selected_task(self) -> str:
        """The task that is shown."""
        return self.task_id

    @property
    def acts_on(self) -> str:
        """The task that is shown."""
        return self.task_id

    @property
    def is_gone(self) -> bool:
        """True if the task is no longer in the plan."""
        return self.task_id not in self.model.cascade.tasks

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Read another commit; nothing else changes with time."""
        if self.task_id in dirty.tasks or dirty.everything:
            self.redraw()
        self.renew_keys()

    def draw(self) -> None:
        """Draw what is known, and read what is not."""
        wanted = diff_of(self.task_id, self.model.task(self.task_id), self.model.source.run.git)
        if wanted != self._of or wanted is None:
            self._of, self._patch, self._problem = wanted, None, "" if wanted else "it has no commit to show"
            if wanted is not None:
                self._read(wanted)
        self.say(diff.title(self.model, self.task_id, self._said(), self.room))
        if self._patch is None:
            self.view.show([line(f" {plain(self._problem) or 'reading ...'}", width=self.view.room)])
        else:
            self.view.show(diff.lines(self._patch, self.view.room), diff.keys(self._patch))

    def _said(self) -> str:
        what = self._of.what if self._of else ""
        return f"{what}; {self._patch.total()}" if self._patch else what

    @work(thread=True, exclusive=True, group="diff")
    def _read(self, wanted: DiffOf) -> None:
        source = self.model.source
        try:
            found, problem = read_patch(patch_text(source.project.root, source.run.git, self.task_id, wanted)), ""
        except (NovaError, OSError) as error:
            found, problem = None, str(error)
        self.app.call_from_thread(self._show, wanted, found, problem)

    def _show(self, wanted: DiffOf, found: Patch | None, problem: str) -> None:
        if wanted == self._of and self.is_attached:
            self._patch, self._problem = found, problem
            self.redraw()

    def on_lines_view_opened(self, message: LinesView.Opened) -> None:
        """Go to the lines of a file."""
        place = diff.place_of(self._patch, message.key) if self._patch else None
        if place is not None:
            self.view.choose(place)
