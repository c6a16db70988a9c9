"""The two lines at the top: how far the run is, and how many tasks are in which state; each figure with its word."""

from __future__ import annotations

import msgspec
from textual.content import Content

from nova_core.runs.merging import landing_lines
from nova_core.runs.words import AT_WORK, COUNTED, RunWord, Shown, limited, run_word, tally
from nova_core.state.holds import current_holds, left
from nova_core.state.windows import fullest_window
from nova_core.text import about, duration, money, number_of, tokens
from nova_core.watch.source import LOOKING, EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ERROR, MUTED, SUCCESS, TITLE, WARNING, bar, style_of
from nova_tui.views.line import Piece, line, plain, shorten

# Which states keep their figure longest where not all fit: a person acts on the first ones.
_FIRST = (
    Shown.ASKS, Shown.APPROVAL, Shown.FAILED, Shown.RUNNING, Shown.BLOCKED, Shown.COMPLETED, Shown.WAITING,
    Shown.CANCELLED, Shown.MERGING, Shown.VERIFYING, Shown.RETRYING, Shown.READY, Shown.SKIPPED,
)  # fmt: skip
_HEAD = (Shown.ASKS, Shown.APPROVAL, Shown.FAILED, Shown.CANCELLED, Shown.BLOCKED)
_ORDER = (*_HEAD, *(shown for shown in COUNTED if shown not in _HEAD))
# On a small screen, similar states are counted together.
_ALIKE = {
    Shown.VERIFYING: Shown.RUNNING, Shown.MERGING: Shown.RUNNING, Shown.SKIPPED: Shown.COMPLETED,
    Shown.RETRYING: Shown.WAITING, Shown.READY: Shown.WAITING,
}  # fmt: skip
_WIDE = 100  # cells from which there is room between the figures
_LEAST_BAR, _MOST_BAR = 8, 34
_NEAR = 0.8  # share of the budget from which it is highlighted


class _Form(msgspec.Struct, frozen=True):
    """What the first line holds: cells of the name, long words or short ones, and which figures."""

    name: int
    long: bool = False
    spent: bool = True
    left: bool = True
    workers: bool = True
    time: bool = True


_FORMS = (
    _Form(40, long=True), _Form(28), _Form(16), _Form(28, spent=False), _Form(16, spent=False),
    _Form(16, spent=False, left=False), _Form(16, spent=False, left=False, workers=False),
    _Form(12, spent=False, left=False, workers=False), _Form(12, spent=False, left=False, workers=False, time=False),
)  # fmt: skip


def header(model: ViewModel, width: int, eta: float | None = None) -> Content:
    """Both lines; `eta` is the number of seconds the rest will probably take, None if unknown."""
    return Content("\n").join([progress(model, width, eta), counts(model, width)])


def progress(model: ViewModel, width: int, eta: float | None = None) -> Content:
    """The run, its tasks done of all, time, tokens and cost, workers: the longest form that fits, around a bar."""
    for form in _FORMS:
        found = _line(model, form, width, eta)
        if found.cell_length <= width:
            return found
    return line(found, width=width)


def _line(model: ViewModel, form: _Form, width: int, eta: float | None) -> Content:
    gap = "   " if form.long and width >= _WIDE else "  "
    head = line((f" {shorten(model.cascade.name, form.name)}", TITLE), *banner(model))
    done, total = progress_of(model)
    figures: list[list[Piece]] = [[f"{done:,}/{total:,} done"]]
    figures += [_time(model, form, eta)] if form.time else []
    figures += [_spent(model, form)] if form.spent else []
    figures += [_workers(model, form)] if form.workers else []
    tail = line(*(piece for group in figures if group for piece in (gap, *group)))
    room = min(_MOST_BAR, width - head.cell_length - tail.cell_length - 3)
    share = done / total if total else 1.0
    middle: list[Piece] = [" ", bar(share, room)] if room >= _LEAST_BAR and 0 < share < 1 else []
    return line(head, *middle, tail)


def progress_of(model: ViewModel) -> tuple[int, int]:
    """The number of tasks that are done, and of all; gates are not counted."""
    done = model.counts[Shown.COMPLETED] + model.counts[Shown.SKIPPED]
    return done, sum(model.counts.values())


def banner(model: ViewModel) -> list[Piece]:
    """The most important word about the run, if there is one."""
    source = model.source
    if source.uncommitted:  # there is a question
        return [" ", (" NOT STARTED ", f"bold reverse {WARNING}")]
    if source.engine is EngineState.CRASHED:
        return [" ", (" ENGINE FAILED ", f"bold reverse {ERROR}")]
    if model.stopping and source.engine is EngineState.RUNNING:
        return [" ", (" STOPPING ", f"bold reverse {WARNING}")]
    word = state_of(model)
    if word is RunWord.RUNNING:
        return _limits(model)
    style = SUCCESS if word is RunWord.FINISHED else ERROR if word is RunWord.FAILED else WARNING
    pieces: list[Piece] = [" ", (f" {word.upper()} ", f"bold reverse {style}")]
    if word is RunWord.PAUSED:
        pieces.append(("" if source.read_only else " p resumes", WARNING))
    elif source.run.paused and word is not RunWord.FINISHED:
        pieces += [" ", (f" {RunWord.PAUSED.upper()} ", f"bold reverse {WARNING}")]
    if landing_lines(source.run.git):
        pieces += [" ", (" NOT LANDED ", f"bold reverse {WARNING}")]
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
        return _window(model)
    name, hold = min(holds.items(), key=lambda item: left(item[1], model.now) or 1e12)
    return [" ", (f" {plain(name)} {limited(hold.until, model.now)} ", f"bold reverse {WARNING}")]


def _window(model: ViewModel) -> list[Piece]:
    """The limit of which most is used, if that is much."""
    found = fullest_window(model.source.run, model.now)
    return [] if found is None or found[0] < _NEAR else [" ", (plain(found[1]), f"bold {WARNING}")]


def _spent(model: ViewModel, form: _Form) -> list[Piece]:
    """Tokens, and US dollars against the budget; in words where something has no price."""
    project = model.rollups.project
    budget = money(model.budget) if model.budget is not None else ""
    if not project.tokens.total:
        return [(f"budget {budget}", MUTED)] if budget and form.long else []
    used = f"{tokens(project.tokens.total)} tok"
    if project.cost_usd is None:
        return [used, (", no price", MUTED)] if form.long else [used]
    cost, style = project.cost, ""
    if form.long and project.unpriced:
        cost = cost.removesuffix("+?") + " and unpriced"
    if model.budget is not None:
        share = project.cost_usd / model.budget if model.budget else 1.0
        style = f"bold {ERROR}" if share >= 1 else f"bold {WARNING}" if share >= _NEAR else ""
        cost += f" of {budget}" + (" OVER" if share >= 1 else "")
    return [f"{used}, ", (cost, style)]


def _time(model: ViewModel, form: _Form, eta: float | None) -> list[Piece]:
    """Elapsed time, and the probable time remaining if it is known."""
    pieces: list[Piece] = [duration(model.wall_seconds)]
    if eta and form.left and model.source.engine is EngineState.RUNNING:
        pieces.append((f", {'about ' if form.long else '~'}{about(eta)} left", MUTED))
    return pieces


def _workers(model: ViewModel, form: _Form) -> list[Piece]:
    """The number of busy workers, of how many."""
    looking: list[Piece] = [(LOOKING, MUTED)] if model.source.read_only else []
    if model.source.engine is not EngineState.RUNNING:
        return looking
    busy, jobs = sum(model.counts[shown] for shown in AT_WORK), model.source.jobs
    words = f"{busy:,}/{number_of(jobs, 'worker')}" if jobs else number_of(busy, "worker")
    return [words, "  " if looking else "", *looking]


def counts(model: ViewModel, width: int) -> Content:
    """The number of tasks in each state, and the keys that lead to them."""
    numbers = dict(model.counts)
    if width < _WIDE:
        for shown, into in _ALIKE.items():
            numbers[into] += numbers[shown]
            numbers[shown] = 0
    gap = "   " if width >= _WIDE else "  "
    words = {shown: tally(numbers[shown], shown) for shown in _FIRST if numbers[shown]}
    kept: list[Shown] = []
    for shown in words:
        if len(gap.join(words[s] for s in (*kept, shown))) < width:
            kept.append(shown)
    pieces: list[Piece] = [" "]
    for shown in sorted(kept, key=_ORDER.index):
        pieces += [gap if len(pieces) > 1 else "", (words[shown], style_of(shown))]
    found = line(*pieces)
    keys = _keys(model, width - found.cell_length - 3)
    return line(found, " " * (width - found.cell_length - len(keys) - 1), (keys, MUTED)) if keys else found


def _keys(model: ViewModel, room: int) -> str:
    """The keys for what needs a person and for what runs, as many as fit."""
    running = min(9, len(model.running()))
    to_running = "" if not running else "1 running" if running == 1 else f"1-{running} running"
    what = "that needs you" if model.approvals else "failed"
    to_needing = f"tab next {what}" if model.needing() else ""
    for said in ("  ".join(filter(None, (to_needing, to_running))), to_needing, to_needing and "tab next"):
        if said and len(said) <= room:
            return said
    return ""


def state_at(text: str, x: int) -> Shown | None:
    """The state whose figure is at cell `x` of the second line, whose text is `text`."""
    for shown in Shown:
        word = tally(0, shown).removesuffix(" 0")
        at = text.find(f" {word} ")
        if at >= 0 and at < x <= at + len(word) + 1 + len(text[at + len(word) + 2 :].split(" ")[0]):
            return shown
    return None
