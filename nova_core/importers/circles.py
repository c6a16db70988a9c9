"""Opens circles that nobody wrote: they come of taking containers apart, or stand between tasks that are done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import msgspec

from nova_core.dag import DAG, CycleError
from nova_core.importers.draft import Draft
from nova_core.model import NoteKind, Task

_MOST_CIRCLES = 1_000  # each costs a look at the whole graph

Edge = tuple[str, str]  # who waits, for whom


def without_circles(draft: Draft, tasks: dict[str, Task], said: Collection[Edge]) -> dict[str, Task]:
    """The tasks, in circles of which the edge is left out that matters least, with a note.

    Work that is settled waits for nothing. And whoever waits for a whole does not wait for those of its parts that wait
    for him: tools that let a whole be closed before its parts have such plans. What was said word for word between
    open tasks (`said`) is never left out, so that a true circle stays.
    """
    needs = {task.id: task.depends_on for task in tasks.values()}
    for _ in range(_MOST_CIRCLES):
        try:
            DAG(needs)
        except CycleError as error:
            edge = _least(error.path, tasks, said)
            if edge is None:
                break
            first, second = edge
            instead = needs[second] if tasks[second].gate else ()  # one by one, so that only one of them is left out
            needs[first] = tuple(dict.fromkeys((*(need for need in needs[first] if need != second), *instead)))
            if not instead:
                _tell(draft, tasks[first], second)
        else:
            break
    return {
        key: task if task.depends_on == needs[key] else msgspec.structs.replace(task, depends_on=needs[key])
        for key, task in tasks.items()
    }


def _least(path: Sequence[str], tasks: dict[str, Task], said: Collection[Edge]) -> Edge | None:
    edges = list(pairwise(path))
    taken = [edge for edge in edges if edge not in said and not tasks[edge[0]].gate]
    settled = [edge for edge in edges if tasks[edge[0]].settled]
    both = [edge for edge in taken if edge in settled]
    return next(iter([*both, *settled, *taken]), None)


def _tell(draft: Draft, task: Task, need: str) -> None:
    if task.settled:
        text = f"{task.id} is settled: it does not wait for {need}, which would go in a circle"
        draft.note(NoteKind.RESOLVED, task.line, text, task.file)
    else:
        text = f"{task.id} does not wait for {need}, a part of what it waits for: that would go in a circle"
        draft.note(NoteKind.GUESSED, task.line, text, task.file)
