"""The base of all screens of a run: receives updates from the app, and names the task that keys act on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.screen import Screen

from nova_core.runs.words import Shown
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.news import News
from nova_tui.widgets.one_line import NewsLine

_KINDS = (Shown.FAILED, Shown.ASKS, Shown.RUNNING, Shown.APPROVAL, Shown.BLOCKED)


class RunScreen(Screen[None]):
    """Shows a part of the run in `model`. The app sends updates to the front screen, also behind a dialog.

    `STANDS_FOR`: the screen has rows of several tasks, which one task represents (see `look_at`).
    """

    STANDS_FOR: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.needing(1)", "Next that needs you", show=False, id="view.needs"),
        Binding("shift+tab", "app.needing(-1)", "Previous that needs you", show=False, id="view.needs_previous"),
        Binding("1", "app.running(1)", "Running tasks", key_display="1-9", show=False, id="view.run_1"),
        *(Binding(n, f"app.running({n})", "", show=False, id=f"view.run_{n}") for n in "23456789"),
    ]  # fmt: skip

    def __init__(self, model: ViewModel, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.model = model
        self.news_line = NewsLine()
        self._keys: Hashable = None

    @property
    def acts_on(self) -> str | None:
        """The task keys act on."""
        raise NotImplementedError

    def scope(self) -> tuple[Sequence[str], str]:
        """The tasks that keys act on together, and what they have in common; none where keys act on one task."""
        return (), ""

    def listed(self) -> Sequence[str]:
        """The tasks of the list that the screen shows, in its order."""
        return self.model.cascade.dag.ids

    def look_at(self) -> str | None:
        """The task to open."""
        return self.acts_on

    def show_task(self, task_id: str) -> bool:
        """Show another task in this screen; False if the screen is not about one task."""
        return False

    def take_input(self, event: events.Key | events.Paste) -> bool:
        """Take a key or a paste before every binding; returns False if it is not taken."""
        return False

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Draw what an update changed; `tick` is True once a second, when times change."""
        raise NotImplementedError

    def tell_news(self, news: News, *, fresh: bool) -> None:
        """Draw the line of news, if there is something new; `fresh`: something was said in the last seconds."""
        if self.news_line.is_attached:
            self.news_line.draw(news, fresh=fresh)

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
        many = tuple(bool(model.counts[kind]) for kind in _KINDS)
        return shown, model.source.engine, model.source.run.paused, model.could_go_on, model.could_land, many
