"""One row of the tree as pieces of text, each with the name of a style: the name first, then why, then figures."""

from __future__ import annotations

import msgspec
from rich.cells import cell_len

from nova_core.runs.words import AT_WORK, Shown
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

NAME = 40  # cells that a name gets before anything else does
_TIME, _BAR, _PERCENT, _TOKENS, _COST = 8, 10, 5, 12, 10
_WITH_BAR = 60  # cells of a row from which a running task has a bar
_LEAST_NOTE = 8
_DEEPEST = 8  # cells before the name of a task in a group: figures of all rows stand in one column


class Columns(msgspec.Struct, frozen=True):
    """The width of a row; `wide` rows have tokens, and cost if anything is `priced`, after the name; others have them
    instead of the time where that is the order, `dear`."""

    width: int
    wide: bool = False
    spent: bool = False
    priced: bool = False
    dear: bool = False


class _Figures(msgspec.Struct, frozen=True):
    """What a row shows besides its name and its note."""

    time: str = ""
    share: float | None = None
    used: str = ""
    cost: str = ""


def draw(model: ViewModel, row: Row, columns: Columns, *, is_open: bool = True, hit: bool = False) -> Pieces:
    """A row, exactly as wide as its columns."""
    if row.place.task is not None:
        return _task(model, row, row.place.task, columns, hit)
    return _node(model, row, columns, is_open)


def is_live(shown: Shown) -> bool:
    """Returns True if rows of this state change with time."""
    return shown in (*AT_WORK, Shown.RETRYING)


def _node(model: ViewModel, row: Row, columns: Columns, is_open: bool) -> Pieces:
    """A branch or a group with its totals."""
    place, sums = row.place, members.rollup(model, row.place)
    shown = members.shown(sums)
    fold = chars().open if is_open else chars().closed
    name = place.group if place.group is not None else place.branch
    count = f"  {sums.completed:,}/{sums.total:,}"
    lead = f"{'  ' * row.depth}{fold} "
    room = columns.width - len(lead) - 2
    took, used = sums.duration(model.now), sums.tokens.total
    figures = _Figures(
        duration(took) if took else "", None, tokens(used) if used else "", sums.cost if sums.priced else ""
    )
    text = shorten(name or "(no name)", min(room, max(NAME, room - _TIME)) - len(count)) + count
    return [(lead, MUTED), (f"{glyph(shown)} ", shown.key), *_rest((text, TITLE), "", figures, room, columns, MUTED)]


def _task(model: ViewModel, row: Row, task_id: str, columns: Columns, hit: bool) -> Pieces:
    state, shown, elapsed = model.task(task_id), model.shown(task_id), model.elapsed(task_id)
    lead = "" if row.flat else "  " * row.depth + "  "
    room = max(0, columns.width - len(lead) - 2)
    branch = plain(row.place.branch) if row.flat else ""
    said = f"{note(model, task_id)}  {branch}".strip()
    used = state.token_usage.total
    time = "" if elapsed is None or state.skipped else duration(elapsed)
    cost = costs(state.cost_usd, estimated=state.estimated) if state.cost_usd is not None else ""
    figures = _Figures(time, _share(state), tokens(used) if used else "", cost)
    quiet = MUTED if shown in (Shown.COMPLETED, Shown.SKIPPED, Shown.WAITING, Shown.BLOCKED) else ""
    name = plain(f"{task_id} {model.cascade.tasks[task_id].name}")
    text = name, HIT if hit else ""
    style = shown.key if shown in (Shown.FAILED, Shown.ASKS, Shown.APPROVAL, Shown.CANCELLED) else quiet
    return [
        (lead, ""),
        (f"{glyph(shown)} ", shown.key),
        *_dimmed(_rest(text, said, figures, room, columns, quiet, style), branch),
    ]


def _dimmed(pieces: Pieces, branch: str) -> Pieces:
    """The pieces of a row in a flat list, the branch after its note in dim colours, unless it was cut."""
    said, style = pieces[1] if branch and len(pieces) > 1 else ("", "")
    head, found, tail = said.rpartition(f"  {branch}")
    whole = bool(found) and not tail.strip()
    return [pieces[0], (head, style), (found + tail, MUTED), *pieces[2:]] if whole else pieces


def _rest(
    named: tuple[str, str], said: str, figures: _Figures, room: int, columns: Columns, quiet: str, style: str = MUTED
) -> Pieces:
    """Name, note and figures in `room` cells. A note may use the room of all figures but those of a running task."""
    name, name_style = named
    right = _fitting(figures, columns, quiet, room - min(NAME, cell_len(name)))
    wide = _width(right)
    if said and figures.share is None and cell_len(name) + cell_len(said) + 3 + wide > room:
        right, wide = [], 0
    if said:
        half = room // 2 if not right else room - wide
        name = shorten(name, max(1, min(room - wide, max(min(NAME, half), room - wide - cell_len(said) - 2))))
    left = room - wide - cell_len(name) - 2
    if said and left >= min(_LEAST_NOTE, cell_len(said)):
        return [(name, name_style), (f"  {fit(said, left)}", style), *right]
    at = room - wide
    indent = columns.width - room
    at = min(at, max(NAME + _DEEPEST - indent, cell_len(name) + 1)) if columns.wide else at
    return _filled([(fit(name, at), name_style), *right], room)


def _fitting(figures: _Figures, columns: Columns, quiet: str, room: int) -> Pieces:
    """The figures that fit in `room` cells: all, those without a bar, the time, or none."""
    narrow = Columns(_WITH_BAR - 1, dear=columns.dear)
    choices = (
        _right(figures, columns, quiet),
        _right(figures, narrow, quiet),
        _right(msgspec.structs.replace(figures, share=None), narrow, quiet),
    )
    return next((pieces for pieces in choices if _width(pieces) + 1 <= room), [])


def _width(pieces: Pieces) -> int:
    return sum(cell_len(text) for text, _ in pieces)


def _filled(pieces: Pieces, room: int) -> Pieces:
    rest = room - _width(pieces)
    return [*pieces, (" " * rest, "")] if rest > 0 else pieces


def _right(figures: _Figures, columns: Columns, quiet: str) -> Pieces:
    """Progress of a running task and time; tokens and cost where rows are wide."""
    pieces: Pieces = []
    if figures.share is not None:
        if columns.width >= _WITH_BAR:
            done, rest = bar_cells(figures.share, _BAR)
            pieces += [(f" {done}", BAR), (rest, REST)]
        pieces.append((fit(f"{int(figures.share * 100)}%", _PERCENT, right=True), quiet))
    if columns.dear and not columns.wide:
        spent = figures.cost or (figures.used and f"{figures.used} tok")
        return [*pieces, (fit(spent, _TOKENS, right=True), quiet)] if spent else pieces
    if figures.time or columns.wide:
        pieces.append((fit(figures.time, _TIME, right=True), quiet))
    if columns.wide and columns.spent:
        pieces.append((fit(figures.used and f"{figures.used} tok", _TOKENS, right=True), quiet))
    if columns.wide and columns.priced:
        pieces.append((fit(figures.cost, _COST, right=True), quiet))
    return pieces


def _share(state: TaskState) -> float | None:
    """The share done of a running task, above 0 and below 1; None if there is nothing to draw."""
    if state.status is not TaskStatus.IN_PROGRESS or not state.is_running or not state.progress:
        return None
    return min(0.99, state.progress / 100) if state.progress > 0 else None


def note(model: ViewModel, task_id: str) -> str:
    """What a task is doing, or why it is not done, in a few words."""
    state, shown = model.task(task_id), model.shown(task_id)
    if shown is Shown.FAILED:
        return plain(model.failure(task_id))
    if shown is Shown.RUNNING:
        return plain(state.current_step)
    if shown is Shown.WAITING:
        asked = ", then approval" if model.cascade.tasks[task_id].approval == "before" else ""
        return f"after {', '.join(map(plain, model.unmet(task_id)[:4]))}{asked}"
    if shown is Shown.APPROVAL:
        return needs(state)
    return "" if shown is Shown.COMPLETED else plain(model.phrase(task_id))


def needs(state: TaskState) -> str:
    """What a task that needs approval has come to."""
    if state.status is TaskStatus.PENDING:
        return f"{Shown.APPROVAL} to start"
    if state.asks:
        return f"{Shown.APPROVAL}: {plain(state.asks)}"
    return f"{Shown.APPROVAL}: its work is done"
