"""The screen of one task: its details and its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nova_core.model import is_safe_id
from nova_core.state.database import AttemptRow
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.screens.base import ViewScreen
from nova_tui.views import detail

if TYPE_CHECKING:
    from nova_tui.widgets.log_pane import LogPane


class TaskScreen(ViewScreen):
    """Shows a task's details beside its log (one above the other on a narrow screen); `tab` switches between them."""

    DEFAULT_CSS = """
    TaskScreen { layout: grid; grid-size: 1 5; grid-rows: 1 3fr 2fr 1 1; }
    TaskScreen > #log { border-top: solid $panel; }
    TaskScreen.-wide { grid-size: 2 4; grid-columns: 1fr 1fr; grid-rows: 1 1fr 1 1; }
    TaskScreen.-wide > #log { border-top: none; border-left: solid $panel; }
    TaskScreen.-ascii > #log { border-top: ascii $panel; }
    TaskScreen.-ascii.-wide > #log { border-top: none; border-left: ascii $panel; }
    TaskScreen.-wide > #title, TaskScreen.-wide > KeyLine, TaskScreen.-wide > NewsLine { column-span: 2; }
    TaskScreen.-short { grid-size: 1 3; grid-rows: 1 1fr 1; }
    TaskScreen.-short > #log { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+w", "other_pane", "Details/log", id="view.pane"),
        Binding("left_square_bracket", "step(-1)", "Previous task", show=False, id="view.previous_task"),
        Binding("right_square_bracket", "step(1)", "Next task", show=False, id="view.next_task"),
    ]
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - declared so

    def __init__(self, model: ViewModel, task_id: str) -> None:
        super().__init__(model, task_id)
        self.task_id = task_id
        self._log: LogPane | None = None
        self._attempts: tuple[tuple[str, int, str], Sequence[AttemptRow]] | None = None

    @property
    def selected_task(self) -> str | None:
        """The task that is shown."""
        return self.task_id

    @property
    def acts_on(self) -> str | None:
        """The task that is shown."""
        return self.task_id

    @property
    def is_gone(self) -> bool:
        """True if the task is no longer in the plan."""
        return self.task_id not in self.model.cascade.tasks

    def compose(self) -> ComposeResult:
        """Details and log."""
        from nova_tui.widgets.log_pane import LogPane

        self._log = LogPane(clipboard=self.model.source.project.nova_dir / "clipboard.txt", wrap=True, id="log")
        widgets = list(super().compose())
        yield from [*widgets[:-2], self._log, *widgets[-2:]]

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Update the log more often than the details."""
        if self._log is not None:
            self._log.view.poll()
        super().take(dirty, tick)

    @property
    def subject(self) -> str:
        """The id of the task."""
        return self.task_id

    def draw(self) -> None:
        """Draw the current details."""
        self.say(detail.title(self.model, self.task_id, self.room))
        if self._log is not None and is_safe_id(self.task_id):
            self._log.view.show_task(self.model, self.task_id, self.model.source.project.latest_log(self.task_id))
        reader = self._log.view.reader if self._log is not None else None
        cut = reader.index.cut if reader is not None else 0
        self.view.show(detail.lines(self.model, self.task_id, self.view.room, self._history(), cut))

    def _history(self) -> Sequence[AttemptRow]:
        """The ended attempts; read again when an attempt begins or ends."""
        state = self.model.task(self.task_id)
        key = self.task_id, state.attempt, state.status.value
        if self._attempts is None or self._attempts[0] != key:
            self._attempts = key, self.model.source.attempts(self.task_id)
        return self._attempts[1]

    def action_other_pane(self) -> None:
        """Switch between the details and the log."""
        if self._log is not None and self._log.display:
            self.set_focus(self._log.view if self.focused is self.view else self.view)

    def action_step(self, way: int) -> None:
        """Go to the previous or the next task of the plan."""
        ids, here = self.model.cascade.dag.ids, self.model.cascade.dag.index.get(self.task_id)
        index = -1 if here is None else here + way
        if 0 <= index < len(ids):
            self.show_task(ids[index])

    def show_task(self, task_id: str) -> bool:
        """Show another task."""
        self.task_id = task_id
        self.view.action_edge(False)
        self.redraw()
        self.refresh_bindings()
        return True
