"""The base of all screens of a run: receives updates from the app, and names the task that keys act on."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual.screen import Screen

from nova_core.watch.view_model import Dirty, ViewModel


class RunScreen(Screen[None]):
    """Shows a part of the run in `model`. The app sends updates to the front screen, also behind a dialog.

    `STANDS_FOR`: the screen has rows of several tasks, which one task represents (see `look_at`).
    """

    STANDS_FOR: ClassVar[bool] = False

    def __init__(self, model: ViewModel, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.model = model
        self._keys: Hashable = None

    @property
    def acts_on(self) -> str | None:
        """The task keys act on."""
        raise NotImplementedError

    def look_at(self) -> str | None:
        """The task to open."""
        return self.acts_on

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Draw what an update changed; `tick` is True once a second, when times change."""
        raise NotImplementedError

    @property
    def is_gone(self) -> bool:
        """True if the subject of the screen is no longer in the plan, which may change during a run."""
        return False

    def renew_keys(self) -> None:
        """Update the keys if `decides_keys` has changed."""
        keys = self.decides_keys()
        if keys != self._keys:
            self._keys = keys
            self.refresh_bindings()

    def decides_keys(self) -> Hashable:
        """The values that decide which keys work."""
        model, task_id = self.model, self.acts_on
        shown = model.shown(task_id) if task_id in model.cascade.tasks else None
        return shown, model.source.engine, model.source.run.paused, model.could_go_on
