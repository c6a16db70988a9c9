"""Where the outputs of task files are written, and which of them an input means."""

from __future__ import annotations

import glob
from posixpath import normpath

from nova_core.parser.values import is_inside

WORKSPACE = "workspace/outputs"


class Paths:
    """The places of all outputs of a folder of tasks, relative to the project.

    An output stands below `workspace/outputs/<id>`, or in the project. People write inputs from several roots: the
    folder of the task's own outputs, that of its phase, the project, the folder of all outputs.
    """

    def __init__(self, project: str, tasks: str) -> None:
        self._project = project
        self._tasks = tasks
        self._writer: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._names: dict[str, list[str]] = {}
        self._tasks_seen: set[str] = set()

    def add_output(self, task: str, path: str) -> bool:
        """Remember where the task may write an output; False if that is outside of the project."""
        if not is_inside(path):
            return False
        self._tasks_seen.add(task)
        plain = normpath(path)
        places = (plain,) if plain.startswith("workspace/") else (f"{WORKSPACE}/{task}/{plain}", plain)
        for place in places:
            self._writer.setdefault(place, (task, places))
        self._names.setdefault(plain.rpartition("/")[2], []).append(task)
        return True

    def find_input(self, task: str, path: str) -> tuple[str, str]:
        """The input as a path from the project (`a|b` if it may be at either), and the task that writes it.

        The task is empty for what is there already or is a pattern; both are empty if nobody writes it and it is not
        there, or if it is outside of the project.
        """
        places = self._places(task, path)
        for place in places:
            if place in self._writer:
                writer, alternatives = self._writer[place]
                return "|".join(alternatives), writer
            above = next((p for p in _parents(place) if p in self._writer), "")
            if above:
                return place, self._writer[above][0]
        there = (place for place in places if next(glob.iglob(place, root_dir=self._project, recursive=True), None))
        return next(there, ""), ""

    def guess(self, task: str, path: str) -> str:
        """Where an input would be, if it were there; empty if that is outside of the project."""
        places = self._places(task, path)
        beside = (place for place in places if any(place.startswith(f"{WORKSPACE}/{i}/") for i in self._tasks_seen))
        return next(beside, places[0] if places else "")

    def like(self, path: str) -> str:
        """An output with nearly the same name as this input, and who writes it; empty if there is none."""
        from difflib import get_close_matches  # only for mistakes: it costs 10 ms to import

        near = get_close_matches(path.rpartition("/")[2], self._names, 1, 0.5)
        return f"{self._names[near[0]][0]} writes {near[0]}" if near else ""

    def _places(self, task: str, path: str) -> list[str]:
        phase = task.rpartition("/")[0]
        bases = ("", f"{WORKSPACE}/{task}", f"{WORKSPACE}/{phase}", WORKSPACE, f"{self._tasks}/{phase}")
        if path.startswith("."):
            bases = (*bases[1:], "")
        places = (normpath(f"{base}/{path}" if base else path) for base in bases)
        return list(dict.fromkeys(place for place in places if is_inside(place)))


def _parents(path: str) -> list[str]:
    """The folders a path is in, from the nearest on."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]
