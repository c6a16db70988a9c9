"""The top line: the state of the run."""

from __future__ import annotations

import time

from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.views.header import header
from nova_tui.widgets.one_line import OneLine

_ETA_EVERY = 5.0  # seconds
_ETA_SHARE = 200  # the ETA walks the whole plan: it may take 1/200 of the time


class SummaryBar(OneLine):
    """Shows counts, tokens, cost, time and workers of the model."""

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
        began = time.monotonic()
        if began >= self._eta_next:
            self._eta = self.model.eta()
            took = time.monotonic() - began
            self._eta_next = began + max(_ETA_EVERY, took * _ETA_SHARE)
        return self._eta

    def on_resize(self) -> None:
        """Redraw for the new width."""
        self.draw()
