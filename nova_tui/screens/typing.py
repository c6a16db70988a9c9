"""A worker's terminal: keys go to the worker, until ctrl+] leaves."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nova_core.command import Command, CommandKind
from nova_core.files.own_task import person
from nova_core.watch.allowed import why_not_type
from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.glyphs import ACTIVE, MUTED, TITLE, WARNING
from nova_tui.screens.run_screen import RunScreen
from nova_tui.typed_keys import bytes_of, pasted
from nova_tui.views.line import LEFT, line, plain
from nova_tui.widgets.one_line import OneLine
from nova_tui.widgets.terminal_view import TerminalView

LEAVES = "ctrl+right_square_bracket"
_ALSO_LEAVES = ("escape", "q")  # once nobody reads keys any more
_LOOK = 0.04  # seconds between looks at the log: what is typed is seen only when the worker has printed it
_MOST_AT_ONCE = 32 << 10  # characters of one command


class TypingScreen(RunScreen):
    """Shows the terminal of a task and passes on every key and paste; the terminal gets the size of the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEAVES, "back", "Leave", key_display="ctrl+]", id="typing.leave"),
    ]

    def __init__(self, model: ViewModel, task_id: str) -> None:
        super().__init__(model)
        self._into = task_id
        self._heading = OneLine()
        self.view = TerminalView(model.source.project.latest_log(task_id))
        self._who = person()

    @property
    def acts_on(self) -> str:
        """The task that is typed into."""
        return self._into

    @property
    def is_gone(self) -> bool:
        """True if the task is no longer in the plan."""
        return self._into not in self.model.cascade.tasks

    def compose(self) -> ComposeResult:
        """Heading, terminal, news."""
        yield self._heading
        yield self.view
        yield self.news_line

    def on_mount(self) -> None:
        """Follow the terminal."""
        self.set_interval(_LOOK, self.view.poll)
        self.call_after_refresh(self._fit)

    def on_resize(self) -> None:
        """Give the terminal the new size."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        if self.view.fit(self.view.size):
            columns, rows = self.view.emulator.size
            self._send(CommandKind.RESIZE, f"{columns}x{rows}")
        self.view.poll()
        self._say()

    def take(self, dirty: Dirty, tick: bool) -> None:
        """Show what has come of the task."""
        self._say()

    def _say(self) -> None:
        width = self.size.width or self.app.size.width
        if why := self._why_not():
            said = line((f" {plain(self._into)}", TITLE), f"  {why}", ("  esc leaves", MUTED), width=width)
        else:
            name = plain(self.model.cascade.tasks[self._into].name)
            said = line(
                (f" typing into {plain(self._into)}", f"bold {ACTIVE}"), " - ", ("ctrl+] leaves", f"bold {WARNING}"),
                (f"  {name}", MUTED), width=width,
            )  # fmt: skip
        self._heading.show(said)

    def _why_not(self) -> str:
        return LEFT if self.is_gone else why_not_type(self.model, self._into)

    def take_input(self, event: events.Key | events.Paste) -> bool:
        """Pass a key or a paste to the worker; returns False for a key of this screen."""
        if isinstance(event, events.Paste):
            self._type(pasted(event.text, bracketed=self.view.emulator.brackets_pastes))
            return True
        if event.key == LEAVES:
            return False
        if self._why_not():
            if event.key in _ALSO_LEAVES:
                self.action_back()
            return True
        self._type(bytes_of(event.key, event.character, application=self.view.emulator.application_keys))
        return True

    def _type(self, data: bytes) -> None:
        for at in range(0, len(data), _MOST_AT_ONCE):
            self._send(CommandKind.TYPE, data[at : at + _MOST_AT_ONCE].decode("latin-1"))

    def _send(self, kind: CommandKind, text: str) -> None:
        if not self._why_not():
            self.model.source.send(Command(kind, (self._into,), text, by=self._who))

    def action_back(self) -> None:
        """Leave; the worker keeps its terminal."""
        self.dismiss()
