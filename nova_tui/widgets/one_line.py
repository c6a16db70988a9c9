"""Widgets of one line: a title, and the footer of keys."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from nova_tui import compat
from nova_tui.news import News
from nova_tui.views import help as help_view
from nova_tui.views import news as news_view
from nova_tui.views.line import line

_RANKS = {
    "run.control": 0, "run.go_on": 0, "move.open": 0, "view.log": 2,
    "log.mark": 0, "log.copy_lines": 0, "log.copy_end": 0,
    "task.approve": 0, "task.reject": 0, "task.type": 0,
    "view.pane": 1, "log.next_task": 1, "view.run_1": 1,
}  # fmt: skip
_ALWAYS = ("app.back", "app.help", "app.quit")
_LOW = 16  # rows; a lower screen has one line for keys and news


class OneLine(Widget):
    """Shows one line; changing it needs no layout."""

    DEFAULT_CSS = """
    OneLine { height: 1; width: 1fr; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    def __init__(self, content: Content | None = None, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._content = content or Content()

    def show(self, content: Content) -> None:
        """Show `content`, which the caller has cut to the width of the line."""
        if not content.is_same(self._content):
            self._content = content
            self.refresh(layout=False)

    def render(self) -> Content:
        """The line."""
        return self._content


class KeyLine(OneLine):
    """The footer: the screen's keys that work now, from its bindings; a click on one does what the key does.

    If not all fit, keys that act on the selection are dropped last; those in `_ALWAYS` are never dropped.
    """

    DEFAULT_CSS = """
    KeyLine.-behind { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, Binding]] = []

    def on_mount(self) -> None:
        """Redraw whenever the available keys change."""
        self.screen.bindings_updated_signal.subscribe(self, self._renew)
        self._renew(self.screen)

    def on_resize(self) -> None:
        """Redraw for the new width."""
        self._renew(self.screen)

    def renew(self) -> None:
        """Redraw the keys."""
        self._renew(self.screen)

    def _renew(self, screen: Screen[object]) -> None:
        if screen is not self.screen or not self.is_attached:
            return
        if self.app.screen is not screen:  # a dialog is in front: these keys do not work now
            self._places = []
            self.show(Content())
            return
        found = [b for b in help_view.usable(screen.active_bindings.values()) if b.show]
        width = self.size.width or self.app.size.width
        last = help_view.footer([b for b in found if b.id in _ALWAYS], width)
        first = sorted((b for b in found if b.id not in _ALWAYS), key=_rank)
        keys = [*help_view.footer(first, width - sum(p.width for p in last)), *last]
        self._places, at = [], 0
        for part in keys:
            self._places.append((at, at + part.width, part.binding))
            at += part.width
        self.show(line(*(part.said for part in keys), width=width))

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        event.stop()
        for first, last, binding in self._places:
            if first <= event.x < last:
                await compat.press(self.app, binding)
                return


class NewsLine(OneLine):
    """The line above the footer: what happened last. On a low screen, it stands in the place of the keys at first."""

    DEFAULT_CSS = """
    NewsLine { background: $background; }
    """

    def __init__(self) -> None:
        super().__init__(id="news")
        self._news = News()
        self._rev = -1
        self._was_low = False
        self.drawn = 0

    def on_mount(self) -> None:
        """Draw the rule."""
        self.call_after_refresh(self.on_resize)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._rev = -1
        self.draw(self._news, fresh=self.display)

    def draw(self, news: News, *, fresh: bool) -> None:
        """Draw the line if something was said, or if its time is over; costs nothing otherwise.

        `fresh` says that there are news of the last seconds, which a low screen shows.
        """
        self._news = news
        low = self.app.size.height < _LOW
        shown = fresh and bool(news.answered or news.items) if low else True
        if self.display is not shown:
            self.display = shown
        for keys in self.screen.query(KeyLine) if low or self._was_low else ():
            keys.set_class(low and shown, "-behind")
        self._was_low = low
        if news.rev != self._rev:
            self._rev = news.rev
            self.drawn += 1
            width = self.size.width or self.app.size.width
            self.show(news_view.draw(news, width, rule=not low, events=_leads_to_events(self.screen)))


def _leads_to_events(screen: Screen[object]) -> bool:
    """Returns True if the screen has the key of the events."""
    found = (binding for kind in type(screen).__mro__ for binding in kind.__dict__.get("BINDINGS", ()))
    return any(isinstance(binding, Binding) and binding.id == "view.events" for binding in found)


def _rank(binding: Binding) -> int:
    name = binding.id or ""
    return _RANKS.get(name, {"task": 1, "log": 2, "run": 3}.get(name.partition(".")[0], 4))
