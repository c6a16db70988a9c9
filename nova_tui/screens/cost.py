"""Tokens and money as a screen."""

from __future__ import annotations

from nova_tui.screens.base import ViewScreen
from nova_tui.views import cost


class CostScreen(ViewScreen):
    """What the run costs, by branch, model and task."""

    VIEW = "cost"

    def redraw(self) -> None:
        """The sums of now."""
        self.say(cost.title(self.room))
        self.view.show(cost.lines(self.model, self.view.room))
