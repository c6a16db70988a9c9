"""The screen of events: milestones, failures, starts and ends, the newest at the bottom."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual.binding import Binding, BindingType

from nova_core.watch.view_model import ViewModel
from nova_tui.screens.base import ViewScreen
from nova_tui.screens.plan_milestones import PlanMilestones
from nova_tui.views import events, milestones
from nova_tui.views.events import Only


class EventsScreen(ViewScreen):
    """Shows the events in order."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f", "filter", "Filter", id="view.filter")]
    FOLLOW = True
    VIEW = "events"

    def __init__(self, model: ViewModel, task_id: str | None = None) -> None:
        super().__init__(model, task_id)
        self.only = Only.ALL
        self._milestones = PlanMilestones(model)
        model.recall()

    @property
    def selected_task(self) -> str | None:
        """The task of the selected event."""
        key = self.view.key
        return key[0] if isinstance(key, tuple) and key[0] in self.model.cascade.tasks else None

    def draw(self) -> None:
        """Draw the events that pass the filter."""
        chosen = events.chosen(self.model.events, self.only)
        self.say(events.title(len(chosen), self.only, self.room))
        lines = events.lines(chosen, self.model.cascade.tasks, self.view.room)
        keys: list[Hashable | None] = [(event.task, event.rev) for event in chosen]
        if self.only is Only.MILESTONES:
            left = milestones.lines(self.model, self._milestones(), self.view.room)
            lines, keys = [*lines, *left], [*keys, *(None for _ in left)]
        self.view.show(lines, keys)

    def action_filter(self) -> None:
        """Switch the filter: all, milestones only, problems only."""
        kinds = list(Only)
        self.only = kinds[(kinds.index(self.only) + 1) % len(kinds)]
        self.redraw()
