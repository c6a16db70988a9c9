"""The timeline: a line per attempt on a time axis, with the critical path and the current time marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import msgspec
from textual.content import Content

from nova_core.plan.scheduler import weights
from nova_core.runs.words import Shown
from nova_core.state.database import AttemptRow
from nova_core.state.run_clock import began as start_of
from nova_core.state.run_clock import began_at
from nova_core.state.schema import Reason, TaskState, TaskStatus
from nova_core.text import duration
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ACTIVE, MUTED, TITLE, WARNING, chars, glyph, halves, style_of
from nova_tui.views.cuts import Span, between, gaps, inside, scaled
from nova_tui.views.line import Lazy, Piece, fit, line, shorten

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_TICK = 9  # cells of an axis label
_NAMES = 36  # cells of a task with its id
_WITH_CUT = 60  # minimum width for the legend to explain cuts
_SMALLEST = 10.0  # seconds
Attempts = Callable[[str], Sequence[AttemptRow]]


class Window(msgspec.Struct, frozen=True):
    """The part of the run shown: `span` seconds (None: all) that end `back` seconds before now."""

    span: float | None = None
    back: float = 0.0

    def zoomed(self, factor: float, whole: float) -> Window:
        """The window with a `factor` times longer span and the same end, in a run of `whole` seconds."""
        span = (self.span or whole) * factor
        return Window(None) if span >= whole else Window(max(_SMALLEST, span), self.back)

    def moved(self, share: float, whole: float) -> Window:
        """The window moved by `share` of its span, towards the past if negative."""
        if self.span is None:
            return self
        return Window(self.span, min(max(0.0, self.back - share * self.span), max(0.0, whole - self.span)))


class Row(msgspec.Struct, frozen=True):
    """One attempt of a task; `latest` marks the latest attempt."""

    task_id: str
    attempt: int
    latest: bool


class _Bar(msgspec.Struct, frozen=True):
    start: float
    end: float
    shown: Shown


class Chart(msgspec.Struct, frozen=True):
    """The columns and the time they show, in seconds on the run's clock; `origin` is the start of the run. Each of the
    idle `cuts` is one cell wide."""

    names: int
    cells: int
    start: float
    end: float
    now: float
    origin: float
    cuts: tuple[Span, ...] = ()

    @property
    def span(self) -> float:
        """The length of the shown time, in seconds."""
        left = self.end - self.start - sum(end - begin for begin, end in self.cuts)
        return max(left, 0.001) * self.cells / max(1, self.cells - len(self.cuts))

    def half(self, at: float) -> int:
        """The half cell of a time."""
        passed = scaled(at, self.start, self.cuts, self.span / self.cells)
        return math.floor(passed / self.span * 2 * self.cells + 1e-6)


def began(model: ViewModel) -> float:
    """The earliest time on the timeline, on the run's clock."""
    starts = (start_of(model.task(i)) for i in model.cascade.tasks)
    known = [began_at(None, model.source.project_state.started_at), *starts]
    return min([model.now, *(start for start in known if start is not None)])


def critical_path(model: ViewModel) -> frozenset[str]:
    """Ids of the longest chain, by the time tasks took so far or are expected to take. O(V + E)."""
    dag = model.cascade.dag
    history = {i: model.task(i).elapsed for i in dag.ids if model.task(i).status is TaskStatus.COMPLETED}
    history = {i: took for i, took in history.items() if took}
    return frozenset(dag.critical_path(weights(dag, model.cascade.tasks, history)))


def rows(model: ViewModel) -> list[Row]:
    """A row for every attempt, in plan order."""
    tasks = ((i, model.task(i)) for i in model.cascade.tasks)
    return [Row(i, n, n == t.attempt) for i, t in tasks for n in range(1, t.attempt + 1) if t.started_at]


def idle(model: ViewModel, attempts: Attempts) -> tuple[Span, ...]:
    """Long idle periods of the run. O(attempts): call it rarely."""
    found = (_bar(model, model.task(row.task_id), row, attempts) for row in rows(model))
    first = began(model)
    return gaps(((b.start, b.end) for b in found if b), first, first + max(model.run_seconds, 1.0))


def chart(
    model: ViewModel,
    width: int,
    window: Window = Window(),  # noqa: B008 - frozen
    cuts: Sequence[Span] = (),
) -> Chart:
    """The columns and the axis for a screen of `width` cells."""
    origin = began(model)
    first, last = origin, origin + max(model.run_seconds, 1.0)
    if window.span is not None:
        last -= window.back
        first = max(first, last - window.span)
    names = max(12, min(_NAMES, width // 3))
    return Chart(names, max(8, width - names - 12), first, last, model.now, origin, inside(cuts, first, last))


def header(drawn: Chart, width: int) -> Content:
    """The axis, with times counted from the start of the run."""
    labels = [" "] * drawn.cells
    free = 0
    for cell, at in _ticks(drawn):
        text = _label(at - drawn.origin)
        if free <= cell <= drawn.cells - len(text):
            labels[cell : cell + len(text)] = text
            free = cell + len(text) + 1
    return line(fit("  TASK", drawn.names + 2), ("".join(labels), MUTED), fit("TIME", 8, right=True), width=width)


def _label(offset: float) -> str:
    """The label of a time on the axis: `0`, `30s`, `10m`, `1h30`."""
    minutes, rest = divmod(round(offset), 60)
    hours, minutes = divmod(minutes, 60)
    if rest:
        return f"{60 * hours + minutes}m{rest:02}" if hours or minutes else f"{rest}s"
    if hours:
        return f"{hours}h{minutes:02}" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else "0"


def _ticks(drawn: Chart) -> list[tuple[int, float]]:
    """Cells and times at round intervals from the start of the run, far enough apart for their labels."""
    least = drawn.span / max(1, drawn.cells // _TICK)
    step = next((s for s in _STEPS if s >= least), math.ceil(least / 86_400) * 86_400)
    moments = []
    for begin, end in between(drawn.cuts, drawn.start, drawn.end):
        first, last = (math.ceil((at - drawn.origin) / step) for at in (begin, end))
        moments += [drawn.origin + n * step for n in range(first, last)]
    return [(drawn.half(at) // 2, at) for at in moments]


def draw(
    model: ViewModel, row: Row, drawn: Chart, width: int, attempts: Attempts, critical: Collection[str] = ()
) -> Content:
    """One attempt as a line."""
    state = model.task(row.task_id)
    found = _bar(model, state, row, attempts)
    name = f"{row.task_id} {model.cascade.tasks[row.task_id].name}" if row.attempt == 1 else f"{row.task_id} retry"
    name = name if row.attempt == 1 else f"{name} {row.attempt - 1}"
    mark = (chars().critical, WARNING) if row.task_id in critical else " "
    text = (f"{fit(name, drawn.names - 1)} ", TITLE if row.task_id in critical else "")
    if found is None:
        return line(mark, " ", text, (_grid(drawn), MUTED), width=width)
    took = fit(duration(found.end - found.start), 8, right=True)
    end = (f" {glyph(found.shown)}", style_of(found.shown))
    return line(mark, " ", text, _cells(found, drawn), took, end, width=width)


def _bar(model: ViewModel, state: TaskState, row: Row, attempts: Attempts) -> _Bar | None:
    """When the attempt ran and how it ended; None if unknown."""
    if not row.latest:
        run = model.source.run.id
        over = next((a for a in attempts(row.task_id) if a.attempt == row.attempt and a.run == run), None)
        start = began_at(over.began, over.started_at) if over else None
        if over is None or start is None:
            return None
        failed = Shown.CANCELLED if over.reason == Reason.CANCELLED else Shown.FAILED
        return _Bar(start, start + over.elapsed, Shown.COMPLETED if over.status == "completed" else failed)
    start = start_of(state)
    if start is None:
        return None
    return _Bar(start, model.now if state.has_worker else start + state.elapsed, model.shown(row.task_id))


def _cells(found: _Bar, drawn: Chart) -> Content:
    """The bar over the grid; its last cell shows the outcome, unless it succeeded."""
    first, last = drawn.half(found.start), max(drawn.half(found.end), drawn.half(found.start) + 1)
    first, last = max(0, first), min(2 * drawn.cells, last)
    grid = _grid(drawn)
    if last <= first:
        return Content.styled(grid, MUTED)
    left, right = first // 2, (last + 1) // 2
    body = halves(first - 2 * left, last - 2 * left, right - left)
    if found.shown is not Shown.COMPLETED and found.end <= drawn.end:
        body = body[:-1] + glyph(found.shown)
    style = style_of(found.shown) if found.shown is not Shown.RUNNING else ACTIVE
    return Content.assemble((grid[:left], MUTED), (body, style), (grid[right:], MUTED))


def _grid(drawn: Chart) -> str:
    """Dots at the ticks, and the line of the current time if it is in the window."""
    cells = [" "] * drawn.cells
    for cell, _ in _ticks(drawn):
        if 0 < cell < drawn.cells:
            cells[cell] = chars().dot
    for begin, _ in drawn.cuts:
        cells[min(drawn.half(begin) // 2, drawn.cells - 1)] = chars().cut
    now = drawn.half(drawn.now) // 2
    if 0 <= now - 1 < drawn.cells and now <= drawn.cells:
        cells[now - 1] = chars().now
    return "".join(cells)


def lines(
    model: ViewModel,
    width: int,
    attempts: Attempts,
    *,
    window: Window = Window(),  # noqa: B008 - frozen
    critical: Collection[str] | None = None,
    cuts: Sequence[Span] | None = None,
) -> tuple[Content, list[Row], Sequence[Content]]:
    """The axis, the rows, and their lines, which are drawn on access."""
    drawn, found = chart(model, width, window, idle(model, attempts) if cuts is None else cuts), rows(model)
    marked = critical_path(model) if critical is None else critical
    return (
        header(drawn, width),
        found,
        Lazy(len(found), lambda i: draw(model, found[i], drawn, width, attempts, marked)),
    )


def title(
    model: ViewModel,
    width: int,
    window: Window = Window(),  # noqa: B008 - frozen
    cuts: Sequence[Span] = (),
) -> Content:
    """The title: the shown part of the run, and the meaning of the marks."""
    span = "the whole run" if window.span is None else f"{duration(window.span)} of {duration(model.run_seconds)}"
    back = f", until {duration(window.back)} ago" if window.back else ""
    cut: list[Piece] = ["  ", (chars().cut, MUTED), " nothing ran"] if cuts and width >= _WITH_CUT else []
    legend = line((chars().critical, WARNING), " critical path  ", (chars().now, MUTED), " now", *cut)
    text = shorten(f" Timeline  {span}{back}", max(0, width - legend.cell_length - 2))
    space = " " * max(1, width - len(text) - legend.cell_length - 1)
    return line((text, TITLE), space, legend, width=width)
