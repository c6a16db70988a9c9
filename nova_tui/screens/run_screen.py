"""What every screen of the run is: something the app takes news to, with a task that keys act on."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual.screen import Screen

from nova_core.watch.view_model import Dirty, ViewModel


class RunScreen(Screen[None]):
    """Shows something of the run in `model`. The app takes news to the screen in front, also behind a question.

    `STANDS_FOR` says that it has rows of more than one task, for which one task then stands: see `look_at`.
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
        """The task to look at."""
        return self.acts_on

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Draw what an update changed; `tick` says that a second is over, so times are others."""
        raise NotImplementedError

    @property
    def is_gone(self) -> bool:
        """Whether the plan, which may change while it runs, no longer has what the screen is about."""
        return False

    def renew_keys(self) -> None:
        """Other keys may work: only if something that decides it has changed."""
        keys = self.decides_keys()
        if keys != self._keys:
            self._keys = keys
            self.refresh_bindings()

    def decides_keys(self) -> Hashable:
        """What decides which keys work."""
        model, task_id = self.model, self.acts_on
        shown = model.shown(task_id) if task_id in model.cascade.tasks else None
        return shown, model.source.engine, model.source.run.paused, model.could_go_on
