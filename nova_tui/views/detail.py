"""All details of one task, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content

from nova_core.console.lines import LocalClock
from nova_core.files.log_gap import words as left_out
from nova_core.model import Task
from nova_core.runs.words import Shown, failure_text, word
from nova_core.state.database import AttemptRow
from nova_core.state.schema import Reason, TaskState, TaskStatus
from nova_core.text import costs, duration, tokens
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ERROR, MUTED, SUCCESS, TITLE, chars, glyph, status, style_of
from nova_tui.views.line import Piece, fit, heading, line, plain, shorten, wrapped
from nova_tui.views.why import why

_LABEL = 11
_FILES = 12
_APPROVAL = {"before": "before it starts", "after": "when its work is done"}


def title(model: ViewModel, task_id: str, width: int) -> Content:
    """Id, name, status, time, tokens and cost in one line."""
    task, state = model.cascade.tasks[task_id], model.task(task_id)
    facts = [f"  {duration(elapsed)}"] if (elapsed := model.elapsed(task_id)) is not None else []
    if state.token_usage.total:
        facts.append(f"  {tokens(state.token_usage.total)} tok  {costs(state.cost_usd, estimated=state.estimated)}")
    shown = model.shown(task_id)
    tail = line(status(shown, word(state, shown)), *facts)
    name = shorten(f"{task.id} {task.name}", max(8, width - tail.cell_length - 3))
    return line(" ", (name, TITLE), "  ", tail, width=width)


def lines(
    model: ViewModel, task_id: str, width: int, attempts: Sequence[AttemptRow] = (), log_cut: int = 0
) -> list[Content]:
    """All details of a task; `attempts` are the ended ones of all runs, oldest first; `log_cut` bytes of its log were
    cut out."""
    task, state = model.cascade.tasks[task_id], model.task(task_id)
    attempts = [a for a in attempts if a.run == model.source.run.id]
    parts = (
        _status(model, task_id, width),
        _facts(model, task, state, width, left_out(log_cut)),
        _attempts(model, state, attempts, width),
        _checks(task, state, width),
        _usage(state, width),
        _links(model, task, width),
        _files(state, width),
        _plan(task, width),
    )
    return [entry for part in parts if part for entry in part]


def _field(label: str, *pieces: Piece, width: int) -> Content:
    return line((f" {label:<{_LABEL}}", MUTED), *pieces, width=width)


def _status(model: ViewModel, task_id: str, width: int) -> list[Content]:
    shown = model.shown(task_id)
    said, steps = why(model, task_id)
    rows = [_field("status", status(shown, word(model.task(task_id), shown)), width=width)]
    for number, text in enumerate(said):
        rows += _folded("" if number else "why", text, width, style_of(shown) if not number else "")
    for number, text in enumerate(steps):
        rows += _folded("" if number else "next", text, width)
    return rows


def _folded(label: str, text: str, width: int, style: str = "") -> list[Content]:
    """A field whose text may take several lines."""
    rows = wrapped(text, width, " " * (_LABEL + 1), style)
    if not rows:
        return []
    first = _field(label, rows[0][_LABEL + 1 :], width=width)
    return [first, *rows[1:]]


def _facts(model: ViewModel, task: Task, state: TaskState, width: int, lost: str) -> list[Content]:
    """Times, worker, log and commit; unknown ones are omitted."""
    at = LocalClock()
    times = f"started {at(state.started_at)}" if state.started_at else ""
    if state.completed_at:
        times += f", ended {at(state.completed_at)}"
    if (elapsed := model.elapsed(task.id)) is not None and times:
        times += f" ({duration(elapsed)})"
    worker = f"{state.worker_id}, pid {state.pid}" if state.pid else state.worker_id
    fields = (
        ("time", times),
        ("step", state.current_step),
        ("progress", f"{state.progress} %" if state.progress is not None else ""),
        ("worker", worker),
        ("agent", " ".join(plain(part) for part in (state.agent, state.model) if part) if state.agent else ""),
        ("session", state.session_id),
        ("verdict", state.verdict and state.verdict.replace("_", " ")),
        ("left", state.handoff),
        ("log", "  ".join(filter(None, (f"{model.source.project.logs}/{state.log}", lost))) if state.log else ""),
        ("tree", state.tree),
        ("commit", state.commit_sha and state.commit_sha[:12]),
    )
    return [_field(label, shorten(text, width - _LABEL - 2), width=width) for label, text in fields if text]


def _plan(task: Task, width: int) -> list[Content]:
    """The task's settings in the plan."""
    limit = f"{duration(task.timeout)}" if task.timeout else ""
    place = " / ".join(dict.fromkeys(p for p in (task.branch, task.group) if p))
    fields = (
        ("what", task.description), ("in", place), ("agent", task.agent), ("model", task.model),
        ("command", task.command), ("timeout", limit), ("locks", ", ".join(task.locks)),
        ("approval", _APPROVAL.get(task.approval, task.approval)),
    )  # fmt: skip
    rows = [row for label, text in fields if text for row in _folded(label, text, width)]
    return [heading("Plan", width), *rows] if rows else []


def _attempts(model: ViewModel, state: TaskState, over: Sequence[AttemptRow], width: int) -> list[Content]:
    """Every attempt with its time and outcome."""
    if not state.attempt:
        return []
    at = LocalClock()
    rows = [_attempt(row, at, width) for row in over if row.attempt <= state.attempt]
    if state.has_worker:
        shown = Shown.VERIFYING if state.verifying else Shown.RUNNING
        begun = at(state.started_at) if state.started_at else "--:--:--"
        doing = fit(plain(state.current_step) or shown.value, max(0, width - 27))
        mark = (glyph(shown), style_of(shown))
        rows.append(line(f" {state.attempt:>3}  ", mark, f" {begun}      now  ", doing, width=width))
    return [heading("Attempts", width), *rows]


def _attempt(row: AttemptRow, at: LocalClock, width: int) -> Content:
    shown = _ended_as(row)
    begun = at(row.started_at) if row.started_at else "--:--:--"
    took = fit(duration(row.elapsed), 8, right=True)
    money_spent = f"  {costs(row.cost_usd, estimated=row.estimated)}" if row.input_tokens + row.output_tokens else ""
    said = _outcome(row) + money_spent
    return line(f" {row.attempt:>3}  ", (glyph(shown), style_of(shown)), f" {begun} {took}  ", plain(said), width=width)


def _ended_as(row: AttemptRow) -> Shown:
    if row.status == TaskStatus.COMPLETED:
        return Shown.COMPLETED
    return Shown.CANCELLED if row.reason == Reason.CANCELLED else Shown.FAILED


def _outcome(row: AttemptRow) -> str:
    """The outcome of an attempt, with its exit code or signal unless the text contains it."""
    if row.status == TaskStatus.COMPLETED:
        return "completed"
    text = failure_text(row.reason, row.error)
    if row.signal is not None and "signal" not in text:
        return f"{text} (signal {row.signal})"
    if row.exit_code is not None and "exit code" not in text:
        return f"{text} (exit code {row.exit_code})"
    return text


def _usage(state: TaskState, width: int) -> list[Content]:
    """Tokens by class, and their cost."""
    usage = state.token_usage
    if not usage.total:
        return []
    classes = (
        ("input", usage.input_tokens), ("output", usage.output_tokens), ("cache read", usage.cache_read_tokens),
        ("cache creation", usage.cache_creation_tokens),
    )  # fmt: skip
    top = max(number for _, number in classes)
    share = max(0, min(24, width - 34))
    rows = [
        line(f" {word:<16}{number:>13,}  ", (_tally(number / top, share), MUTED), width=width)
        for word, number in classes
    ]
    return [heading("Tokens", width), *rows, line(f" {'all':<16}{usage.total:>13,}", width=width), _cost(state, width)]


def _tally(share: float, width: int) -> str:
    return chars().full * (max(1, round(share * width)) if share else 0)


def _cost(state: TaskState, width: int) -> Content:
    """The basis of the cost: the agent's own figure, list prices, or no price; exact or estimated."""
    if state.cost_usd is None:
        model = plain(state.model) or "the model"
        return _field("cost", (f"? no known price for {model}", MUTED), width=width)
    basis = _BASIS.get(state.cost_basis or "", "at list prices")
    certain = "estimated: stopped before it reported all" if state.estimated else "exact tokens"
    told = f"  {basis}; {certain}" if state.agent else f"  {basis}"
    return _field("cost", costs(state.cost_usd, estimated=state.estimated), (told, MUTED), width=width)


_BASIS = {
    "agent": "reported by the agent",
    "agent_guess": "guessed by the agent: it does not know the model",
    "nearest_price": "at the price of another version of the model",
}


def _checks(task: Task, state: TaskState, width: int) -> list[Content]:
    """Outputs and criteria, each with its verdict."""
    rows = [_verdict(_output(name, state), "MISSING", name, width) for name in task.outputs]
    for number, criterion in enumerate(task.criteria, 1):
        known = criterion.command is None or criterion.command in criterion.text
        proof = "" if known else f"  `{criterion.command}`"
        rows.append(_verdict(_criterion(number, criterion.text, state), "NOT MET", criterion.text + proof, width))
    return [heading("Outputs and criteria", width), *rows] if rows else []


def _verdict(holds: bool | None, wrong: str, text: str, width: int) -> Content:
    marks = {True: (Shown.COMPLETED, "holds  ", SUCCESS), False: (Shown.FAILED, wrong, ERROR)}
    shown, word, style = marks[holds] if holds is not None else (Shown.WAITING, "open   ", MUTED)
    return line(" ", (f"{glyph(shown)} {word}", style), f"  {plain(text)}", width=width)


def _output(name: str, state: TaskState) -> bool | None:
    if state.status is TaskStatus.COMPLETED and not state.skipped:
        return True
    return False if state.reason is Reason.MISSING_OUTPUTS and name in (state.error or "") else None


def _criterion(number: int, text: str, state: TaskState) -> bool | None:
    if number in state.criteria_met:
        return True
    failed = state.reason is Reason.CHECK_FAILED and text in (state.error or "")
    return False if failed else None


def _links(model: ViewModel, task: Task, width: int) -> list[Content]:
    """Dependencies and dependents, with their status."""
    dag = model.cascade.dag
    below = [dag.ids[i] for i in dag.dependents[dag.index[task.id]]]
    rows = [*_linked(model, "needs", task.depends_on, width), *_linked(model, "frees", below, width)]
    return [heading("Dependencies", width), *rows] if rows else []


def _linked(model: ViewModel, label: str, ids: Iterable[str], width: int, most: int = 20) -> list[Content]:
    ids = list(ids)
    rows = []
    for number, task_id in enumerate(ids[:most]):
        name = plain(f"{task_id} {model.cascade.tasks[task_id].name}")
        rows.append(_field("" if number else label, status(model.shown(task_id)), f"  {name}", width=width))
    return rows + ([_field("", (f"and {len(ids) - most} more", MUTED), width=width)] if len(ids) > most else [])


def _files(state: TaskState, width: int) -> list[Content]:
    """The files the attempt changed."""
    names = state.files_changed
    if not names:
        return []
    rows = [line(f" {plain(name)}", width=width) for name in names[:_FILES]]
    more = [line((f" and {len(names) - _FILES} more", MUTED), width=width)] if len(names) > _FILES else []
    return [heading(f"Files changed ({len(names)})", width), *rows, *more]
