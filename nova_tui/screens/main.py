"""The main screen: the run in two lines, what runs, the tree, the log of the selected task, news, keys."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from nova_core.clock import Clock
from nova_core.model import is_safe_id
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.placing import Placing
from nova_tui.rows import Filter, Order
from nova_tui.screens import open_task, open_view
from nova_tui.screens.divided import DividedScreen, Width
from nova_tui.screens.leading import tell_leading
from nova_tui.settings import Settings
from nova_tui.views import members
from nova_tui.views.line import plain
from nova_tui.views.members import Place
from nova_tui.views.running import needs_you
from nova_tui.widgets.body import Body
from nova_tui.widgets.detail import Detail
from nova_tui.widgets.filter_bar import FilterBar
from nova_tui.widgets.log_pane import LogPane
from nova_tui.widgets.log_view import LogView
from nova_tui.widgets.one_line import KeyLine, OneLine
from nova_tui.widgets.running_list import RunningList
from nova_tui.widgets.summary_bar import SummaryBar
from nova_tui.widgets.task_tree import TaskTree

_WITH_NEEDS = 30  # rows from which a line names the task that needs a person
_REST = 0.06  # seconds the cursor must rest on a task before its log and keys are drawn, as a key may be held


class MainScreen(DividedScreen):
    """Shows the run; `take` receives each update and redraws only what changed."""

    DEFAULT_CSS = """
    MainScreen { layout: vertical; background: $background; }
    MainScreen > #needs { display: none; background: $background; }
    MainScreen.-asked > #needs { display: block; }
    MainScreen > #body { height: 1fr; layout: vertical; }
    MainScreen > #body > #tasks { height: 13fr; }
    MainScreen > #body > #side { height: 10fr; }
    MainScreen.-wide > #body { layout: horizontal; }
    MainScreen.-wide > #body > #tasks { height: 1fr; width: 4fr; }
    MainScreen.-wide > #body > #side { height: 1fr; width: 3fr; border-left: solid $panel; }
    MainScreen.-tiny > #body > #side, MainScreen.-short > #body > #side { display: none; }
    MainScreen.-tree-only > #body > #side { display: none; }
    MainScreen.-log-only > #body > #tasks { display: none; }
    MainScreen.-log-only > #body > #side { display: block; }
    """
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-tiny"), (60, "-narrow"), (140, "-wide")]  # noqa: RUF012 - declared so
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-short"), (16, "-tall")]  # noqa: RUF012 - declared so
    STANDS_FOR = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next_match(1)", "Next", id="view.next"),
        Binding("N", "next_match(-1)", "Previous", show=False, id="view.previous"),
        Binding("f", "filter", "Filter", id="view.filter"),
        Binding("exclamation_mark", "only_failed", "Only failed", key_display="!", show=False, id="view.failed"),
        Binding("t", "view('timeline')", "Timeline", id="view.timeline"),
        Binding("d", "view('deps')", "Deps", id="view.deps"),
        Binding("e", "view('events')", "Events", id="view.events"),
        Binding("dollar_sign", "view('cost')", "Cost", key_display="$", id="view.cost"),
        Binding("S", "view('summary')", "Summary", show=False, id="view.summary"),
        Binding("w", "open_task", "Why", show=False, id="view.why"),
        Binding("z", "width", "Wider log", id="view.width"),
        Binding("o", "order", "Order", show=False, id="view.order"),
        Binding("ctrl+w", "pane", "Tree/log", show=False, id="view.pane"),
        Binding("escape", "clear", "Show all", id="app.back"),
        Binding("escape", "forget", "End search", id="app.back"),
        Binding("escape", "both", "Plan and log", id="app.back"),
    ]

    def __init__(self, model: ViewModel, settings: Settings | None = None) -> None:
        super().__init__(model)
        self.summary = SummaryBar(model, id="summary")
        self.needs = OneLine(id="needs")
        self.running = RunningList(model, Clock(), self.go_to, id="running")
        self.tasks = TaskTree(model, self._moved, id="tasks")
        self.detail = Detail(model, id="detail")
        wrap = settings is None or settings.kept.wrap is not False
        self.pane = LogPane(clipboard=model.source.project.nova_dir / "clipboard.txt", wrap=wrap, id="log")
        self.bar = FilterBar(self._search, self._close_search, id="find")
        self._log_timer: Timer | None = None
        self._placing = Placing(model)
        self._going = self._left = False
        self.settings = settings or Settings()

    def compose(self) -> ComposeResult:
        """Summary, what needs a person, what runs, tree, detail and log, search, news, keys."""
        yield self.summary
        yield self.needs
        yield self.running
        yield Body(self.tasks, self.detail, self.pane, self.settings)
        yield self.bar
        yield self.news_line
        yield KeyLine()

    def on_mount(self) -> None:
        """Focus the tree; show it as it was left."""
        self.tasks.focus()
        kept = self.settings.kept
        if kept.order in list(Order):
            self._going = True
            self.tasks.sort(Order(kept.order))
            self._going = False
        if (width := kept.widths.get(self._plan)) in list(Width):
            self.set_width(Width(width))
        self.call_after_refresh(self.draw_all)

    def on_screen_suspend(self) -> None:
        """Remember that another screen was in front."""
        self._left = True

    def on_screen_resume(self) -> None:
        """Redraw everything when in front again."""
        if self._left:
            self._placing.returned()
        self.call_after_refresh(self.draw_all)

    def on_resize(self) -> None:
        """Redraw for the new size."""
        self.call_after_refresh(self.draw_all)

    def on_key(self) -> None:
        """Stop automatic cursor moves after a key press."""
        self._placing.moved()

    # drawing

    @property
    def selected_task(self) -> str | None:
        """The task under the cursor."""
        task_id = self.tasks.place.task
        return task_id if task_id in self.model.cascade.tasks else None

    @property
    def acts_on(self) -> str | None:
        """The task keys act on."""
        return self.selected_task

    def scope(self) -> tuple[Sequence[str], str]:
        """On a branch, the tasks below it; with a filter, all that it shows."""
        place, only = self.tasks.place, self.tasks.only
        if place.task is None:
            name = place.group if place.group is not None else place.branch
            return self.tasks.below(place), plain(name) if name else ""
        return ([], "") if only is Filter.ALL else (self.tasks.shown_ids, f"only {only.value}")

    def listed(self) -> Sequence[str]:
        """The tasks that have a row, in the order of the rows."""
        return self.tasks.shown_ids

    def show_task(self, task_id: str) -> bool:
        """Put the cursor on a task."""
        self.go_to(task_id)
        return True

    def go_to(self, task_id: str) -> None:
        """Put the cursor on a task, whatever the filter hides."""
        self._placing.moved()
        if not self.tasks.go_to(task_id):
            self._filter(Filter.ALL)
            self.tasks.go_to(task_id)

    def look_at(self) -> str | None:
        """The task to open; for a branch, its representative task, named in an answer, as is that there is none."""
        if (task_id := self.selected_task) is not None:
            return task_id
        return tell_leading(self, self.tasks.place)

    def draw_all(self) -> None:
        """Redraw everything."""
        self.tasks.take(Dirty(everything=True))
        self._going = True  # where folding moves the cursor, nobody has moved it
        self.tasks.fold_quiet(self.settings.closed(self._plan))
        self._going = False
        self.summary.draw()
        self._draw_needs()
        self.running.draw()
        self._draw_detail()
        self._open_log()

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Draw what an update changed, all at once, so that the terminal gets one frame."""
        self.tasks.take(dirty, tick=tick)
        if dirty.everything:
            self._find_again()
        self._place()
        self.running.take(dirty, tick=tick)
        if dirty.header or tick:
            self.summary.draw()
            self._draw_needs()
        if self.pane.display and self.detail.size.height:
            self.pane.view.poll()
            if tick or dirty.everything or self.selected_task is None or self.selected_task in dirty.tasks:
                self._draw_detail()
            if (
                tick and self.selected_task is None
            ) or self.selected_task in dirty.tasks:  # its log ended, or there is a new log
                self._open_log()
        if dirty.header:
            self.renew_keys()

    def _place(self) -> None:
        """Move the cursor automatically, unless the user has moved it."""
        if self.bar.display or self.app.screen is not self:
            return
        wanted = self._placing.wanted(self.selected_task)
        if wanted is not None:
            self._going = True
            self._go(wanted)
            self._going = False

    def _draw_needs(self) -> None:
        """Show the first task that has asked for a person; nothing on a low screen, where the counts say it."""
        asked = bool(self.model.approvals) and self.app.size.height >= _WITH_NEEDS
        self.set_class(asked, "-asked")
        if asked:
            self.needs.show(needs_you(self.model, self.selected_task, self.size.width or self.app.size.width))

    def _draw_detail(self) -> None:
        self.detail.draw(self.tasks.place, self.pane.view.status())

    def _moved(self, place: Place) -> None:
        """Show the new row's details in the same frame; its log and keys follow when the cursor rests there."""
        if not self._going:
            self._placing.moved()
        self.detail.draw(place, "")
        if self.model.approvals:
            self._draw_needs()
        if self._log_timer is not None:
            self._log_timer.stop()
        self._log_timer = self.set_timer(_REST, self._rested)

    def _rested(self) -> None:
        self._open_log()
        self.renew_keys()

    def _open_log(self) -> None:
        task_id, whose = self.selected_task, ""
        if task_id is None:
            found = members.leading(self.model, self.tasks.place)
            task_id, whose = found or (None, "")
            whose = f" of {plain(task_id)}, {whose}" if found else ": choose a task"
        safe = task_id is not None and is_safe_id(task_id)
        path = self.model.source.project.latest_log(task_id) if safe and task_id else None
        self.pane.view.show_task(self.model, task_id, path)
        self.detail.name_log(whose)
        self._say_log()

    @on(LogView.Changed)
    @on(LogView.FollowChanged)
    def _say_log(self) -> None:
        self.detail.draw_rule(self.pane.view.status())

    def decides_keys(self) -> Hashable:
        """Includes whether a search can be repeated."""
        return super().decides_keys(), bool(self._wanted)

    # other screens

    def action_view(self, name: str) -> None:
        """Open another view of the run."""
        task_id = self.selected_task
        if name == "deps" and task_id is None and members.leading(self.model, self.tasks.place):
            task_id = self.look_at()
        self.app.push_screen(open_view(name, self.model, task_id))

    def action_open_task(self) -> None:
        """Open the task under the cursor, or the representative task of the branch."""
        if (task_id := self.look_at()) is not None:
            self._open(Place(task=task_id))

    @on(TaskTree.Opened)
    def _opened(self, event: TaskTree.Opened) -> None:
        event.stop()
        self._open(event.place)

    def _open(self, place: Place) -> None:
        if place.task is None:
            from nova_tui.screens.group import GroupScreen

            self.app.push_screen(GroupScreen(self.model, place.branch, place.group))
        else:
            self.app.push_screen(open_task(self.model, place.task))

    @on(TaskTree.Folded)
    def _keep_folds(self) -> None:
        self.settings.keep_closed(self._plan, self.tasks.folds.chosen)

    @on(TaskTree.LogWanted)
    def _to_log(self, event: TaskTree.LogWanted) -> None:
        event.stop()
        if self.focused is self.tasks:
            self.action_pane()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the next match without a search, clearing without a filter, and `both` where they are shown."""
        if action == "next_match":
            return bool(self._matches)
        if action in ("clear", "forget", "both"):
            return action == self._on_escape()
        return True
