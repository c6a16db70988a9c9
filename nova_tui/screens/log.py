"""One task's log on the whole screen, of its latest attempt or of an older one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen

from nova_core.clock import Clock
from nova_tui.glyphs import MUTED, TITLE
from nova_tui.views.line import line, plain, shorten
from nova_tui.widgets.log_pane import LogPane
from nova_tui.widgets.log_view import LogView
from nova_tui.widgets.one_line import KeyLine, OneLine


class LogScreen(Screen[None]):
    """Shows the log at `path`, the latest attempt's; `attempts` are the logs of the older ones, oldest first.

    The owner calls `poll` a few times a second. `describe` returns what stands in the heading after the task's id: its
    name and status, as safe content; it is called at each `poll`. A new attempt is told with `set_attempts`.
    """

    DEFAULT_CSS = """
    LogScreen.-short KeyLine { display: none; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (12, "-tall")]  # noqa: RUF012 - as in Screen
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", id="app.back"),
        Binding("left_square_bracket", "attempt(-1)", "Older attempt", id="log.older"),
        Binding("right_square_bracket", "attempt(1)", "Newer attempt", id="log.newer"),
    ]

    def __init__(
        self, task_id: str, path: Path, attempts: Sequence[Path] = (), *,
        describe: Callable[[], Content | str] | None = None, clipboard: Path | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.task_id = task_id
        self._describe = describe or str
        self._logs = [*attempts, path]
        self._chosen = len(attempts)
        self.pane = LogPane(path, clipboard=clipboard, clock=clock)
        self._heading = OneLine(id="heading")

    @property
    def acts_on(self) -> str:
        """The task keys act on."""
        return self.task_id

    @property
    def view(self) -> LogView:
        """The log itself."""
        return self.pane.view

    def compose(self) -> ComposeResult:
        """Heading, log, keys."""
        yield self._heading
        yield self.pane
        yield KeyLine()

    def on_mount(self) -> None:
        """Keys go to the log."""
        self.view.focus()
        self.say()

    def poll(self) -> None:
        """Look at the log and at the task."""
        self.view.poll()
        self.say()

    @on(LogView.Changed)
    @on(LogView.FollowChanged)
    def say(self) -> None:
        """Write the heading again, if it says something else."""
        self._heading.show(self._text())

    def _text(self) -> Content:
        """The task at the left, where the log stands at the right."""
        width = max(10, self.size.width)
        status = shorten(self.view.status(), width - min(cell_len(self.task_id), width // 3) - 4)
        described = self._describe()
        about = described if isinstance(described, Content) else Content(plain(described))
        number = f"  attempt {self._chosen + 1}/{len(self._logs)}" if len(self._logs) > 1 else ""
        room = width - cell_len(status) - 3
        task = line((f" {plain(self.task_id)}", TITLE), number, "  ", about, width=max(0, room))
        return Content.assemble(task, " " * max(1, room + 2 - task.cell_length), (status, MUTED), " ")

    def set_attempts(self, attempts: Sequence[Path]) -> None:
        """The logs of the attempts before the latest one, oldest first; who looks at the latest one stays there."""
        latest = self._chosen == len(self._logs) - 1
        self._logs = [*attempts, self._logs[-1]]
        self._chosen = len(attempts) if latest else min(self._chosen, len(attempts))
        self.refresh_bindings()
        self.say()

    def action_attempt(self, by: int) -> None:
        """To an older or a newer attempt."""
        self._chosen = min(max(self._chosen + by, 0), len(self._logs) - 1)
        self.view.set_path(self._logs[self._chosen])
        self.refresh_bindings()
        self.say()

    def action_back(self) -> None:
        """To where one came from."""
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Attempts can be chosen where there are several."""
        if action == "attempt":
            return 0 <= self._chosen + (-1 if parameters == (-1,) else 1) < len(self._logs)
        return True
