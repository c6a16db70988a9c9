"""The screen of the summary."""

from __future__ import annotations

from nova_tui.screens.base import ViewScreen
from nova_tui.views import summary


class SummaryScreen(ViewScreen):
    """Shows the result of the run."""

    VIEW = "summary"

    def draw(self) -> None:
        """Draw the current totals."""
        self.say(summary.title(self.model, self.room))
        self.view.show(summary.lines(self.model, self.view.room))
