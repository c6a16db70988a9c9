"""The running tasks, pinned above the plan: what each does now, how far it is, and for how long it was quiet."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len
from textual.content import Content

from nova_core.runs.words import Shown, phrase
from nova_core.text import about, duration
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ACTIVE, MUTED, TITLE, WARNING, bar, chars, glyph, style_of
from nova_tui.views.line import Piece, fit, line, plain
from nova_tui.views.tree_row import needs

QUIET = 120.0  # seconds without a sign of life after which a task is said to be quiet
MOST = 9  # tasks that have a key
_BAR, _PERCENT, _TIME = 10, 6, 9
WITH_RULE, LEAST_ROWS = 30, 16  # rows of the screen from which the list has a rule, and from which there is a list
_WITH_BAR = 100  # cells
_LEAST_NAME, _MOST_NAME = 16, 40


def room(running: int, rows: int) -> int:
    """The number of rows for so many running tasks on a screen of `rows` rows: at most a third, on a low one less."""
    most = rows // 3 if rows >= WITH_RULE else max(2, rows // 6)
    return min(running, most)


def lines(
    model: ViewModel, ids: list[str], quiet: Mapping[str, float], width: int, height: int, *, rule: bool = False
) -> list[Content]:
    """The first `height` of the running tasks `ids`; if not all fit, the last row counts the others."""
    shown = ids if len(ids) <= height else ids[: height - 1]
    rows = [line((f"{chars().rest} running {chars().rest * max(0, width - 10)}", MUTED), width=width)] if rule else []
    name = min(_MOST_NAME, max(_LEAST_NAME, width * 38 // 100))
    longest = max((cell_len(plain(f"{i} {model.cascade.tasks[i].name}")) for i in shown), default=0)
    name = min(name, max(_LEAST_NAME, longest))
    rows += [_row(model, number, i, quiet.get(i, 0.0), width - 1, name) for number, i in enumerate(shown, 1)]
    if len(ids) > height:
        rows.append(line((f" + {len(ids) - len(shown):,} more running", MUTED), width=width))
    return rows


def _row(model: ViewModel, number: int, task_id: str, quiet: float, width: int, name: int) -> Content:
    state, shown = model.task(task_id), model.shown(task_id)
    key = str(number) if number <= MOST else " "
    elapsed = model.elapsed(task_id)
    time = fit("" if elapsed is None else duration(elapsed), _TIME, right=True)
    doing, style = _doing(model, task_id, quiet)
    share = min(0.99, state.progress / 100) if state.progress and not state.verifying else None
    figures: list[Piece] = []
    if share and share > 0:
        figures = [" ", bar(share, _BAR)] if width >= _WITH_BAR else []
        figures.append(fit(f"{int(share * 100)}%", _PERCENT, right=True))
    figures.append((time, MUTED))
    head = line(
        (f" {key} ", f"bold {ACTIVE}"), (f"{glyph(shown)} ", style_of(shown)),
        (fit(plain(f"{task_id} {model.cascade.tasks[task_id].name}"), name), TITLE), "  ",
    )  # fmt: skip
    tail = line(*figures)
    return line(head, (fit(doing, max(0, width - head.cell_length - tail.cell_length)), style), tail, width=width)


def _doing(model: ViewModel, task_id: str, quiet: float) -> tuple[str, str]:
    """The step of a task, or how long nothing was heard of it."""
    state = model.task(task_id)
    if model.shown(task_id) is Shown.ASKS:
        return plain(phrase(state, Shown.ASKS, model.now)), f"bold {WARNING}"
    if quiet >= QUIET and model.shown(task_id) is not Shown.MERGING:
        return f"quiet for {about(quiet - 59)}", f"bold {WARNING}"
    if model.shown(task_id) is Shown.MERGING:
        return plain(model.phrase(task_id)), ""
    if model.shown(task_id) is Shown.VERIFYING:
        count = len(model.cascade.tasks[task_id].criteria)
        met = f" {len(state.criteria_met)} of {count} criteria" if count else " its outputs"
        return f"{Shown.VERIFYING.value}{met}", ""
    return plain(state.current_step), ""


def needs_you(model: ViewModel, selected: str | None, width: int) -> Content:
    """The task that has asked for a person first, and the keys for it."""
    waiting = model.approvals
    task_id = selected if selected in waiting else model.asked_first
    if task_id is None:
        return Content()
    shown = model.shown(task_id)
    state = model.task(task_id)
    answers = "i answer" if shown is Shown.ASKS else "a allow  R deny" if state.asks else "a approve  R reject"
    said = plain(phrase(state, shown, model.now)) if shown is Shown.ASKS else needs(state)
    keys = answers if task_id == selected else _way_to(model, task_id, selected)
    more = f"  + {len(waiting) - 1:,} more" if len(waiting) > 1 else ""
    name = fit(plain(f"{task_id} {model.cascade.tasks[task_id].name}"), min(_MOST_NAME, max(10, width * 38 // 100)))
    head = line((f" {glyph(shown)} ", style_of(shown)), (name, TITLE), f"  {said}{more}")
    space = width - head.cell_length - len(keys) - 1
    return line(head, " " * space, (keys, MUTED)) if space > 0 else line(head, width=width)


def _way_to(model: ViewModel, task_id: str, here: str | None) -> str:
    """The key that goes to the task from `here`; empty if no single one does."""
    keys = (("tab", 1), ("shift+tab", -1))
    return next((f"{key} go to it" for key, way in keys if model.next_needing(here, way) == task_id), "")
