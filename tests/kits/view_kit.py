"""The views as the screens compose them: a title, heads, lines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from textual.binding import Binding
from textual.content import Content

from nova_core.watch.view_model import ViewModel
from nova_tui import glyphs
from nova_tui.views import cost, deps, detail, events, members, summary, timeline
from nova_tui.views import help as help_view
from nova_tui.views.line import line
from nova_tui.views.members import Place

Draw = Callable[[ViewModel, int], Sequence[Content]]
_DETAILED: tuple[str, ...] = ("P4", "A2", "A4", "E2", "E4", "D2", "D3", "W1", "W2", "W3", "W4", "P3")
BINDINGS = [
    Binding("j,down", "move(1)", "Down", show=False, id="move.down"),
    Binding("enter", "open", "Open", id="move.open"),
    Binding("t", "view('timeline')", "Timeline", id="view.timeline"),
    Binding("dollar_sign", "view('cost')", "Cost", id="view.cost"),
    Binding("r", "retry", "Retry", id="task.retry"),
    Binding("x", "cancel", "Cancel", id="task.cancel"),
    Binding("p", "pause", "Pause", id="run.pause"),
    Binding("ctrl+p", "palette", "Palette", id="app.palette"),
    Binding("z", "nothing", "", id="app.nothing"),
]


def keyed() -> list[Binding]:
    """The bindings as Textual has them: one per key."""
    return list(Binding.make_bindings(BINDINGS))


def draw_timeline(model: ViewModel, width: int) -> list[Content]:
    """Title, axis and bars."""
    head, _, lines = timeline.lines(model, width, model.source.attempts)
    return [timeline.title(model, width), head, *lines]


def draw_deps(model: ViewModel, width: int) -> list[Content]:
    """Title, the tree of one task, and rails."""
    rows = deps.rows(model.cascade.dag)
    task = next(iter(model.cascade.tasks))
    shown = list(deps.lines(model, width, rows))
    return [deps.title(model, width), *deps.tree(model, task, width), deps.legend(rows, width), *shown]


def draw_waves(model: ViewModel, width: int) -> list[Content]:
    """Waves, as shown when there are too many rails."""
    rows = deps.rows(model.cascade.dag, 0)
    return [deps.title(model, width), deps.legend(rows, width), *deps.lines(model, width, rows)]


def draw_events(model: ViewModel, width: int) -> list[Content]:
    """Title and all events."""
    chosen = events.chosen(model.events, events.Only.ALL)
    shown = events.lines(chosen, model.cascade.tasks, width)
    return [events.title(len(chosen), events.Only.ALL, width), *shown]


def draw_cost(model: ViewModel, width: int) -> list[Content]:
    """Title and sums."""
    return [cost.title(width), *cost.lines(model, width)]


def draw_details(model: ViewModel, width: int) -> list[Content]:
    """Every kind of task, in one column."""
    ids = [i for i in _DETAILED if i in model.cascade.tasks] or list(model.cascade.tasks)
    found = []
    for task_id in ids:
        shown = detail.lines(model, task_id, width, model.source.attempts(task_id))
        found += [detail.title(model, task_id, width), *shown, Content()]
    return found


def draw_summary(model: ViewModel, width: int) -> list[Content]:
    """Title and sums."""
    return [summary.title(model, width), *summary.lines(model, width)]


def draw_members(model: ViewModel, width: int) -> list[Content]:
    """The project, its first branch, and that one's first group."""
    branch = next(iter(model.cascade.branches))
    places = (Place(), Place(branch), Place(branch, next(iter(model.cascade.branches[branch]))))
    found = []
    for place in places:
        shown = members.lines(model, members.members(model, place), width)
        found += [members.title(model, place, width), members.header(width), *shown, Content()]
    return found


def draw_help(model: ViewModel, width: int) -> list[Content]:
    """Keys and footer."""
    return [
        *help_view.lines(help_view.groups([(b, True) for b in keyed()]), width, 8),
        Content(),
        line(*(part.said for part in help_view.footer(keyed(), width))),
    ]


VIEWS: dict[str, Draw] = {
    "timeline": draw_timeline, "deps": draw_deps, "waves": draw_waves, "events": draw_events, "cost": draw_cost,
    "detail": draw_details, "summary": draw_summary, "members": draw_members, "help": draw_help,
}  # fmt: skip


@contextlib.contextmanager
def ascii_only() -> Iterator[None]:
    """Only ASCII is drawn."""
    glyphs.use_ascii(True)
    try:
        yield
    finally:
        glyphs.use_ascii(False)
