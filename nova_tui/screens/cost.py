"""The screen of tokens and cost."""

from __future__ import annotations

from nova_tui.screens.base import ViewScreen
from nova_tui.views import cost


class CostScreen(ViewScreen):
    """Shows the cost of the run, by branch, model and task."""

    VIEW = "cost"

    def draw(self) -> None:
        """Draw the current totals."""
        self.say(cost.title(self.room))
        self.view.show(cost.lines(self.model, self.view.room))
