"""Tasks that will change the same files: named before a run, kept apart if the settings say so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from glob import has_magic

import msgspec

from nova_core.errors import Problem
from nova_core.parser.cascade import Cascade
from nova_core.parser.findings import quoted, shown_path
from nova_core.plan.side_by_side import SideBySide
from nova_core.plan.touched import meet, touched
from nova_core.text import number_of

_MAX_WARNINGS = 20
_MAX_COMPARED = 200_000  # patterns compared with other paths


class Meeting(msgspec.Struct, frozen=True):
    """Files that several tasks will change: every task of `some` with every one of `others`, which may be the same."""

    path: str
    some: tuple[str, ...]
    others: tuple[str, ...]


def meetings(cascade: Cascade, learned: Mapping[str, tuple[str, ...]] | None = None) -> list[Meeting]:
    """Returns all files that more than one task will change, whatever their order.

    `learned` are files that tasks without `Files` changed in an earlier run, by id.
    """
    tasks: dict[str, list[str]] = {}
    for task in cascade.tasks.values():
        files = touched(task)
        if learned and not task.files and not task.settled:
            files = tuple(dict.fromkeys((*files, *learned.get(task.id, ()))))
        for path in files:
            tasks.setdefault(path, []).append(task.id)
    found = [Meeting(path, tuple(ids), tuple(ids)) for path, ids in tasks.items() if len(ids) > 1]
    return found + [
        Meeting(_narrower(one, other), tuple(tasks[one]), tuple(tasks[other])) for one, other in _meeting_paths(tasks)
    ]


def _meeting_paths(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of different paths that can mean the same file. Patterns are compared, folders are looked up."""
    plain = dict.fromkeys(path for path in paths if not has_magic(path))
    patterns = [path for path in paths if has_magic(path)]
    for path in plain:
        parts = path.split("/")
        folders = ("/".join(parts[:n]) for n in range(1, len(parts)))
        yield from ((folder, path) for folder in folders if folder in plain)
    budget = _MAX_COMPARED
    for at, pattern in enumerate(patterns):
        for other in (*plain, *patterns[at + 1 :]):
            budget -= 1
            if budget < 0:
                return
            if meet(pattern, other):
                yield pattern, other


def _narrower(one: str, other: str) -> str:
    """The one that says more about the file: a path rather than a pattern, the longer rather than the folder."""
    if has_magic(one) != has_magic(other):
        return other if has_magic(one) else one
    return max(one, other, key=len)


def overlap_warnings(cascade: Cascade, learned: Mapping[str, tuple[str, ...]] | None = None) -> list[Problem]:
    """Returns a warning for each pair of tasks that can run at once and will change the same files, at most 20.

    Of many tasks that change one file, only neighbours are named. Outputs that two tasks share have a warning already.
    """
    apart = SideBySide(cascade)
    shared: dict[tuple[str, str], list[str]] = {}
    for meeting in meetings(cascade, learned):
        same = meeting.some == meeting.others
        pairs = apart.pairs(meeting.some) if same else apart.pairs_between(meeting.some, meeting.others)
        for first, second in pairs:
            if not _are_outputs(cascade, meeting.path, first, second):
                shared.setdefault((first, second), []).append(meeting.path)
    found = [_warning(cascade, *pair, list(dict.fromkeys(paths))) for pair, paths in shared.items()]
    rest = len(found) - _MAX_WARNINGS
    more = f"and {number_of(rest, 'more pair')} of tasks that will change the same files"
    place = shown_path(cascade.path)
    return found[:_MAX_WARNINGS] + ([Problem(place, 0, more, "", warning=True)] if rest > 0 else [])


def _are_outputs(cascade: Cascade, path: str, *ids: str) -> bool:
    return all(path in (output.removeprefix("./") for output in cascade.tasks[i].outputs) for i in ids)


def _warning(cascade: Cascade, first: str, second: str, paths: list[str]) -> Problem:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    message = f"{second} and {first} can run at the same time, and both will change {quoted(paths[0])}{more}"
    hint = f"let {second} depend on {first}, give both the same lock, or set `git: {{conflicts: avoid}}`"
    task = cascade.tasks[second]
    return Problem(task.file or shown_path(cascade.path), task.line, message, hint, warning=True)


def with_file_locks(cascade: Cascade) -> Cascade:
    """Returns the plan in which tasks that will change the same files share a lock of that name."""
    locks: dict[str, list[str]] = {}
    for meeting in meetings(cascade):
        for task_id in (*meeting.some, *meeting.others):
            locks.setdefault(task_id, []).append(meeting.path)
    if not locks:
        return cascade
    tasks = dict(cascade.tasks)
    for task_id, names in locks.items():
        task = tasks[task_id]
        tasks[task_id] = msgspec.structs.replace(task, locks=tuple(dict.fromkeys((*task.locks, *names))))
    return msgspec.structs.replace(cascade, tasks=tasks)
