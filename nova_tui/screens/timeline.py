"""The screen of the timeline: zoom, move in time, open the task of a bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from nova_core.state.database import AttemptRow
from nova_core.watch.view_model import ViewModel
from nova_tui.screens.base import ViewScreen
from nova_tui.views import timeline
from nova_tui.views.timeline import Window

_ZOOM = 0.5
_STEP = 0.25
_PATH_EVERY = 10  # redraws between two computations of the critical path, which walks the whole plan


class TimelineScreen(ViewScreen):
    """Shows when each attempt ran."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "zoom(True)", "Closer", key_display="]", id="time.closer"),
        Binding("left_square_bracket", "zoom(False)", "Farther", key_display="[", id="time.farther"),
        Binding("h,left", "pan(-1)", "Earlier", show=False, id="time.earlier"),
        Binding("l,right", "pan(1)", "Later", show=False, id="time.later"),
        Binding("0", "whole", "Whole run", show=False, id="time.whole"),
    ]
    AXIS = True
    VIEW = "timeline"

    def __init__(self, model: ViewModel, task_id: str | None = None) -> None:
        super().__init__(model, task_id)
        self.window = Window()
        self._critical: frozenset[str] = frozenset()
        self._cuts: Sequence[tuple[float, float]] = ()
        self._looks = 0
        self._history: dict[tuple[str, int], list[AttemptRow]] = {}
        self._placed = False

    def draw(self) -> None:
        """Draw the axis and the bars up to now."""
        if self._looks % _PATH_EVERY == 0:
            self._critical = timeline.critical_path(self.model)
            self._cuts = timeline.idle(self.model, self._attempts)
        self._looks += 1
        head, rows, lines = timeline.lines(
            self.model, self.view.room, self._attempts, window=self.window, critical=self._critical, cuts=self._cuts
        )
        self.say(timeline.title(self.model, self.room, self.window, self._cuts))
        self.axis.show(head)
        self.view.show(lines, [(row.task_id, row.attempt) for row in rows])
        if not self._placed:
            self._placed = True
            self.view.choose((self.given_task, self.model.task(self.given_task or "").attempt))

    def _attempts(self, task_id: str) -> Sequence[AttemptRow]:
        """The attempts of a task; history is read once per attempt, and only for rows in view."""
        key = task_id, self.model.task(task_id).attempt
        if key not in self._history:
            found = self.model.source.attempts(task_id)
            if len(found) < key[1] - 1:  # not saved yet: read again next time
                return found
            self._history[key] = found
        return self._history[key]

    def action_zoom(self, closer: bool) -> None:
        """Show half or twice the time."""
        self.window = self.window.zoomed(_ZOOM if closer else 1 / _ZOOM, self.model.run_seconds)
        self._moved()

    def action_pan(self, way: int) -> None:
        """Move a quarter of the window earlier or later."""
        self.window = self.window.moved(_STEP * way, self.model.run_seconds)
        self._moved()

    def action_whole(self) -> None:
        """Show the whole run."""
        self.window = Window()
        self._moved()

    def _moved(self) -> None:
        self.redraw()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable moving only if the window shows a part of the run."""
        if action in ("pan", "whole") or (action == "zoom" and parameters == (False,)):
            return self.window.span is not None
        return super().check_action(action, parameters)
