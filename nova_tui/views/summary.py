"""The result of the run, final or so far: counts, time, tokens, cost, and every failure with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from nova_core.console.summary import cost_text, merging_of, time_line
from nova_core.engine.observers.milestones import Milestone
from nova_core.runs.merging import in_conflict, landing_lines, run_line
from nova_core.runs.words import Shown, go_on_line
from nova_core.text import tokens
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import MUTED, TITLE, bar, glyph, status, style_of
from nova_tui.views import milestones
from nova_tui.views.header import state_of
from nova_tui.views.line import heading, line, plain, wrapped
from nova_tui.views.why import inputs_first, reason

_MOST = 50


def title(model: ViewModel, width: int) -> Content:
    """The project and the state of the run."""
    failed = model.source.engine is EngineState.CRASHED
    word = "not started" if model.source.uncommitted else "stopped: the engine failed" if failed else state_of(model)
    return line((f" {plain(model.cascade.name)}", TITLE), f"  {word}", width=width)


def lines(model: ViewModel, width: int, plan: Sequence[Milestone] = ()) -> list[Content]:
    """The whole summary; `plan` are the milestones of the plan."""
    project = model.rollups.project
    share = max(8, min(40, width - 30))
    progress = line(
        " ", bar(project.progress, share), f"  {project.completed:,} of {project.total:,} done", width=width
    )
    broken = wrapped(model.source.error, width, " ", style_of(Shown.FAILED))
    return [
        *broken, progress, Content(), *_counts(model, width), Content(), *_sums(model, width), *_failures(model, width),
        *_held_up(model, width), *_to_come(model, width, plan), *_next(model, width),
    ]  # fmt: skip


def _counts(model: ViewModel, width: int) -> list[Content]:
    """Every state that occurs, side by side."""
    room = 22
    cells = [
        Content.assemble(f" {number:>5,} ", status(shown)).pad_right(max(0, room - 9 - len(shown.value)))
        for shown, number in model.counts.items()
        if number
    ]
    across = max(1, width // (room + 2))
    return [line(*cells[i : i + across], width=width) for i in range(0, len(cells), across)]


def _sums(model: ViewModel, width: int) -> list[Content]:
    project = model.rollups.project
    usage = project.tokens
    git, tasks = model.source.run.git, model.source.tasks
    merged = [run_line(git, tasks), *landing_lines(git if model.source.engine is not EngineState.RUNNING else None)]
    rows = [row for text in merged if text for row in wrapped(text, width, " ")]
    rows.append(line(f" {time_line(model.wall_seconds, model.work_seconds, merging_of(git))}", width=width))
    if usage.total:
        told = (
            f"{tokens(usage.input_tokens)} in, {tokens(usage.output_tokens)} out, "
            f"{tokens(usage.cache_read_tokens)} cache read, {tokens(usage.cache_creation_tokens)} cache written"
        )
        rows += [*wrapped(f"tokens: {told}", width, " ")]
        rows += [*wrapped(f"cost: {cost_text(project.cost_usd, bool(project.unpriced))}", width, " ")]
    return rows


def _of(model: ViewModel, *shown: Shown) -> list[str]:
    """The tasks in these states; of gates, only failed ones, as gates do no work."""
    tasks = model.cascade.tasks.items()
    return [i for i, t in tasks if (at := model.shown(i)) in shown and (not t.gate or at is Shown.FAILED)]


def _failures(model: ViewModel, width: int) -> list[Content]:
    """Each failed task with its reason, then cancelled ones."""
    rows = _named(model, "Failed", Shown.FAILED, width)
    return rows + _named(model, "Cancelled", Shown.CANCELLED, width)


def _named(model: ViewModel, word: str, kind: Shown, width: int) -> list[Content]:
    ids = _of(model, kind)
    rows = [heading(f"{word} ({len(ids)})", width)] if ids else []
    for task_id in ids[:_MOST]:
        shown = model.shown(task_id)
        name = plain(f"{task_id} {model.cascade.tasks[task_id].name}")
        rows.append(line(" ", (glyph(shown), style_of(shown)), " ", (name, TITLE), width=width))
        rows += wrapped(reason(model, task_id), width, "   ") if kind is Shown.FAILED else []
    return rows + _and_more(len(ids), width)


def _held_up(model: ViewModel, width: int) -> list[Content]:
    """Blocked tasks, and tasks that need approval."""
    ids = _of(model, Shown.BLOCKED, Shown.APPROVAL)
    rows = [heading(f"Blocked, or needs approval ({len(ids)})", width)] if ids else []
    for task_id in ids[:_MOST]:
        shown = model.shown(task_id)
        name = plain(f"{task_id} {model.cascade.tasks[task_id].name}")
        told = (f"  {reason(model, task_id)}", MUTED)
        rows.append(line(" ", (glyph(shown), style_of(shown)), f" {name}", told, width=width))
    return rows + _and_more(len(ids), width)


def _to_come(model: ViewModel, width: int, plan: Sequence[Milestone]) -> list[Content]:
    """The milestones that were not reached, the nearest first, each with what is missing."""
    rows = milestones.lines(model, plan, width)
    head = [heading(f"Milestones to come ({len(rows)})", width)] if rows else []
    return [*head, *rows[:_MOST], *_and_more(len(rows), width)]


def _and_more(count: int, width: int) -> list[Content]:
    return [line((f"   and {count - _MOST:,} more", MUTED), width=width)] if count > _MOST else []


def _next(model: ViewModel, width: int) -> list[Content]:
    """The next steps."""
    steps, git = [], model.source.run.git
    if git and model.source.engine is not EngineState.RUNNING and (waiting := landing_lines(git)):
        key = "p tries again; " if model.could_land else ""
        steps.append(f"not landed; {key}in a shell: {waiting[1].strip()}")
    stuck = [i for i in _of(model, Shown.FAILED) if in_conflict(model.task(i))]
    steps += [
        f"{plain(i)} has a conflict, its work is kept; in a shell: nova resolve {plain(i)}" for i in stuck[:_MOST]
    ]
    if model.could_go_on:
        plan = model.source.project_state.cascade_file
        steps.append(f"p continues the run; in a shell: {plain(go_on_line(plan))}")
    again = ((i, inputs_first(model, i)) for i in _of(model, Shown.FAILED)[:_MOST])
    steps += [f"esc goes back: {advice}, as {plain(i)} failed again the same way" for i, advice in again if advice]
    if model.counts[Shown.FAILED] or model.counts[Shown.CANCELLED]:
        steps.append("esc goes back: choose a failed task (! shows only those), L opens its log, r retries it")
    if model.counts[Shown.APPROVAL]:
        steps.append("esc goes back: a approves the task, R rejects it")
    rows = [row for step in steps for row in wrapped(step, width, " ")]
    return [heading("Next", width), *rows] if rows else []
