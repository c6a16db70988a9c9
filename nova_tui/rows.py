"""The rows of the tree as a flat list: open nodes, filter, search. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from nova_core.parser import Cascade
from nova_core.runs.words import Shown
from nova_core.watch.view_model import ViewModel
from nova_tui.views.members import Place, named

Keep = Callable[[str], bool]


class Filter(StrEnum):
    """The tasks to show, in the order of the key `f`."""

    ALL = "all"
    FAILED = "failed"
    NEEDS_YOU = "needs you"
    RUNNING = "running"
    BLOCKED = "blocked"
    READY = "ready"


class Order(StrEnum):
    """The order of the rows, in the order of the key `o`; in every one but the plan's, the list is flat."""

    PLAN = "plan"
    TIME = "longest first"
    COST = "most expensive first"
    FAILURE = "newest failure first"


_KEPT = {
    Filter.FAILED: {Shown.FAILED, Shown.CANCELLED},
    Filter.NEEDS_YOU: {Shown.ASKS, Shown.APPROVAL},
    Filter.RUNNING: {Shown.RUNNING, Shown.VERIFYING, Shown.MERGING, Shown.RETRYING},
    Filter.BLOCKED: {Shown.BLOCKED},
    Filter.READY: {Shown.READY},
}


def kept(shown: Filter) -> frozenset[Shown]:
    """The states of tasks that a filter keeps."""
    return frozenset(_KEPT.get(shown, Shown))


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: a place of the plan, its depth, whether it can have rows below it, and whether it is in a flat list."""

    place: Place
    depth: int
    parent: bool = False
    flat: bool = False


class _Group(msgspec.Struct):
    row: Row | None
    tasks: list[Row]


class _Branch(msgspec.Struct):
    row: Row | None
    groups: list[_Group]


class Outline:
    """All rows of a plan, built once: its branches, their groups and tasks, in plan order.

    A level has no row if its only member has no name, or the name of the level above.
    """

    def __init__(self, cascade: Cascade) -> None:
        branches = cascade.branches
        with_names = named(branches, cascade.name)
        self._branches = [self._branch(name, groups, with_names) for name, groups in branches.items()]
        self._flat: dict[str, Row] = {}

    def _branch(self, name: str, groups: Mapping[str, Sequence[str]], has_row: bool) -> _Branch:
        row = Row(Place(name), 0, parent=True) if has_row else None
        depth = 1 if has_row else 0
        with_names = named(groups, name)
        return _Branch(row, [self._group(name, group, ids, depth, with_names) for group, ids in groups.items()])

    def _group(self, branch: str, name: str, ids: Sequence[str], depth: int, has_row: bool) -> _Group:
        row = Row(Place(branch, name), depth, parent=True) if has_row else None
        below = depth + 1 if has_row else depth
        return _Group(row, [Row(Place(branch, name, i), below) for i in ids])

    def visible(self, closed: frozenset[Place] | set[Place], keep: Keep | None = None) -> list[Row]:
        """The rows to show, without those below `closed` places; with `keep`, only the tasks it accepts and the places
        above them, open or not."""
        rows: list[Row] = []
        for branch in self._branches:
            rows += self._of_branch(branch, closed, keep)
        return rows

    def _of_branch(self, branch: _Branch, closed: frozenset[Place] | set[Place], keep: Keep | None) -> list[Row]:
        if keep is None and branch.row is not None and branch.row.place in closed:
            return [branch.row]
        rows: list[Row] = []
        for group in branch.groups:
            tasks = group.tasks if keep is None else [row for row in group.tasks if keep(row.place.task or "")]
            if keep is not None and not tasks:
                continue
            if group.row is not None:
                rows.append(group.row)
                if keep is None and group.row.place in closed:
                    continue
            rows += tasks
        if branch.row is None:
            return rows
        return [branch.row, *rows] if rows or keep is None else []

    def flat(self, ids: Iterable[str], keep: Keep | None = None) -> list[Row]:
        """The tasks in the order of `ids`, without the places above them; with `keep`, only those it accepts."""
        if not self._flat:
            rows = (row for branch in self._branches for group in branch.groups for row in group.tasks)
            self._flat = {row.place.task or "": Row(row.place, 0, flat=True) for row in rows}
        return [self._flat[i] for i in ids if keep is None or keep(i)]

    def parents(self) -> list[Row]:
        """Every row that can have rows below it."""
        found = []
        for branch in self._branches:
            found += [row for row in (branch.row, *(group.row for group in branch.groups)) if row is not None]
        return found

    def tasks(self) -> list[str]:
        """All task ids in row order."""
        return [r.place.task or "" for b in self._branches for g in b.groups for r in g.tasks]


def ordered(model: ViewModel, ids: Iterable[str], order: Order) -> list[str]:
    """The tasks in an order other than the plan's; ties keep the order of `ids`. O(n log n)."""
    if order is Order.TIME:
        return sorted(ids, key=lambda i: -(model.elapsed(i) or 0.0))
    if order is Order.COST:
        return sorted(ids, key=lambda i: (-(model.task(i).cost_usd or 0.0), -model.task(i).token_usage.total))
    failed = {i: model.shown(i) is Shown.FAILED for i in ids}
    newest = sorted((i for i in failed if failed[i]), key=lambda i: model.task(i).completed_at or "", reverse=True)
    return [*newest, *(i for i in failed if not failed[i])]


def above(place: Place) -> list[Place]:
    """The places that contain this place, nearest first."""
    found = [Place(place.branch, place.group)] if place.task is not None else []
    if place.group is not None:
        found.append(Place(place.branch))
    return [*found, Place()] if place.branch is not None else []


def find_row(rows: Sequence[Row], place: Place) -> int | None:
    """The index of the place's row, else of the nearest containing place that has a row."""
    for wanted in (place, *above(place)):
        for index, row in enumerate(rows):
            if row.place == wanted:
                return index
    return None


class Finder:
    """Searches tasks by words of their ids and names; all words must match, in any case."""

    def __init__(self, ids: Sequence[str], names: Iterable[str]) -> None:
        self._ids = ids
        self._texts = [f"{i} {name}".casefold() for i, name in zip(ids, names, strict=True)]

    def find(self, text: str) -> list[str]:
        """The ids of tasks that contain every word of `text`, in order; empty for an empty text."""
        words = text.casefold().split()
        if not words:
            return []
        first, *rest = sorted(words, key=len, reverse=True)
        hits = [n for n, known in enumerate(self._texts) if first in known]
        return [self._ids[n] for n in hits if all(word in self._texts[n] for word in rest)]


def step(hits: Sequence[str], order: dict[str, int], current: str | None, way: int) -> str | None:
    """The hit after (-1: before) the current task in row order, wrapping at the ends."""
    if not hits:
        return None
    here = order.get(current or "", -1)
    if way > 0:
        return next((h for h in hits if order[h] > here), hits[0])
    return next((h for h in reversed(hits) if order[h] < here), hits[-1])
