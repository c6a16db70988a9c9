"""Resolving a conflict by hand: both sides are put into the task's tree; what is made of them is checked and merged."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nova_core.errors import RunLockedError, UsageError
from nova_core.isolation import conflict, keep, merge, take, trees
from nova_core.isolation.carry import carry_out
from nova_core.isolation.held import hold_work
from nova_core.isolation.repository import Repository
from nova_core.isolation.sweep import forget
from nova_core.isolation.values import Candidate, Conflict, Limits, Place, Taken, Words
from nova_core.runs.merging import branch_of, in_conflict
from nova_core.text import first_of

if TYPE_CHECKING:
    from nova_core.config.git import GitConfig
    from nova_core.files.project import Project
    from nova_core.state.git_run import GitRun
    from nova_core.state.schema import TaskState
    from nova_core.watch.checking import ByHand

_MOST_NAMES = 5
_MOST_FILES = 1_000  # names that the state keeps of what a task has changed
_TRIES = 3  # while an engine moves the branch
_MARK = "resolving"


class Begun(msgspec.Struct, frozen=True):
    """What a conflict is resolved from: the task's `commit`, the `tip` it is merged with, since when (seconds).

    `taken` is the work whose conflict it was: after a retry of the task, it is another one. `is_decided`: all files
    were once, before a check failed.
    """

    commit: str
    tip: str
    at: int
    files: dict[str, str]
    taken: str = ""
    is_decided: bool = False


class Resolving:
    """Resolves one task's conflict; `checks` are what its result must hold. Raises `UsageError` for a task without."""

    def __init__(
        self, place: Place, git: GitRun, task_id: str, task: TaskState, config: GitConfig, checks: ByHand
    ) -> None:
        if not in_conflict(task):
            raise UsageError(f"{task_id} has no conflict to resolve", hint=f"see its state with nova why {task_id}")
        self._git, self.place, self._config, self._checks = git, place, config, checks
        self._id, self._task = task_id, task
        self._mark = Path(place.task_file(task_id, _MARK))

    @property
    def folder(self) -> str:
        """Where a person works: the project's folder in the task's tree."""
        return self.place.folder(self._id)

    def begun(self) -> Begun | None:
        """What was put into the tree and is not merged yet; None if nothing was."""
        try:
            found = msgspec.json.decode(self._mark.read_bytes(), type=Begun)
        except (OSError, msgspec.DecodeError):
            return None
        is_ours = found.taken == (self._task.taken or "")
        return found if is_ours and os.path.isdir(self.place.tree(self._id)) else None

    def begin(self, repository: Repository) -> Begun | Candidate:
        """Put both sides into the tree, with git's marks; what is there already stays as it is.

        If nothing conflicts any more, merges it like `finish`. Raises `UsageError` if the work is gone, `GitFailed`.
        """
        if begun := self.begun():
            return begun
        taken = self._taken(repository)
        found = merge.merge(repository, self._id, self._git.tip, taken, self._words(repository, taken))
        if not isinstance(found, Candidate | Conflict):
            raise UsageError(f"{self._id} is merged already", hint="continue with nova run")
        files = found.files if isinstance(found, Conflict) else {}
        self._keep_attempt(repository)
        trees.remake_tree(repository, self._id, found.tip, self._checks.needs, self._checks.outputs)
        self._checks.set_up(self.folder)
        conflict.put_conflict(repository, self._id, taken, found.tip)
        begun = Begun(taken.commit or "", found.tip, int(time.time()), files, self._task.taken or "")
        self._note(repository, begun)
        return begun if files else self.finish(repository)

    def _note(self, repository: Repository, begun: Begun) -> None:
        repository.disk.replace(self._mark, msgspec.json.encode(begun), sync=False)

    def _taken(self, repository: Repository) -> Taken:
        ref = self.place.ref(self._id)
        commit = self._task.unmerged or repository.read_ref(ref) or self._task.taken
        if commit is None:
            raise UsageError(f"the work of {self._id} is gone: there is no {ref}", hint=f"nova retry {self._id}")
        return Taken(repository.object_name("rev-parse", f"{commit}^"), commit, "")

    def _words(self, repository: Repository, taken: Taken) -> Words:
        said = repository.git("log", "-1", "--format=%ct %s", taken.commit or taken.base).out.decode("utf-8", "replace")
        at, _, subject = said.strip().partition(" ")
        return Words(subject, int(at))

    def finish(self, repository: Repository) -> Candidate:
        """Merge what is in the tree, if it holds what the task and the project ask for; returns what was merged.

        Raises `UsageError` while marks of the conflict are left, or a check fails: the tree stays for another try.
        """
        begun = self.begun()
        if begun is None:
            raise UsageError(f"nothing of {self._id} is being resolved", hint=f"begin with nova resolve {self._id}")
        words = msgspec.structs.replace(self._words(repository, Taken("", begun.commit, "")), at=begun.at)
        hold_work(repository, self._id, begun.commit)  # its usual ref is about to hold the result
        limits = Limits(self._config.max_file, self._config.max_new)
        taken = take.take(repository, self._id, begun.tip, words, limits)
        rest = conflict.rest_of(repository, self._id, taken, begun.tip, begun.commit)
        if why := ("" if begun.is_decided and not rest.marks else rest.why):
            self._reject(why, f"or leave it out: nova skip {self._id}" if rest.is_empty else "")
        merged = self._merge(repository, begun, taken, words)
        number = len(self._task.kept) + 3  # two may have been kept above
        carry_out(repository, self._id, self._checks.outputs, merged.commit, number, words)
        trees.away(repository, self._id)
        forget(repository, (self._id,))
        repository.disk.unlink(self._mark)
        return merged

    def _reject(self, why: str, other: str = "") -> None:
        """Raise `UsageError`: the tree stays for another try."""
        steps = f"edit in {self.folder}, then: nova resolve {self._id} --done"
        raise UsageError(why, hint=f"{steps}; {other}" if other else steps)

    def _keep_attempt(self, repository: Repository) -> None:
        """Keep what the task's worker has made of the conflict, if that is still in the tree."""
        place, task = self.place, self._task
        if task.unmerged and task.base_sha and os.path.isdir(place.tree(self._id)):
            words = Words(f"{self._id} (not merged)", int(time.time()))
            keep.clear(repository, self._id, len(task.kept) + 2, task.base_sha, words)

    def _merge(self, repository: Repository, begun: Begun, taken: Taken, words: Words) -> Candidate:
        for _ in range(_TRIES):
            found = merge.merge(repository, self._id, self._git.tip, taken, words)
            if isinstance(found, Conflict):
                self._mark.unlink(missing_ok=True)
                text = f"meanwhile others changed the same: {first_of(list(found.files), _MOST_NAMES)}"
                raise UsageError(text, hint=f"once more: nova resolve {self._id}")
            if not isinstance(found, Candidate):  # it was resolved to what is merged already
                found = Candidate(taken.base, taken.base, is_checked=taken.commit is None)
            if not found.is_checked:  # the tree becomes what is checked; edits then begin from there
                merge.bring(repository, self._id, found)
                self._note(repository, msgspec.structs.replace(begun, tip=found.tip, is_decided=True))
            if why := self._checks.failed(self.folder, repository):
                self._reject(f"{self._id} is not merged: {why}")
            if found.commit == found.tip or merge.advance(repository, self._id, found):
                return found
        raise UsageError(f"{branch_of(self._git)} is being moved by others", hint="try again")


def record_resolved(project: Project, task_id: str, merged: Candidate) -> None:
    """Record that the task is done, while no engine runs; else, or if others moved the branch, `nova run` finds out."""
    from nova_core.engine.startup import RunOptions
    from nova_core.orchestrator import Orchestrator
    from nova_core.state.events import EventKind
    from nova_core.state.git_run import MERGED
    from nova_core.state.manager import StateManager
    from nova_core.state.schema import RESET, TaskStatus, unlearned

    plan = StateManager(project.state_file).load().project.cascade_file
    try:
        engine = Orchestrator(project.root / plan, project.state_file, options=RunOptions(renew=False))
    except RunLockedError:
        return
    try:
        store = engine.store
        run, task = store.run.git, store.tasks[task_id]
        if run is None or run.tip != merged.tip or task.status is not TaskStatus.FAILED:
            return
        patch = {**RESET, **unlearned(task), "status": TaskStatus.COMPLETED, "merge": MERGED, "tree": None}
        patch |= {"commit_sha": merged.commit, "files_changed": merged.files[:_MOST_FILES]}
        store.record(
            EventKind.TASK_COMPLETED, task_id, f"{task_id} done: its conflict is resolved",
            **{**patch, "completed_at": engine.clock.stamp(), "git": msgspec.structs.replace(run, tip=merged.commit)},
        )  # fmt: skip
        engine.board.rebuild()
        store.flush()
    finally:
        engine.close()
