"""The running tasks above the plan; drawn once a second, and when one of them changes."""

from __future__ import annotations

import os
from collections.abc import Callable

from textual import events
from textual.content import Content
from textual.widget import Widget

from nova_core.clock import Clock
from nova_core.model import is_safe_id
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.views import running

_KEEP = 5  # ticks for which rows that are no longer needed stay: each change of the height is a layout


class RunningList(Widget):
    """Shows the oldest running tasks, each with the digit that goes to it; `on_chosen` is called for a click.

    `take` costs nothing for an update of other tasks.
    """

    DEFAULT_CSS = """
    RunningList { height: 0; width: 1fr; background: $background; color: $foreground; text-wrap: nowrap; }
    """

    def __init__(self, model: ViewModel, clock: Clock, on_chosen: Callable[[str], None], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.model = model
        self.drawn = 0
        self._clock, self._on_chosen = clock, on_chosen
        self._ids: list[str] = []
        self._content = Content()
        self._rows = self._spare = 0
        self._with_rule = False

    @property
    def ids(self) -> list[str]:
        """The running tasks, the oldest first, as last drawn."""
        return self._ids

    def take(self, dirty: Dirty, *, tick: bool = False) -> None:
        """Draw what changed."""
        if tick or dirty.everything or not dirty.tasks.isdisjoint(self._ids) or self._has_new(dirty):
            self.draw(tick=tick)

    def _has_new(self, dirty: Dirty) -> bool:
        return any(self.model.is_running(i) for i in dirty.tasks)

    def draw(self, *, tick: bool = False) -> None:
        """Draw the list, and change its height if it must."""
        self._ids = self.model.running()
        rows = self.app.size.height
        wanted = running.room(len(self._ids), rows)
        rule = rows >= running.WITH_RULE
        self._spare = self._spare + tick if wanted < self._rows else 0
        if wanted > self._rows or self._spare > _KEEP or rows < running.LEAST_ROWS or rule is not self._with_rule:
            self._set_rows(wanted, rule=rule, hidden=rows < running.LEAST_ROWS)
        if not self.display or not self._rows:
            return
        width = self.size.width or self.app.size.width
        quiet = {i: self._quiet(i) for i in self._ids[: self._rows]}
        found = running.lines(self.model, self._ids, quiet, width, self._rows, rule=rule)
        content = Content("\n").join(found)
        if not content.is_same(self._content):
            self._content = content
            self.drawn += 1
            self.refresh(layout=False)

    def _set_rows(self, rows: int, *, rule: bool, hidden: bool) -> None:
        self._rows, self._spare, self._with_rule = rows, 0, rule
        height = 0 if hidden or not rows else rows + rule
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def _quiet(self, task_id: str) -> float:
        """Seconds since the task printed something or reported, or began."""
        elapsed = self.model.elapsed(task_id) or 0.0
        if elapsed < running.QUIET or not is_safe_id(task_id):
            return 0.0
        try:
            written = os.stat(self.model.source.project.latest_log(task_id)).st_mtime
        except OSError:
            return 0.0
        silent = min(self._clock.now() - written, self.model.now - self.model.heard_at(task_id))
        return min(elapsed, max(0.0, silent))

    def render(self) -> Content:
        """The rows."""
        return self._content

    def on_resize(self) -> None:
        """Draw for the new width."""
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """Go to the task of the row."""
        event.stop()
        index = event.y - (self.size.height - self._rows)
        if 0 <= index < min(len(self._ids), self._rows):
            self._on_chosen(self._ids[index])
