"""The base of view screens: a title, lines, a footer; keys to go back, to search and to open other views."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.glyphs import TITLE, is_ascii
from nova_tui.screens import open_task, open_view
from nova_tui.screens.run_screen import RunScreen
from nova_tui.views.line import LEFT, line, plain
from nova_tui.widgets.lines_view import LinesView
from nova_tui.widgets.one_line import KeyLine, OneLine


class ViewScreen(RunScreen):
    """A screen that shows lines of the model, redrawn once a second while in front.

    Subclasses draw their content in `draw`, which is not called once the subject of the screen has left the plan.
    """

    DEFAULT_CSS = """
    ViewScreen { layout: vertical; background: $background; }
    ViewScreen > #axis { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", id="app.back"),
        Binding("slash", "search", "Search", key_display="/", id="view.search"),
        Binding("n", "search_again(1)", "Next match", show=False, id="view.next"),
        Binding("N", "search_again(-1)", "Previous match", show=False, id="view.previous"),
        Binding("t", "view('timeline')", "Timeline", id="view.timeline"),
        Binding("d", "view('deps')", "Dependencies", id="view.deps"),
        Binding("e", "view('events')", "Events", id="view.events"),
        Binding("dollar_sign", "view('cost')", "Cost", key_display="$", id="view.cost"),
        Binding("question_mark", "keys", "Help", key_display="?", id="app.help"),
    ]
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-short"), (16, "-tall")]  # noqa: RUF012 - as in Screen
    FOLLOW: ClassVar[bool] = False
    AXIS: ClassVar[bool] = False
    VIEW: ClassVar[str] = ""

    def __init__(self, model: ViewModel, task_id: str | None = None) -> None:
        super().__init__(model, classes="-ascii" if is_ascii() else None)
        self.given_task = task_id
        self.heading = OneLine(id="title")
        self.axis = OneLine(id="axis")
        self.view = LinesView(follow=self.FOLLOW, id="lines")
        self._wanted = ""

    def compose(self) -> ComposeResult:
        """Title, column headings if any, lines, keys."""
        yield self.heading
        if self.AXIS:
            yield self.axis
        yield self.view
        yield self.news_line
        yield KeyLine()

    def redraw(self) -> None:
        """Draw the current model, or that its subject left the plan."""
        if self.is_gone:
            self.say(line((f" {plain(self.subject)}", TITLE), f"  {LEFT}", width=self.room))
            self.view.show([line(f" {LEFT}: esc goes back", width=self.view.room)])
        else:
            self.draw()

    def draw(self) -> None:
        """Draw the current model; each screen implements it."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """The name of what the screen shows, for when it has left the plan."""
        return self.given_task or ""

    @property
    def selected_task(self) -> str | None:
        """The task with which other views open."""
        return _as_task(self.view.key) or self.given_task

    @property
    def acts_on(self) -> str | None:
        """The task keys act on; only a task under a visible cursor."""
        return _as_task(self.view.key)

    # updates while in front

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Redraw once a second, and when the plan changes."""
        if tick or dirty.everything:
            self.redraw()
        self.renew_keys()

    def on_screen_resume(self) -> None:
        """Redraw when in front again."""
        self.call_after_refresh(self.redraw)

    def on_resize(self) -> None:
        """Redraw for the new width."""
        self.call_after_refresh(self.redraw)

    # keys

    def action_back(self) -> None:
        """Go back one screen."""
        self.app.pop_screen()

    def action_search(self) -> None:
        """Ask for a text, and go to the next line that contains it."""
        from nova_tui.screens.ask import AskScreen

        self.app.push_screen(AskScreen("Search", self._wanted), self._search)

    def _search(self, text: str | None) -> None:
        if text:
            self._wanted = text
            self.action_search_again(1)

    def action_search_again(self, step: int) -> None:
        """Go to the next or the previous line that contains the text."""
        if self._wanted and not self.view.find(self._wanted, step):
            self.notify(f"nothing contains {plain(self._wanted)}", severity="warning", markup=False)

    def action_view(self, name: str) -> None:
        """Replace this view with another view of the run; `escape` then returns to where this view was opened."""
        self.app.switch_screen(open_view(name, self.model, self.selected_task))

    def action_keys(self) -> None:
        """Show the keys that work here."""
        from nova_tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen.of(self))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable keys that do nothing: for this view itself, and for the next match before a search."""
        if action == "view":
            return parameters != (self.VIEW,)
        return bool(self._wanted) if action == "search_again" else True

    def on_lines_view_opened(self, message: LinesView.Opened) -> None:
        """Open a task on its own screen."""
        task_id = _as_task(message.key)
        if task_id is not None:
            self.app.push_screen(open_task(self.model, task_id))

    def on_lines_view_chosen(self, message: LinesView.Chosen) -> None:
        """Update the keys for the new line."""
        self.refresh_bindings()

    @property
    def room(self) -> int:
        """Cells of the title and of other full-width lines."""
        return self.size.width or self.app.size.width

    def say(self, title: Content) -> None:
        """Set the title."""
        self.heading.show(title)


def _as_task(key: Hashable | None) -> str | None:
    """The task of a line's key: the key itself, or the first item of a tuple; None for other keys."""
    if isinstance(key, tuple) and key:
        key = key[0]
    return key if isinstance(key, str) else None
