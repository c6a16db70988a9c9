"""Resolving a conflict by hand: both sides are put into the task's tree, and what is made of them is merged."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nova_core.errors import UsageError
from nova_core.isolation import conflict, merge, take, trees
from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Candidate, Conflict, Limits, Place, Taken, Words
from nova_core.runs.merging import branch_of, in_conflict
from nova_core.text import first_of

if TYPE_CHECKING:
    from nova_core.git_config import GitConfig
    from nova_core.state.git_run import GitRun
    from nova_core.state.schema import TaskState

_MOST_NAMES = 5
_TRIES = 3  # while an engine moves the branch
_MARK = "resolving"


class Begun(msgspec.Struct, frozen=True):
    """What a conflict is resolved from: the task's `commit`, the `tip` it is merged with, since when (seconds)."""

    commit: str
    tip: str
    at: int
    files: dict[str, str]


class Resolving:
    """Resolves one task's conflict. Raises `UsageError` for a task that has none."""

    def __init__(self, place: Place, git: GitRun, task_id: str, task: TaskState, config: GitConfig) -> None:
        if not in_conflict(task):
            raise UsageError(f"{task_id} has no conflict to resolve", hint=f"see its state with nova why {task_id}")
        self._git, self._place, self._config = git, place, config
        self._id, self._task = task_id, task
        self._mark = Path(place.task_file(task_id, _MARK))

    @property
    def folder(self) -> str:
        """Where a person works: the project's folder in the task's tree."""
        return self._place.folder(self._id)

    def begun(self) -> Begun | None:
        """What was put into the tree and is not merged yet; None if nothing was."""
        try:
            found = msgspec.json.decode(self._mark.read_bytes(), type=Begun)
        except (OSError, msgspec.DecodeError):
            return None
        return found if os.path.isdir(self._place.tree(self._id)) else None

    def begin(self, repository: Repository) -> Begun | str:
        """Put both sides into the tree, with git's marks; what is there already stays as it is.

        If nothing conflicts any more, merges it and returns the commit. Raises `UsageError` if the work is gone,
        `GitFailed`.
        """
        if begun := self.begun():
            return begun
        taken = self._taken(repository)
        found = merge.merge(repository, self._id, self._git.tip, taken, self._words(repository, taken))
        if isinstance(found, Candidate):
            return self._merge(repository, taken, self._words(repository, taken))
        if not isinstance(found, Conflict):
            raise UsageError(f"{self._id} is merged already", hint="continue with nova run")
        trees.make_tree(repository, self._id, found.tip)
        conflict.put_conflict(repository, self._id, taken, found.tip)
        begun = Begun(taken.commit or "", found.tip, int(time.time()), found.files)
        repository.disk.replace(self._mark, msgspec.json.encode(begun), sync=False)
        return begun

    def _taken(self, repository: Repository) -> Taken:
        ref = self._place.ref(self._id)
        commit = repository.read_ref(ref) or self._task.taken
        if commit is None:
            raise UsageError(f"the work of {self._id} is gone: there is no {ref}", hint=f"nova retry {self._id}")
        return Taken(repository.object_name("rev-parse", f"{commit}^"), commit, "")

    def _words(self, repository: Repository, taken: Taken) -> Words:
        said = repository.git("log", "-1", "--format=%ct %s", taken.commit or taken.base).out.decode("utf-8", "replace")
        at, _, subject = said.strip().partition(" ")
        return Words(subject, int(at))

    def finish(self, repository: Repository) -> str:
        """Merge what is in the tree; returns the commit. Raises `UsageError` while marks of the conflict are left."""
        begun = self.begun()
        if begun is None:
            raise UsageError(f"nothing of {self._id} is being resolved", hint=f"begin with nova resolve {self._id}")
        words = msgspec.structs.replace(self._words(repository, Taken("", begun.commit, "")), at=begun.at)
        self._keep(repository, begun.commit)
        limits = Limits(self._config.max_file, self._config.max_new)
        taken = take.take(repository, self._id, begun.tip, words, limits)
        if left := conflict.marks_left(repository, taken, begun.tip, begun.commit):
            text = f"marks of the conflict are left in {first_of(left, _MOST_NAMES)}"
            raise UsageError(text, hint=f"edit them in {self.folder}")
        commit = self._merge(repository, taken, words)
        trees.away(repository, self._id)
        repository.disk.unlink(self._mark)
        return commit

    def _keep(self, repository: Repository, commit: str) -> None:
        """Hold the task's own commit by another ref: its usual one is about to hold the result."""
        number = len(self._task.kept) + 1
        repository.move_ref(self._place.kept(self._id, number), commit)

    def _merge(self, repository: Repository, taken: Taken, words: Words) -> str:
        for _ in range(_TRIES):
            found = merge.merge(repository, self._id, self._git.tip, taken, words)
            if isinstance(found, Conflict):
                self._mark.unlink(missing_ok=True)
                text = f"meanwhile others changed the same: {first_of(list(found.files), _MOST_NAMES)}"
                raise UsageError(text, hint=f"once more: nova resolve {self._id}")
            if not isinstance(found, Candidate):
                return taken.base  # it was resolved to what is merged already
            if merge.advance(repository, self._id, found):
                return found.commit
        raise UsageError(f"{branch_of(self._git)} is being moved by others", hint="try again")
