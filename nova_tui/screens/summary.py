"""The screen of the summary."""

from __future__ import annotations

from nova_core.watch.view_model import ViewModel
from nova_tui.screens.base import ViewScreen
from nova_tui.screens.plan_milestones import PlanMilestones
from nova_tui.views import summary


class SummaryScreen(ViewScreen):
    """Shows the result of the run."""

    VIEW = "summary"

    def __init__(self, model: ViewModel, task_id: str | None = None) -> None:
        super().__init__(model, task_id)
        self._milestones = PlanMilestones(model)

    def draw(self) -> None:
        """Draw the current totals."""
        self.say(summary.title(self.model, self.room))
        self.view.show(summary.lines(self.model, self.view.room, self._milestones()))
