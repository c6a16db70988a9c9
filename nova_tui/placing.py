"""Moves the cursor when a run ends: to what needs a person."""

from __future__ import annotations

from nova_core.runs.words import AT_WORK, Shown
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel


class Placing:
    """Chooses a task for the cursor once per end of a run; never after a key press."""

    def __init__(self, model: ViewModel) -> None:
        self._model = model
        self._ended = self._touched = False

    def moved(self) -> None:
        """Stop automatic moves: the user moved the cursor or pressed another key."""
        self._touched = True

    def returned(self) -> None:
        """Keep the cursor where it is after a return from another screen."""
        self._ended = self._is_over

    def wanted(self, selected: str | None) -> str | None:
        """The task that needs a person; None to stay."""
        if not self._is_over:
            self._ended = False
            return None
        if self._ended or self._touched:
            return None
        self._ended = True
        needing = self._model.needing()
        there = selected in needing or (selected is not None and self._model.shown(selected) is Shown.CANCELLED)
        return None if there or not needing else needing[0]

    @property
    def _is_over(self) -> bool:
        at_work = any(self._model.counts[shown] for shown in AT_WORK)
        return self._model.source.engine is not EngineState.RUNNING and not at_work
