"""The line above everything: how the run stands, in as many words as fit."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from nova_core.runs.rollup import Shown
from nova_core.state.holds import current_holds, left
from nova_core.text import duration, money, tokens
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ERROR, MUTED, SUCCESS, TITLE, WARNING, chars, glyph, style_of
from nova_tui.views.line import Piece, line, plain, shorten

_ORDER = (
    Shown.RUNNING, Shown.VERIFYING, Shown.APPROVAL, Shown.FAILED, Shown.CANCELLED, Shown.BLOCKED, Shown.RETRYING,
    Shown.READY, Shown.WAITING, Shown.COMPLETED, Shown.SKIPPED,
)  # fmt: skip
_SHORT = {
    Shown.RUNNING: "run", Shown.VERIFYING: "check", Shown.APPROVAL: "asks", Shown.RETRYING: "retry",
    Shown.WAITING: "wait", Shown.COMPLETED: "done", Shown.SKIPPED: "skip", Shown.CANCELLED: "cancel",
    Shown.BLOCKED: "block", Shown.FAILED: "fail",
}  # fmt: skip
# Where there is no room for words, what is nearly the same is counted together.
_ALIKE = {
    Shown.VERIFYING: Shown.RUNNING, Shown.SKIPPED: Shown.COMPLETED,
    Shown.RETRYING: Shown.WAITING,
}  # fmt: skip
# From the fullest: how wordy, how many of the parts, and whether with the estimate, which goes before the words do.
_FORMS = (
    (3, 4, True), (2, 4, True), (2, 4, False), (2, 3, False),
    (1, 4, True), (1, 4, False), (0, 4, True), (0, 4, False), (0, 3, False), (0, 2, False), (0, 1, False),
)  # fmt: skip
_NEAR = 0.8  # of the budget, from where on it is marked


def header(model: ViewModel, width: int, eta: float | None = None) -> Content:
    """The fullest form that fits; `eta` is how many seconds there are to go at least, None if nobody knows."""
    content = Content()
    for words, parts, estimate in _FORMS:
        content = _form(model, words, parts, eta if estimate else None)
        if content.cell_length <= width:
            return content
    return line(content, width=width)


def _form(model: ViewModel, words: int, parts: int, eta: float | None) -> Content:
    name = shorten(model.cascade.name, 24 if words >= 2 else 14) if words else ""
    bar = (f" {chars().vertical} ", MUTED)
    groups: list[Sequence[Piece]] = [_counts(model, words), _spent(model, words), _time(model, words, eta)]
    groups.append(_workers(model, words))
    shown = [group for group in groups[:parts] if group]
    pieces: list[Piece] = [(f" {name}" if name else "", TITLE), *banner(model)]
    for number, group in enumerate(shown):
        pieces += [bar if number else " ", *group]
    return line(*pieces)


def banner(model: ViewModel) -> list[Piece]:
    """The word that must not be missed, if there is one."""
    source, project = model.source, model.rollups.project
    if source.engine is EngineState.CRASHED:
        return [(" ENGINE FAILED ", f"bold reverse {ERROR}")]
    if model.stopping and source.engine is EngineState.RUNNING:
        return [(" STOPPING ", f"bold reverse {WARNING}")]
    holds = current_holds(source.run, model.now)
    if source.engine is EngineState.RUNNING and holds and not source.run.paused:
        name, hold = min(holds.items(), key=lambda item: left(item[1].until, model.now) or 1e12)
        wait = left(hold.until, model.now)
        when = f" in {duration(wait)}" if wait is not None else " not used"
        return [(f" {plain(name)}{when} ", f"bold reverse {WARNING}")]
    if source.engine is EngineState.RUNNING:
        told = "" if source.read_only else " p resumes "
        return [(" PAUSED ", f"bold reverse {WARNING}"), (told, WARNING)] if source.run.paused else []
    if project.completed == project.total:
        return [(" COMPLETE ", f"bold reverse {SUCCESS}")]
    paused: list[Piece] = [" ", (" PAUSED ", f"bold reverse {WARNING}")] if source.run.paused else []
    return [_halted(model), *paused]


def _halted(model: ViewModel) -> Piece:
    """The word for a run that is not at work, and not completed."""
    source = model.source
    if source.was_stopped:
        return " STOPPED ", f"bold reverse {WARNING}"
    if model.counts[Shown.FAILED] and (source.engine is EngineState.FINISHED or not model.could_go_on):
        return " FAILED ", f"bold reverse {ERROR}"
    word = " ENDED " if source.engine is EngineState.FINISHED else " NOT RUNNING "
    return word, f"bold reverse {WARNING}"


def _counts(model: ViewModel, words: int) -> list[Piece]:
    """How many tasks are what; with words, or by their marks alone."""
    pieces: list[Piece] = []
    counts = dict(model.counts)
    if words < 3:
        for shown, into in _ALIKE.items():
            counts[into] += counts[shown]
            counts[shown] = 0
    for shown in _ORDER:
        if number := counts[shown]:
            word = {3: f" {shown.value}", 2: f" {_SHORT.get(shown, shown.value)}"}.get(words, "")
            pieces.append((f" {glyph(shown)} {number:,}{word}", style_of(shown)))
            pieces.append(" " if words == 3 else "")
    return pieces


def _spent(model: ViewModel, words: int) -> list[Piece]:
    """Tokens, and dollars against the budget; what has no price is told by a question mark."""
    project = model.rollups.project
    if not project.tokens.total:
        return [(f"budget {money(model.budget)}", MUTED)] if model.budget is not None and words > 1 else []
    spent, budget = project.cost_usd, model.budget
    cost = project.cost
    style = ""
    if budget is not None:
        cost += f"/{money(budget)}"
        share = (spent or 0.0) / budget if budget else 1.0
        style = f"bold {ERROR}" if share >= 1 else f"bold {WARNING}" if share >= _NEAR else ""
        cost += " OVER" if share >= 1 else ""
    return [f"{tokens(project.tokens.total)} tok  ", (cost, style)]


def _time(model: ViewModel, words: int, eta: float | None) -> list[Piece]:
    """How long it runs, and how long it will at least."""
    pieces: list[Piece] = [duration(model.wall_seconds) + (" elapsed" if words > 2 else "")]
    over = model.rollups.project.completed == model.rollups.project.total
    if eta and not over and model.source.engine is EngineState.RUNNING:
        pieces.append((f"  {'ETA at least ' if words else '>'}{duration(eta)}", MUTED))
    return pieces


def _workers(model: ViewModel, words: int) -> list[Piece]:
    busy = model.counts[Shown.RUNNING] + model.counts[Shown.VERIFYING]
    looking: list[Piece] = [("looking only", MUTED)] if model.source.read_only and words else []
    over = model.rollups.project.completed == model.rollups.project.total
    if over or model.source.engine is not EngineState.RUNNING:
        return looking
    of = f"/{model.source.jobs}" if model.source.jobs else ""
    return [f"{'workers ' if words else ''}{busy}{of}", "  " if looking else "", *looking]
