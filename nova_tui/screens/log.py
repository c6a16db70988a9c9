"""A task's log full screen, or two logs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from nova_core.clock import Clock
from nova_core.model import is_safe_id
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.glyphs import is_ascii
from nova_tui.screens.run_screen import RunScreen
from nova_tui.widgets.log_view import LogView
from nova_tui.widgets.one_line import KeyLine
from nova_tui.widgets.task_log import TaskLog


class LogScreen(RunScreen):
    """Shows one log, or two: beside each other from 140 columns on, else one above the other. Keys act on the log with
    the focus. `among` is the list of tasks from which the screen was opened.
    """

    DEFAULT_CSS = """
    LogScreen.-short KeyLine { display: none; }
    LogScreen > #logs { width: 1fr; height: 1fr; layout: vertical; }
    LogScreen.-wide > #logs { layout: horizontal; }
    LogScreen.-wide > #logs > .-second { border-left: solid $panel; }
    LogScreen.-wide.-ascii > #logs > .-second { border-left: ascii $panel; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012 - as in Screen
    VERTICAL_BREAKPOINTS = [(0, "-short"), (12, "-tall")]  # noqa: RUF012 - as in Screen
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", id="app.back"),
        Binding("left_square_bracket", "attempt(-1)", "Earlier attempt", id="log.older"),
        Binding("right_square_bracket", "attempt(1)", "Later attempt", id="log.newer"),
        Binding("J", "another(1)", "Next log", id="log.next_task"),
        Binding("K", "another(-1)", "Previous log", show=False, id="log.previous_task"),
        Binding("1", "app.running(1)", "Running", key_display="1-9", id="view.run_1"),
        Binding("equals_sign", "second", "Two logs", key_display="=", id="view.two_logs"),
        Binding("equals_sign", "only_this", "Only this log", key_display="=", id="view.two_logs"),
        Binding("ctrl+w", "other", "Other log", id="view.pane"),
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
        super().__init__(model, classes="-ascii" if is_ascii() else None)
        self._among = among
        self._clock, self._wrap = clock, wrap
        self._halves = [TaskLog(model, task_id, clock, wrap=wrap)]
        self._last = self._halves[0]

    # the log that keys act on

    @property
    def current(self) -> TaskLog:
        """The log with the focus, or that had it last."""
        self._last = next((half for half in self._halves if half.has_focus_within), self._last)
        return self._last

    @property
    def task_id(self) -> str:
        """The task of the log that keys act on."""
        return self.current.task_id

    @property
    def acts_on(self) -> str:
        """The task keys act on."""
        return self.current.task_id

    @property
    def view(self) -> LogView:
        """The log that keys act on."""
        return self.current.view

    @property
    def is_gone(self) -> bool:
        """True if the task is no longer in the plan."""
        return self.current.is_gone

    # drawing

    def compose(self) -> ComposeResult:
        """Logs, news, keys."""
        with Container(id="logs"):
            yield from self._halves
        yield self.news_line
        yield KeyLine()

    def on_mount(self) -> None:
        """Focus the log."""
        self.view.focus()

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Update the logs and their headings."""
        for half in self._halves:
            half.take(dirty)
        if not dirty.tasks.isdisjoint(half.task_id for half in self._halves):
            self.refresh_bindings()
        self.renew_keys()

    def on_descendant_focus(self) -> None:
        """Offer the keys of the log with the focus."""
        self.refresh_bindings()

    # attempts and other tasks

    def action_attempt(self, by: int) -> None:
        """Go to an older or a newer attempt."""
        self.current.show_attempt(by)
        self.refresh_bindings()

    def show_task(self, task_id: str) -> bool:
        """Show the log of another task."""
        if not is_safe_id(task_id):
            return False
        self.current.show_task(task_id)
        self.refresh_bindings()
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
        known = is_safe_id(task_id) and task_id in self.model.cascade.tasks
        return known and self.model.task(task_id).attempt > 0

    def listed(self) -> Sequence[str]:
        """The list from which the screen was opened."""
        return self._among

    # two logs

    @property
    def is_two(self) -> bool:
        """True if there are two logs."""
        return len(self._halves) > 1

    async def action_second(self) -> None:
        """Show another log beside this one: of the next running task, else of the next task that has one."""
        first = self.current
        found = self._next_to(first.task_id)
        if found is None:
            self.notify("no other task has a log", markup=False)
            return
        second = TaskLog(self.model, found, self._clock, wrap=first.view.wrap)
        second.add_class("-second")
        self._halves.append(second)
        first.is_one_of_two = second.is_one_of_two = True
        await self.query_one("#logs").mount(second)
        self._turn_to(second)

    def _next_to(self, task_id: str) -> str | None:
        """The task whose log to show beside that of a task."""
        ids = [*self.model.running(), *self._among, *self.model.cascade.dag.ids]
        ids = [i for i in ids if i != task_id and self._has_log(i)]
        running, here = self.model.running(), task_id in self.model.running()
        after = running[running.index(task_id) + 1 :] if here else []
        return next((i for i in after if i in ids), ids[0] if ids else None)

    async def action_only_this(self) -> None:
        """Show only the log that has the focus."""
        kept = self.current
        gone = [half for half in self._halves if half is not kept]
        self._halves = [kept]
        kept.is_one_of_two = False
        kept.remove_class("-second")
        for half in gone:
            await half.remove()
        self._turn_to(kept)

    def action_other(self) -> None:
        """Let keys act on the other log."""
        self._turn_to(next(half for half in self._halves if half is not self.current))

    def _turn_to(self, half: TaskLog) -> None:
        self._last = half
        self.set_focus(half.view)
        for each in self._halves:
            each.say()
        self.refresh_bindings()

    def action_back(self) -> None:
        """Return to the previous screen."""
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the keys for attempts only if there are several, those for two logs only with two."""
        if action == "attempt":
            return self.current.has_attempt(-1 if parameters == (-1,) else 1)
        if action in ("only_this", "other"):
            return self.is_two
        return not self.is_two if action == "second" else True
