"""The summary as a screen, which also comes up when the run is over."""

from __future__ import annotations

from nova_tui.screens.base import ViewScreen
from nova_tui.views import summary


class SummaryScreen(ViewScreen):
    """What the run came to."""

    VIEW = "summary"

    def redraw(self) -> None:
        """The sums of now."""
        self.say(summary.title(self.model, self.room))
        self.view.show(summary.lines(self.model, self.view.room))
