"""The rule above the log: whose log it is, how its task is doing, and the status of the log."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.content import Content

from nova_core.runs.words import Shown, word
from nova_core.text import duration
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import MUTED, TITLE, chars, glyph, status, style_of
from nova_tui.views import members
from nova_tui.views.line import line, plain, shorten
from nova_tui.views.members import Place
from nova_tui.widgets.one_line import OneLine

_LEAST_NAME = 12


class Detail(OneLine):
    """One line about a place, which is also the border between the tree and the log. Drawing it needs no layout."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Detail { background: $background; }
    """

    def __init__(self, model: ViewModel, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.model = model
        self._place, self._whose = Place(), ""
        self.is_dragged = False  # since the mouse button went down

    def draw(self, place: Place, log_status: str) -> None:
        """Show a place."""
        self._place = place
        self.draw_rule(log_status)

    def name_log(self, whose: str) -> None:
        """Name the task whose log is below the rule, if it is not the selected task."""
        self._whose = whose

    def draw_rule(self, log_status: str) -> None:
        """Draw the rule with the status of the log."""
        width = self.size.width or self.app.size.width
        self.show(rule(self.model, self._place, self._whose, log_status, width))

    async def on_click(self, event: events.Click) -> None:
        """Change the share of the log, as its key does."""
        event.stop()
        if not self.is_dragged:
            await self.screen.run_action("width")


def rule(model: ViewModel, place: Place, whose: str, log_status: str, width: int) -> Content:
    """The whole line; the last parts of the log's status are dropped before the name is cut."""
    rest = chars().rest
    if place.task is None or place.task not in model.cascade.tasks:
        name, state = _of_node(model, place), line((f"log{whose}", MUTED)) if whose else Content()
    else:
        name = plain(f"{place.task} {model.cascade.tasks[place.task].name}")
        state = _state(model, place.task)
    head = line((f"{rest} ", MUTED))
    room = width - head.cell_length - state.cell_length - 3
    while log_status and cell_len(log_status) + 24 >= room:
        log_status = log_status.rpartition("  ")[0]
    tail = f" {log_status} {rest}" if log_status else ""
    name = shorten(name, max(_LEAST_NAME, room - cell_len(tail)))
    said = line(head, (name, TITLE), "  " if state else "", state, " ")
    return line(said, (rest * max(0, width - said.cell_length - cell_len(tail)) + tail, MUTED), width=width)


def _of_node(model: ViewModel, place: Place) -> str:
    if place.branch is None or place.branch not in model.cascade.branches:
        return plain(model.cascade.name)
    sums = members.rollup(model, place)
    name = place.group if place.group is not None else place.branch
    return plain(f"{name or '(no name)'}  {sums.completed:,}/{sums.total:,}")


def _state(model: ViewModel, task_id: str) -> Content:
    """The status, with the exit code of a failure, and the time."""
    state, shown = model.task(task_id), model.shown(task_id)
    said = word(state, shown)
    if shown is Shown.FAILED and state.exit_code:
        said += f", exit code {state.exit_code}"
    if shown is Shown.BLOCKED:
        return line((f"{glyph(shown)} {said}", style_of(shown)))
    pieces = [status(shown, said)]
    if (elapsed := model.elapsed(task_id)) is not None and not state.skipped:
        pieces.append(Content.styled(f"  {duration(elapsed)}", MUTED))
    if state.attempt > 1:
        pieces.append(Content.styled(f"  attempt {state.attempt}", MUTED))
    return line(*pieces)
