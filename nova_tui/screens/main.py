"""The main screen: the run in one line, the tree, the selected task and its log, the keys."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.timer import Timer

from nova_core.model import is_safe_id
from nova_core.watch.allowed import OVER
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.placing import Placing
from nova_tui.rows import Filter, Finder, step
from nova_tui.screens import open_task, open_view
from nova_tui.screens.leading import tell_leading
from nova_tui.screens.run_screen import RunScreen
from nova_tui.views import members
from nova_tui.views.line import plain
from nova_tui.views.members import Place
from nova_tui.widgets.detail import Detail
from nova_tui.widgets.filter_bar import FilterBar
from nova_tui.widgets.log_pane import LogPane
from nova_tui.widgets.log_view import LogView
from nova_tui.widgets.one_line import KeyLine
from nova_tui.widgets.summary_bar import SummaryBar
from nova_tui.widgets.task_tree import TaskTree

_REST = 0.06  # seconds the cursor must rest on a task before its log and keys are drawn, as a key may be held


class MainScreen(RunScreen):
    """Shows the run; `take` receives each update and redraws only what changed."""

    DEFAULT_CSS = """
    MainScreen { layout: vertical; background: $background; }
    MainScreen > #body { height: 1fr; layout: vertical; }
    MainScreen > #body > #tasks { height: 13fr; }
    MainScreen > #body > #side { height: 10fr; }
    MainScreen.-wide > #body { layout: horizontal; }
    MainScreen.-wide > #body > #tasks { height: 1fr; width: 3fr; }
    MainScreen.-wide > #body > #side { height: 1fr; width: 2fr; border-left: solid $panel; }
    MainScreen.-tiny > #body > #side, MainScreen.-short > #body > #side { display: none; }
    """
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-tiny"), (60, "-narrow"), (110, "-wide")]  # noqa: RUF012 - declared so
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
        Binding("tab,shift+tab", "pane", "Tree/log", show=False, id="view.pane"),
        Binding("escape", "clear", "Show all", id="app.back"),
        Binding("escape", "forget", "End search", id="app.back"),
    ]

    def __init__(self, model: ViewModel) -> None:
        super().__init__(model)
        self.summary = SummaryBar(model, id="summary")
        self.tasks = TaskTree(model, self._moved, id="tasks")
        self.detail = Detail(model, id="detail")
        self.pane = LogPane(clipboard=model.source.project.nova_dir / "clipboard.txt", wrap=True, id="log")
        self.bar = FilterBar(self._search, self._close_search, id="find")
        self._finder: Finder | None = None
        self._wanted = ""
        self._matches: list[str] = []
        self._start: Place | None = None
        self._log_timer: Timer | None = None
        self._placing = Placing(model)
        self._going = self._left = False

    def compose(self) -> ComposeResult:
        """Summary, tree, detail and log, search, keys."""
        yield self.summary
        with Container(id="body"):
            yield self.tasks
            with Vertical(id="side"):
                yield self.detail
                yield self.pane
        yield self.bar
        yield KeyLine()

    def on_mount(self) -> None:
        """Focus the tree."""
        self.tasks.focus()
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
        return self.tasks.place.task

    @property
    def acts_on(self) -> str | None:
        """The task keys act on."""
        return self.tasks.place.task

    def look_at(self) -> str | None:
        """The task to open; for a branch, its representative task, named in a toast, or a toast that there is none."""
        if (task_id := self.selected_task) is not None:
            return task_id
        return tell_leading(self, self.tasks.place)

    @property
    def finder(self) -> Finder:
        """The search for tasks, created on first use."""
        if self._finder is None:
            ids = self.tasks.task_ids
            self._finder = Finder(ids, [self.model.cascade.tasks[i].name for i in ids])
        return self._finder

    def draw_all(self) -> None:
        """Redraw everything."""
        self.tasks.take(Dirty(everything=True))
        self.summary.draw()
        self._draw_detail()
        self._open_log()

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Draw what an update changed, all at once, so that the terminal gets one frame."""
        self.tasks.take(dirty, tick=tick)
        if dirty.everything:
            self._find_again()
        self._place()
        if dirty.header or tick:
            self.summary.draw()
        if self.pane.display and self.detail.size.height:
            self.pane.view.poll()
            if tick or dirty.everything or self.selected_task in dirty.tasks or self.selected_task is None:
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
        wanted = self._placing.wanted(lambda: self.tasks.task_ids, self.selected_task)
        if wanted is not None:
            self._going = True
            self._go(wanted)
            self._going = False

    def _draw_detail(self) -> None:
        self.detail.draw(self.tasks.place, self.pane.view.status())

    def _moved(self, place: Place) -> None:
        """Show the new row's details in the same frame; its log and keys follow when the cursor rests there."""
        if not self._going:
            self._placing.moved()
        self.detail.draw(place, "")
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
        self.pane.view.set_path(self.model.source.project.latest_log(task_id) if safe and task_id else None)
        self.pane.view.tell_over(task_id is not None and self.model.shown(task_id) in OVER)
        self.detail.name_log(whose)
        self._say_log()

    @on(LogView.Changed)
    @on(LogView.FollowChanged)
    def _say_log(self) -> None:
        self.detail.draw_rule(self.pane.view.status())

    def decides_keys(self) -> Hashable:
        """Includes whether a search can be repeated."""
        return super().decides_keys(), bool(self._wanted)

    # searching and filtering

    def action_search(self) -> None:
        """Open the search line; the cursor moves to the first match while words are typed."""
        self._start = self.tasks.place
        self.bar.open(self._wanted)

    def _search(self, text: str) -> None:
        if text == self._wanted:
            return
        self._wanted = text
        self._matches = self.finder.find(text)
        self.tasks.mark(frozenset(self._matches))
        self.bar.tell(f"{len(self._matches):,} found" if text.strip() else "")
        start = self._start.task if self._start else None
        if not self._matches or start in self.tasks.hits:
            self._return()
        else:
            self._go(step(self._matches, self._order, start, 1))

    def _close_search(self, keep: bool) -> None:
        self._search(self.bar.text)  # the message with the last letters may still be queued
        self.bar.display = False
        self.set_focus(self.tasks)
        if not keep or not self._matches:
            self._return()
            self._forget()
        self.renew_keys()

    def _return(self) -> None:
        """Return the cursor to where the search began."""
        if self._start is not None:
            self.tasks.go_back(self._start)

    @property
    def _order(self) -> dict[str, int]:
        return {task_id: number for number, task_id in enumerate(self.tasks.task_ids)}

    def _go(self, task_id: str | None) -> None:
        if task_id is not None:
            self.tasks.go_to(task_id)

    def _find_again(self) -> None:
        """Search the changed plan."""
        self._finder = None
        if self._wanted:
            self._matches = self.finder.find(self._wanted)
            self.tasks.mark(frozenset(self._matches))

    def _forget(self) -> None:
        self._wanted, self._matches = "", []
        self.tasks.mark(frozenset())

    def action_next_match(self, way: int) -> None:
        """Go to the next or the previous match."""
        self._go(step(self._matches, self._order, self.selected_task, way))

    def action_filter(self) -> None:
        """Switch to the next filter."""
        kinds = list(Filter)
        self._filter(kinds[(kinds.index(self.tasks.only) + 1) % len(kinds)])

    def action_only_failed(self) -> None:
        """Show only failed tasks, or all again."""
        self._filter(Filter.ALL if self.tasks.only is Filter.FAILED else Filter.FAILED)

    def _filter(self, only: Filter) -> None:
        self.tasks.show_only(only)
        self.refresh_bindings()

    def action_clear(self) -> None:
        """Show all tasks again, and end the search."""
        self.tasks.show_only(Filter.ALL)
        self.action_forget()

    def action_forget(self) -> None:
        """End the search and remove its marks."""
        self._forget()
        self.refresh_bindings()

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

    def action_pane(self) -> None:
        """Switch between the tree and the log; on return to the tree the log follows again."""
        if self.focused is not self.tasks:
            self.pane.view.action_forget()
            self.pane.view.following = True
        if self.pane.display and self.detail.size.height:
            self.set_focus(self.pane.view if self.focused is self.tasks else self.tasks)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the next match without a search, and clearing without a filter."""
        if action == "next_match":
            return bool(self._matches)
        if action == "forget":
            return bool(self._wanted) and self.tasks.only is Filter.ALL
        return self.tasks.only is not Filter.ALL if action == "clear" else True
