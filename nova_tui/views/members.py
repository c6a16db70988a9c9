"""A project, a branch or a group with its totals, and its members."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from textual.content import Content

from nova_core.runs.rollup import Rollup
from nova_core.runs.words import AT_WORK, Shown
from nova_core.state.schema import TaskStatus
from nova_core.text import costs, duration, tokens
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ACTIVE, MUTED, SUCCESS, TITLE, bar, glyph, style_of
from nova_tui.views.line import Lazy, fit, line, plain

_SHOWN = {
    TaskStatus.FAILED: Shown.FAILED,
    TaskStatus.IN_PROGRESS: Shown.RUNNING,
    TaskStatus.PENDING: Shown.WAITING,
    TaskStatus.COMPLETED: Shown.COMPLETED,
}
_BAR = 10
_WITH_BAR, _WITH_COST = 60, 76  # minimum widths for the columns
_NO_NAME = "(no name)"


class Place(msgspec.Struct, frozen=True):
    """A node of the plan: the project, a branch, a group of a branch, or a task."""

    branch: str | None = None
    group: str | None = None
    task: str | None = None


def members(model: ViewModel, place: Place) -> list[Place]:
    """The direct members: branches, their groups, their tasks; a level with a single nameless member is skipped.

    Raises `KeyError` for an unknown branch or group.
    """
    branches = model.cascade.branches
    if place.branch is None:
        one = Place(next(iter(branches), ""))
        return [Place(b) for b in branches] if named(branches, model.cascade.name) else members(model, one)
    groups = branches[place.branch]
    if place.group is None and named(groups, place.branch):
        return [Place(place.branch, g) for g in groups]
    group = next(iter(groups)) if place.group is None else place.group
    return [Place(place.branch, group, i) for i in groups[group]]


def named(names: Collection[str], above: str = "") -> bool:
    """Returns False if a level has only one member, which has no name or the name of the level `above`."""
    return len(names) > 1 or any(name not in ("", above) for name in names)


def rollup(model: ViewModel, place: Place) -> Rollup:
    """The totals of the project, a branch or a group."""
    if place.branch is None:
        return model.rollups.project
    return model.rollups.branch(place.branch) if place.group is None else model.rollups.group(place.branch, place.group)


def shown(sums: Rollup) -> Shown:
    """The mark of a node: the worst of its children; blocked if no remaining task can start."""
    if 0 < sums.failed == sums.cancelled:
        return Shown.CANCELLED
    return Shown.BLOCKED if _is_stuck(sums) else _SHOWN[sums.status]


def _is_stuck(sums: Rollup) -> bool:
    return sums.status is TaskStatus.PENDING and 0 < sums.blocked == sums.pending


def is_quiet(sums: Rollup) -> bool:
    """Returns True if all tasks are done, or none has begun."""
    return sums.completed == sums.total or sums.pending == sums.total


def tasks_of(model: ViewModel, place: Place) -> list[str]:
    """The ids of the tasks below a place, in plan order."""
    branches = model.cascade.branches
    found = branches if place.branch is None else {place.branch: branches[place.branch]}
    return [i for groups in found.values() for name, ids in groups.items() if place.group in (None, name) for i in ids]


def leading(model: ViewModel, place: Place) -> tuple[str, str] | None:
    """The task that represents a node, and why: its first failed task, else its first running task. O(tasks below)."""
    sums = rollup(model, place)
    if not sums.failed and not sums.in_progress:
        return None
    branches = model.cascade.branches if place.branch is None else {place.branch: model.cascade.branches[place.branch]}
    groups = [ids for found in branches.values() for name, ids in found.items() if place.group in (None, name)]
    for wanted, words in _LEADING:
        task_id = next((i for ids in groups for i in ids if model.shown(i) in wanted), None)
        if task_id is not None:
            return task_id, words
    return None


_LEADING = (
    ((Shown.FAILED,), "the first failed task"),
    (AT_WORK, "the first running task"),
)


def title(model: ViewModel, place: Place, width: int) -> Content:
    """The name of the place, and its totals."""
    sums = rollup(model, place)
    names = dict.fromkeys([model.cascade.name, *(n for n in (place.branch, place.group) if n)])
    mark = (f" {glyph(shown(sums))} ", style_of(shown(sums)))
    done = f"  {sums.completed:,}/{sums.total:,}  "
    return line(mark, (plain(" / ".join(names)), TITLE), done, *_figures(sums, model.now), width=width)


def _figures(sums: Rollup, now: float) -> list[str]:
    """Working time, tokens and cost, each only if there is any."""
    used = sums.tokens.total
    return [f"{duration(sums.duration(now))} of work", *([f"  {tokens(used)} tok  {sums.cost}"] if used else [])]


def header(width: int) -> Content:
    """The column headings."""
    cells = fit("WORK", 9, right=True)
    cells += f"  {fit('PROGRESS', _BAR + 5)}" if width >= _WITH_BAR else ""
    cells += fit("TOKENS", 8, right=True) + fit("COST", 10, right=True) if width >= _WITH_COST else ""
    return line((fit("   NAME", max(8, width - len(cells))) + cells, MUTED), width=width)


def draw(model: ViewModel, place: Place, width: int) -> Content:
    """A member as a line."""
    return _task(model, place.task, width) if place.task is not None else _node(model, place, width)


def _node(model: ViewModel, place: Place, width: int) -> Content:
    sums = rollup(model, place)
    name = (place.group if place.group is not None else place.branch) or _NO_NAME
    name = f"{name}  {sums.completed:,}/{sums.total:,}"
    used = sums.tokens.total
    figures = (duration(sums.duration(model.now)), tokens(used) if used else "", sums.cost if used else "")
    return _line(shown(sums), name, sums.progress, figures, width, TITLE)


def _task(model: ViewModel, task_id: str, width: int) -> Content:
    state, elapsed = model.task(task_id), model.elapsed(task_id)
    word = model.shown(task_id)
    done = 1.0 if state.status is TaskStatus.COMPLETED else (state.progress or 0) / 100
    used = state.token_usage.total
    took = duration(elapsed) if elapsed is not None else ""
    figures = (took, tokens(used) if used else "", costs(state.cost_usd, estimated=state.estimated) if used else "")
    name = f"{task_id} {model.cascade.tasks[task_id].name}"
    return _line(word, name, done, figures, width, "")


def _line(word: Shown, name: str, share: float, figures: tuple[str, str, str], width: int, style: str) -> Content:
    time, used, cost = figures
    cells: list[str | Content | tuple[str, str]] = [fit(time, 9, right=True)]
    taken = 9
    if width >= _WITH_BAR:
        cells += ["  ", bar(share, _BAR, SUCCESS if share >= 1 else ACTIVE), fit(f"{share:.0%}", 5, right=True)]
        taken += _BAR + 7
    if width >= _WITH_COST:
        cells += [fit(used, 8, right=True), fit(cost, 10, right=True)]
        taken += 18
    return line(
        (f" {glyph(word)} ", style_of(word)), (fit(name, max(5, width - taken - 3)), style), *cells, width=width
    )


def lines(model: ViewModel, found: Sequence[Place], width: int) -> Sequence[Content]:
    """The members, drawn on access."""
    return Lazy(len(found), lambda i: draw(model, found[i], width))
