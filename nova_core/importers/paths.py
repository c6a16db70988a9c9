"""The places of task outputs, and the output that an input means."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from fnmatch import fnmatchcase
from glob import has_magic
from posixpath import normpath

from nova_core.model import places_of
from nova_core.parser.values import is_inside

WORKSPACE = "workspace/outputs"
_SHOWN = 3


class Paths:
    """The places of all outputs of a folder of tasks, relative to the project.

    An output is below `workspace/outputs/<id>`, or in the project. People write inputs from several roots: the folder
    of the task's own outputs, that of its phase, the project, the folder of all outputs.
    """

    def __init__(self, project: str, tasks: str) -> None:
        self._project = project
        self._tasks = tasks
        self._writer: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._names: dict[str, list[str]] = {}
        self._patterns: list[str] = []
        self._tasks_seen: set[str] = set()

    def add_output(self, task: str, path: str) -> bool:
        """Record where the task may write an output. Returns False if that is outside of the project."""
        if not is_inside(path):
            return False
        self._tasks_seen.add(task)
        plain = normpath(path)
        places = places_of(plain, f"{WORKSPACE}/{task}").split("|")
        for place in places:
            self._writer.setdefault(place, (task, tuple(places)))
            if has_magic(place):
                self._patterns.append(place)
        self._names.setdefault(plain.rpartition("/")[2], []).append(task)
        return True

    def find_input(self, task: str, path: str, needs: Iterable[str] = ()) -> tuple[str, str]:
        """The input as a path from the project (`a|b` if it may be at either), and the task that writes it.

        A path that leads nowhere else may also start at the folder of a task that this task `needs`. The task is "" for
        an existing file or a pattern; both are "" if no task writes the file and it does not exist, or if it is outside
        of the project.
        """
        places = self._places(task, path)
        inside = (normpath(f"{WORKSPACE}/{need}/{path}") for need in needs)
        for place in (*places, *filter(is_inside, inside)):
            if place in self._writer:
                writer, alternatives = self._writer[place]
                return "|".join(alternatives), writer
            above = next((p for p in _parents(place) if p in self._writer), "")
            writer = self._writer[above][0] if above else self._by_pattern(place)
            if writer:
                return place, writer
        there = (place for place in places if next(glob.iglob(place, root_dir=self._project, recursive=True), None))
        return next(there, ""), ""

    def _by_pattern(self, place: str) -> str:
        """The task whose output matches the pattern `place`, or whose pattern matches it."""
        if has_magic(place):
            return next((self._writer[path][0] for path in self._writer if fnmatchcase(path, place)), "")
        return next((self._writer[pattern][0] for pattern in self._patterns if fnmatchcase(place, pattern)), "")

    def guess(self, task: str, path: str) -> str:
        """The expected place of a missing input; "" if that is outside of the project."""
        places = self._places(task, path)
        beside = (place for place in places if any(place.startswith(f"{WORKSPACE}/{i}/") for i in self._tasks_seen))
        return next(beside, places[0] if places else "")

    def like(self, task: str, path: str) -> str:
        """An output with a similar name to this input, and the task that writes it; "" if there is none.

        If the path names a task, it is one of that task's outputs.
        """
        from difflib import get_close_matches  # only for mistakes: importing it costs 10 ms

        name = path.rpartition("/")[2]
        named = self._task_in(task, path)
        if named:
            own = [output for output, writers in self._names.items() if named in writers]
            return f"{named} writes {', '.join(get_close_matches(name, own, 1, 0.4) or own[:_SHOWN])}"
        others = [output for output, writers in self._names.items() if any(w != task for w in writers)]
        near = get_close_matches(name, others, 1, 0.5)
        return f"{next(w for w in self._names[near[0]] if w != task)} writes {near[0]}" if near else ""

    def _task_in(self, task: str, path: str) -> str:
        """The other task whose folder of outputs holds the path."""
        for place in self._places(task, path):
            below = place.removeprefix(f"{WORKSPACE}/") if place.startswith(f"{WORKSPACE}/") else ""
            found = next((name for name in _parents(below) if name in self._tasks_seen), "")
            if found and found != task:
                return found
        return ""

    def _places(self, task: str, path: str) -> list[str]:
        phase = task.rpartition("/")[0]
        bases = ("", f"{WORKSPACE}/{task}", f"{WORKSPACE}/{phase}", WORKSPACE, f"{self._tasks}/{phase}")
        if path.startswith("."):
            bases = (*bases[1:], "")
        places = dict.fromkeys(normpath(f"{base}/{path}" if base else path) for base in bases)
        own = f"{WORKSPACE}/{task}/"  # a task does not read what it has yet to write, unless the path says exactly that
        return [p for p in places if is_inside(p) and (not p.startswith(own) or path.startswith(own))]


def _parents(path: str) -> list[str]:
    """The folders of a path, nearest first."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]
