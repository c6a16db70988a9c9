"""One row of the tree as pieces of text, each with the name of a style, in columns that fit the width."""

from __future__ import annotations

import msgspec
from rich.cells import cell_len

from nova_core.console.lines import failure_text
from nova_core.runs.words import Shown, phrase
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.text import costs, duration, tokens
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import bar_cells, chars, glyph
from nova_tui.rows import Row
from nova_tui.views import members
from nova_tui.views.line import fit, plain, shorten

Pieces = list[tuple[str, str]]
TITLE, MUTED, HIT, DONE, BAR, REST = "title", "muted", "hit", "done", "bar", "rest"
STYLES = (TITLE, MUTED, HIT, DONE, BAR, REST, *(shown.key for shown in Shown))

_TIME, _BAR, _SHORT_BAR, _PERCENT, _TOKENS, _COST, _STEP = 8, 11, 8, 5, 8, 10, 24
_LEAST_NAME, _LEAST_NOTE = 24, 12
_SHARE_OF_NAME, _SHARE_BESIDE_COST = 0.56, 0.4


class Columns(msgspec.Struct, frozen=True):
    """The number of columns that fit (time, bar, percent, tokens, cost), and the widths of name, bar and step."""

    name: int
    count: int
    bar: int = _BAR
    step: int = 0

    @property
    def instead(self) -> int:
        """Cells of bar and percent, where a note can replace them."""
        return self.bar + (_PERCENT if self.count > 2 else 0)

    @classmethod
    def of(cls, width: int, *, spent: bool) -> Columns:
        """The columns that fit in `width` cells; the last ones are dropped first. Unless something was `spent` (not in
        a plan of shell commands), tokens and cost have no column."""
        share = _SHARE_BESIDE_COST if spent else _SHARE_OF_NAME
        room = width - max(min(width, _LEAST_NAME), round(width * share))
        rest = (_PERCENT, _TOKENS, _COST) if spent else (_PERCENT,)
        bar = _BAR if _TIME + _BAR + sum(rest) <= room else _SHORT_BAR
        count = used = 0
        for cells in (_TIME, bar, *rest):
            if used + cells > room:
                break
            count, used = count + 1, used + cells
        step = room - used if count == 2 + len(rest) and room - used >= _STEP else 0
        return cls(width - used - step, count, bar, step)


def head(columns: Columns, said: str = "") -> str:
    """The column headings; after the first one, a note about the rows."""
    done = "  PROGRESS " if columns.bar == _BAR else "   DONE "
    cells = ("    WORK", done, "    %", "  TOKENS", "      COST")
    step = fit("  NOW", columns.step) if columns.step else ""
    return fit(f" TASK  {said}", columns.name) + "".join(cells[: columns.count]) + step


def draw(model: ViewModel, row: Row, columns: Columns, *, is_open: bool = True, hit: bool = False) -> Pieces:
    """A row, exactly as wide as its columns."""
    if row.place.task is not None:
        return _task(model, row, row.place.task, columns, hit)
    return _node(model, row, columns, is_open)


def is_live(shown: Shown) -> bool:
    """Returns True if rows of this state change with time."""
    return shown in (Shown.RUNNING, Shown.VERIFYING, Shown.RETRYING)


def _node(model: ViewModel, row: Row, columns: Columns, is_open: bool) -> Pieces:
    """The project, a branch or a group with its totals."""
    place, sums = row.place, members.rollup(model, row.place)
    shown = members.shown(sums)
    fold = chars().open if is_open else chars().closed
    name = model.cascade.name if place.branch is None else place.group if place.group is not None else place.branch
    count = f"  {sums.completed:,}/{sums.total:,}"
    lead = f"{'  ' * row.depth}{fold} "
    text = shorten(name or "(no name)", columns.name - len(lead) - 2 - len(count)) + count
    used = sums.tokens.total
    took = sums.duration(model.now)
    return [
        (lead, MUTED), (f"{glyph(shown)} ", shown.key), (fit(text, columns.name - len(lead) - 2), TITLE),
        *_figures(columns, duration(took) if took else "", sums.progress, tokens(used) if used else "",
                  sums.cost if used else "", TITLE),
        *_step(columns, ""),
    ]  # fmt: skip


def _task(model: ViewModel, row: Row, task_id: str, columns: Columns, hit: bool) -> Pieces:
    state, shown, elapsed = model.task(task_id), model.shown(task_id), model.elapsed(task_id)
    lead = "  " * row.depth + "  "
    room = max(0, columns.name - len(lead) - 2)
    name = shorten(f"{task_id} {model.cascade.tasks[task_id].name}", room)
    said = note(model, task_id)
    used = state.token_usage.total
    quiet = MUTED if shown in (Shown.COMPLETED, Shown.SKIPPED, Shown.WAITING, Shown.BLOCKED) else ""
    beside = room - cell_len(name) - 1
    cramped = columns.count > 1 and not columns.step and beside < min(columns.instead, cell_len(said) + 1)
    instead = not _goes_on(shown) and (columns.count > 3 or cramped)
    here = "" if instead or columns.step else said
    there = said if instead else ""  # the name has little room, and the bar is not useful
    return [
        (lead, ""), (f"{glyph(shown)} ", shown.key), *_named(name, here, room, hit),
        *_figures(columns, "" if elapsed is None else duration(elapsed), _share(state), tokens(used) if used else "",
                  costs(state.cost_usd, estimated=state.estimated) if used else "", quiet, there),
        *_step(columns, said),
    ]  # fmt: skip


def _goes_on(shown: Shown) -> bool:
    """Returns True if a progress bar is useful in this state."""
    return shown in (Shown.RUNNING, Shown.VERIFYING, Shown.COMPLETED, Shown.SKIPPED)


def _named(name: str, said: str, room: int, hit: bool) -> Pieces:
    """Id and name, followed by the note if enough of it fits."""
    style = HIT if hit else ""
    rest = room - cell_len(name)
    if said and (rest >= _LEAST_NOTE or cell_len(said) + 2 <= rest):
        return [(name, style), (fit(f"  {said}", rest), MUTED)]
    return [(name, style), (" " * rest, "")]


def _figures(
    columns: Columns, time: str, share: float | None, used: str, cost: str, style: str, instead: str = ""
) -> Pieces:
    """The columns on the right; the note `instead` replaces the bar."""
    pieces: Pieces = [(fit(time, _TIME, right=True), style)]
    if instead:
        pieces.append((fit(f" {instead}", columns.instead), MUTED))
    elif columns.count > 1:
        done, rest = bar_cells(share or 0.0, columns.bar - 1)
        pieces += [(f" {done}", DONE if share == 1.0 else BAR), (rest, REST)]
    if columns.count > 2 and not instead:
        pieces.append((fit("" if share is None else f"{int(share * 100)}%", _PERCENT, right=True), style))
    if columns.count > 3:
        pieces.append((fit(used, _TOKENS, right=True), style))
    if columns.count > 4:
        pieces.append((fit(cost, _COST, right=True), style))
    return pieces if columns.count else []


def _step(columns: Columns, said: str) -> Pieces:
    return [(fit(f"  {said}", columns.step), MUTED)] if columns.step else []


def _share(state: TaskState) -> float | None:
    """The share done, 0 to 1; None if unknown."""
    if state.status is TaskStatus.COMPLETED:
        return 1.0
    return None if state.progress is None else min(0.99, max(0, state.progress) / 100)


def note(model: ViewModel, task_id: str) -> str:
    """What a task is doing, or why it is not done, in a few words."""
    state, shown = model.task(task_id), model.shown(task_id)
    if shown is Shown.FAILED:
        return failure_text(state.reason, state.error)
    if shown is Shown.RUNNING:
        return plain(state.current_step)
    if shown is Shown.WAITING:
        asked = ", then approval" if model.cascade.tasks[task_id].approval == "before" else ""
        return f"after {', '.join(map(plain, model.unmet(task_id)[:4]))}{asked}"
    return "" if shown is Shown.COMPLETED else plain(phrase(state, shown, model.now))
