"""Opens cycles that the plan does not state: they come from resolving containers, or connect finished tasks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import msgspec

from nova_core.dag import DAG, CycleError
from nova_core.importers.draft import Draft
from nova_core.model import NoteKind, Task

_MOST_WORK = 2_000_000  # tasks examined while cycles of open tasks are opened one by one
_CLOSED = 1 << 62  # above every number

Edge = tuple[str, str]  # the waiting task, the needed task
Needs = dict[str, tuple[str, ...]]


def without_circles(draft: Draft, tasks: dict[str, Task], said: Collection[Edge]) -> dict[str, Task]:
    """The tasks; from each cycle the least important edge is removed, with a note.

    Settled work waits for nothing. A task that waits for a container does not wait for those of its parts that wait for
    the task: tools that allow a container to be closed before its parts have such plans. Edges that the plan states
    word for word between open tasks (`said`) are never removed, so a true cycle stays.
    """
    needs = {task.id: task.depends_on for task in tasks.values()}
    if _circle(needs):
        _settle(draft, tasks, needs, said)
        _settle(draft, tasks, needs, ())
        _open(draft, tasks, needs, said)
    return {
        key: task if task.depends_on == needs[key] else msgspec.structs.replace(task, depends_on=needs[key])
        for key, task in tasks.items()
    }


def _circle(needs: Needs) -> Sequence[str]:
    try:
        DAG(needs)
    except CycleError as error:
        return error.path
    return ()


def _settle(draft: Draft, tasks: dict[str, Task], needs: Needs, kept: Collection[Edge]) -> None:
    """Remove the dependencies of settled tasks that are part of a cycle, except the edges in `kept`."""
    circle = circles_of(needs)
    for key, found in needs.items():
        if key in circle and tasks[key].settled:
            cut = {need for need in found if circle.get(need) == circle[key] and (key, need) not in kept}
            needs[key] = tuple(need for need in found if need not in cut)
            for need in found:
                if need in cut:
                    _tell(draft, tasks[key], need)


def _open(draft: Draft, tasks: dict[str, Task], needs: Needs, said: Collection[Edge]) -> None:
    """Remove unstated edges, one by one, until no cycle is left, or one whose edges are all stated."""
    inside = circles_of(needs)
    rest = {key: tuple(need for need in needs[key] if need in inside) for key in inside}
    for _ in range(_MOST_WORK // max(1, len(rest))):
        taken = (edge for edge in pairwise(_circle(rest)) if edge not in said and not tasks[edge[0]].gate)
        edge = next(taken, None)
        if edge is None:
            return
        first, second = edge
        for known in (needs, rest):
            instead = known[second] if tasks[second].gate else ()  # one by one, so that only one of them is removed
            left = (need for need in known[first] if need != second)
            known[first] = tuple(dict.fromkeys((*left, *instead)))
        if not tasks[second].gate:
            _tell(draft, tasks[first], second)


def circles_of(needs: Needs) -> dict[str, str]:
    """The tasks in cycles, each with the name of its cycle: the strongly connected components of more than one task.

    R. Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1 (1972), without recursion.
    """
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []  # component not known yet
    found: dict[str, str] = {}
    for root in needs:
        walk = [] if root in number else [(root, iter(needs[root]))]
        while walk:
            key, rest = walk[-1]
            if key not in number:
                number[key] = lowest[key] = len(number)
                path.append(key)
            need = next(rest, None)
            if need is not None and need not in number:
                walk.append((need, iter(needs[need])))
            elif need is not None:
                lowest[key] = min(lowest[key], lowest[need])
            else:
                walk.pop()
                if walk:
                    lowest[walk[-1][0]] = min(lowest[walk[-1][0]], lowest[key])
                if lowest[key] == number[key]:
                    _close(key, path, lowest, found)
    return found


def _close(key: str, path: list[str], lowest: dict[str, int], found: dict[str, str]) -> None:
    """Everything after `key` forms one component with it, which is now complete."""
    alone = path[-1] == key
    while True:
        last = path.pop()
        lowest[last] = _CLOSED
        if not alone:
            found[last] = key
        if last == key:
            return


def _tell(draft: Draft, task: Task, need: str) -> None:
    if task.settled:
        text = f"{task.id} is settled: it does not depend on {need}, which would be a cycle"
        draft.note(NoteKind.RESOLVED, task.line, text, task.file)
    else:
        text = f"{task.id} does not depend on {need}, a part of its dependency: that would be a cycle"
        draft.note(NoteKind.GUESSED, task.line, text, task.file)
