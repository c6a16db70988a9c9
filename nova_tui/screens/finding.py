"""Searching, filtering and ordering the tasks of the main screen."""

from __future__ import annotations

from nova_core.watch.view_model import ViewModel
from nova_tui.rows import Filter, Finder, Order, step
from nova_tui.screens.run_screen import RunScreen
from nova_tui.settings import Settings
from nova_tui.views.members import Place
from nova_tui.widgets.filter_bar import FilterBar
from nova_tui.widgets.task_tree import TaskTree


class FindingScreen(RunScreen):
    """A screen with a tree `tasks` and an input line `bar`, which its subclass makes."""

    tasks: TaskTree
    bar: FilterBar
    settings: Settings

    def __init__(self, model: ViewModel) -> None:
        super().__init__(model)
        self._finder: Finder | None = None
        self._wanted = ""
        self._matches: list[str] = []
        self._start: Place | None = None

    @property
    def selected_task(self) -> str | None:
        """The task under the cursor."""
        raise NotImplementedError

    @property
    def finder(self) -> Finder:
        """The search for tasks, created on first use."""
        if self._finder is None:
            ids = self.tasks.task_ids
            self._finder = Finder(ids, [self.model.cascade.tasks[i].name for i in ids])
        return self._finder

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
        self.action_only(Filter.FAILED)

    def action_only(self, name: str) -> None:
        """Show only the tasks of one kind, or all again."""
        self._filter(Filter.ALL if self.tasks.only == name else Filter(name))

    def action_order(self) -> None:
        """Switch to the next order."""
        kinds = list(Order)
        self.tasks.sort(kinds[(kinds.index(self.tasks.order) + 1) % len(kinds)])
        self.settings.keep(order=self.tasks.order.value)

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
