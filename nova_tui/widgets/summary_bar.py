"""The two lines at the top: the state of the run."""

from __future__ import annotations

import time

from textual import events

from nova_core.runs.words import Shown
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.rows import Filter
from nova_tui.views.header import header, state_at
from nova_tui.widgets.one_line import OneLine

_ETA_EVERY = 5.0  # seconds
_ETA_CHEAP = 0.005  # seconds; a plan whose estimate takes less is small
_ETA_SHARE = 200  # the estimate walks the whole plan: it may take 1/200 of the time
_FILTERS = {
    Shown.ASKS: Filter.NEEDS_YOU, Shown.APPROVAL: Filter.NEEDS_YOU, Shown.FAILED: Filter.FAILED,
    Shown.CANCELLED: Filter.FAILED,
    Shown.RUNNING: Filter.RUNNING, Shown.VERIFYING: Filter.RUNNING, Shown.RETRYING: Filter.RUNNING,
    Shown.MERGING: Filter.RUNNING,
    Shown.BLOCKED: Filter.BLOCKED, Shown.READY: Filter.READY,
}  # fmt: skip


class SummaryBar(OneLine):
    """Shows progress, time, tokens, cost, workers and the number of tasks in each state."""

    DEFAULT_CSS = """
    SummaryBar { height: 2; }
    """

    def __init__(self, model: ViewModel, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.model = model
        self._eta: float | None = None
        self._eta_next = 0.0

    def draw(self) -> None:
        """Show the current model."""
        width = self.size.width or self.app.size.width
        self.show(header(self.model, width, self._estimate()))

    def _estimate(self) -> float | None:
        if self.model.source.engine is not EngineState.RUNNING:
            return None
        now = time.monotonic()
        if now >= self._eta_next:
            began = time.thread_time()  # a busy machine must not delay the first estimate
            self._eta = self.model.eta()
            took = time.thread_time() - began
            pause = took * _ETA_SHARE if took > _ETA_CHEAP else 0.0
            self._eta_next = now + (max(_ETA_EVERY, pause) if self._eta else pause)
        return self._eta

    def on_resize(self) -> None:
        """Redraw for the new width."""
        self.draw()

    async def on_click(self, event: events.Click) -> None:
        """Show only the tasks that a figure counts; all for the other figures."""
        event.stop()
        lines = self._content.plain.split("\n")
        shown = state_at(lines[1] + " ", event.x) if event.y == 1 and len(lines) > 1 else None
        if shown is not None:
            await self.screen.run_action(f"only({_FILTERS.get(shown, Filter.ALL).value!r})")
