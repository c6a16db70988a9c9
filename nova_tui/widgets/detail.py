"""Details of the selected row: title, reason for its state, and the status of its log."""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import MUTED, TITLE, chars, status, style_of
from nova_tui.views import detail, members
from nova_tui.views.line import line, plain, shorten
from nova_tui.views.members import Place
from nova_tui.views.why import hint, why
from nova_tui.widgets.one_line import OneLine

_LEAST_REASON = 24


class Detail(Vertical):
    """Two lines about a place, and a rule above its log. The lines are fixed, so that drawing needs no layout."""

    DEFAULT_CSS = """
    Detail { height: 3; width: 1fr; }
    Detail > #why, Detail > #rule { background: $background; }
    """

    def __init__(self, model: ViewModel, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.model = model
        self._whose = ""
        self._title, self._why, self._rule = OneLine(id="title"), OneLine(id="why"), OneLine(id="rule")

    def compose(self) -> ComposeResult:
        """Title, reason, rule."""
        yield self._title
        yield self._why
        yield self._rule

    def draw(self, place: Place, log_status: str) -> None:
        """Show a place."""
        width = self.size.width or self.app.size.width
        if place.task is None:
            self._title.show(members.title(self.model, place, width))
            self._why.show(line((" enter lists its members, h closes it", MUTED), width=width))
        else:
            self._title.show(_title(self.model, place.task, width))
            self._why.show(_why(self.model, place.task, width))
        self.draw_rule(log_status, width)

    def name_log(self, whose: str) -> None:
        """Name the task whose log is below the rule, if it is not the selected task."""
        self._whose = whose

    def draw_rule(self, log_status: str, width: int | None = None) -> None:
        """Draw the rule with the status of the log."""
        width = width or self.size.width or self.app.size.width
        self._rule.show(_rule(log_status, width, self._whose))


def _title(model: ViewModel, task_id: str, width: int) -> Content:
    """The full title or, if the name would be cut, only the name and the status."""
    whole = detail.title(model, task_id, width)
    name = plain(f"{task_id} {model.cascade.tasks[task_id].name}")
    if whole.plain.startswith(f" {name}  "):
        return whole
    tail = status(model.shown(task_id))
    return line(" ", (shorten(name, max(8, width - tail.cell_length - 3)), TITLE), "  ", tail, width=width)


def _why(model: ViewModel, task_id: str, width: int) -> Content:
    """The reason for the task's state, and the keys to press, which are kept whole if some of the reason still fits."""
    said, _ = why(model, task_id)
    keys = shorten(hint(model, task_id), width - _LEAST_REASON)
    reason = shorten("; ".join(text.strip() for text in said), width - cell_len(keys) - 4)
    return line(" ", (reason, style_of(model.shown(task_id))), (f"  {keys}", MUTED), width=width)


def _rule(status: str, width: int, whose: str) -> Content:
    rest = chars().rest
    tail = f" {status} {rest}" if status else ""
    head = f"{rest} log{shorten(whose, width - cell_len(tail) - 8)} "
    return line((f"{head}{rest * max(0, width - cell_len(head) - cell_len(tail))}{tail}", MUTED), width=width)
