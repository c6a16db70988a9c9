"""The top line: the state of the run, in as many words as fit."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from nova_core.runs.words import COUNTED, RunWord, Shown, count, limited, run_word
from nova_core.state.holds import current_holds, left
from nova_core.text import duration, money, tokens
from nova_core.watch.source import LOOKING, EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ERROR, MUTED, SUCCESS, TITLE, WARNING, chars, glyph, style_of
from nova_tui.views.line import Piece, line, plain, shorten

# Where not every state has its word, these keep theirs longest: a person acts on them.
_FIRST = {Shown.RUNNING, Shown.APPROVAL, Shown.FAILED, Shown.BLOCKED}
# Without room for words, similar states are counted together.
_ALIKE = {
    Shown.VERIFYING: Shown.RUNNING, Shown.SKIPPED: Shown.COMPLETED,
    Shown.RETRYING: Shown.WAITING,
}  # fmt: skip
# Longest form first: level of wording, number of parts, with the estimate or without; the estimate goes before words.
_FORMS = (
    (4, 4, True), (3, 4, True), (3, 4, False), (3, 3, False), (2, 4, True), (2, 4, False), (2, 3, False),
    (1, 4, True), (1, 4, False), (0, 4, True), (0, 4, False), (0, 3, False), (0, 2, False), (0, 1, False),
)  # fmt: skip
_NEAR = 0.8  # share of the budget from which it is highlighted


def header(model: ViewModel, width: int, eta: float | None = None) -> Content:
    """The longest form that fits; `eta` is the minimum number of seconds remaining, None if unknown."""
    content = Content()
    for words, parts, estimate in _FORMS:
        content = _form(model, words, parts, eta if estimate else None)
        if content.cell_length <= width:
            return content
    return line(content, width=width)


def _form(model: ViewModel, words: int, parts: int, eta: float | None) -> Content:
    name = shorten(model.cascade.name, 24 if words > 2 else 14) if words else ""
    bar = (f" {chars().vertical} ", MUTED)
    groups: list[Sequence[Piece]] = [_counts(model, words), _spent(model, words), _time(model, words, eta)]
    groups.append(_workers(model, words))
    shown = [group for group in groups[:parts] if group]
    pieces: list[Piece] = [(f" {name}" if name else "", TITLE), *banner(model)]
    for number, group in enumerate(shown):
        pieces += [bar if number else " ", *group]
    return line(*pieces)


def banner(model: ViewModel) -> list[Piece]:
    """The most important word about the run, if there is one."""
    source = model.source
    if source.engine is EngineState.CRASHED:
        return [(" ENGINE FAILED ", f"bold reverse {ERROR}")]
    if model.stopping and source.engine is EngineState.RUNNING:
        return [(" STOPPING ", f"bold reverse {WARNING}")]
    word = state_of(model)
    if word is RunWord.RUNNING:
        return _limits(model)
    style = SUCCESS if word is RunWord.FINISHED else ERROR if word is RunWord.FAILED else WARNING
    pieces: list[Piece] = [(f" {word.upper()} ", f"bold reverse {style}")]
    if word is RunWord.PAUSED:
        pieces.append(("" if source.read_only else " p resumes ", WARNING))
    elif source.run.paused and word is not RunWord.FINISHED:
        pieces += [" ", (f" {RunWord.PAUSED.upper()} ", f"bold reverse {WARNING}")]
    return pieces


def state_of(model: ViewModel) -> RunWord:
    """What the run is doing."""
    source, project = model.source, model.rollups.project
    failed = bool(model.counts[Shown.FAILED]) and (source.engine is EngineState.FINISHED or not model.could_go_on)
    return run_word(
        engine=source.engine is EngineState.RUNNING, paused=source.run.paused, stopped=source.was_stopped,
        finished=project.completed == project.total, failed=failed,
    )  # fmt: skip


def _limits(model: ViewModel) -> list[Piece]:
    """The rate-limited provider whose limit ends first."""
    holds = current_holds(model.source.run, model.now)
    if not holds:
        return []
    name, hold = min(holds.items(), key=lambda item: left(item[1], model.now) or 1e12)
    return [(f" {plain(name)} {limited(hold.until, model.now)} ", f"bold reverse {WARNING}")]


def _counts(model: ViewModel, words: int) -> list[Piece]:
    """Tasks per state, with words, with those that a person acts on, or by marks alone."""
    pieces: list[Piece] = []
    counts = dict(model.counts)
    if words < 4:
        for shown, into in _ALIKE.items():
            counts[into] += counts[shown]
            counts[shown] = 0
    for shown in COUNTED:
        if number := counts[shown]:
            said = count(number, shown) if words > 2 or (words == 2 and shown in _FIRST) else f"{number:,}"
            pieces.append((f" {glyph(shown)} {said}", style_of(shown)))
            pieces.append(" " if words == 4 else "")
    return pieces


def _spent(model: ViewModel, words: int) -> list[Piece]:
    """Tokens, and US dollars against the budget; a question mark means missing prices."""
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
    """Elapsed time, and the minimum time remaining."""
    pieces: list[Piece] = [duration(model.wall_seconds) + (" elapsed" if words > 3 else "")]
    over = model.rollups.project.completed == model.rollups.project.total
    if eta and not over and model.source.engine is EngineState.RUNNING:
        pieces.append((f"  {'ETA at least ' if words else '>'}{duration(eta)}", MUTED))
    return pieces


def _workers(model: ViewModel, words: int) -> list[Piece]:
    busy = model.counts[Shown.RUNNING] + model.counts[Shown.VERIFYING]
    looking: list[Piece] = [(LOOKING, MUTED)] if model.source.read_only and words else []
    over = model.rollups.project.completed == model.rollups.project.total
    if over or model.source.engine is not EngineState.RUNNING:
        return looking
    of = f"/{model.source.jobs}" if model.source.jobs else ""
    return [f"{'workers ' if words else ''}{busy}{of}", "  " if looking else "", *looking]
