"""Whether tasks work in trees of their own, and what an attempt leaves to those who make, take and merge these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec

from nova_core.executors.base import Job, Report
from nova_core.model import Task
from nova_core.state.git_run import CONFLICT
from nova_core.state.schema import Reason, TaskState

if TYPE_CHECKING:  # most runs need neither
    from nova_core.engine.attempts.attempt import Attempt
    from nova_core.engine.attempts.verdict import Failure
    from nova_core.isolation.values import Place

PROJECT = "project"  # in Task.tree


class OwnTrees:
    """The trees of a run: `place` is where they are, None while all tasks work in the project's folder.

    With `is_on`, new attempts get a tree. What follows the steps of an attempt is set by `engine.trees`: `give` sets
    what it works on, before its start is recorded; `start` makes its tree, then submits its job; `prepared` hears of
    the command that sets the tree up; `over` takes its work; `report` hears of jobs that belong to no attempt, `end` of
    one that an earlier engine had started and that is being ended. `keep_back` holds a task back that must work in the
    project's own folder, until it may. `files` are what merged tasks have changed, `dirty` what the user had not
    committed when the run began.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self.is_on = False
        self.files: set[str] = set()
        self.dirty: tuple[str, ...] = ()
        self.give: Callable[[Attempt], object] = _unset
        self.start: Callable[[Attempt, Job], object] = _unset
        self.prepared: Callable[[Attempt, Report], object] = _unset
        self.over: Callable[[Attempt, Failure | None], object] = _unset
        self.report: Callable[[Report], object] = _unset
        self.end: Callable[[str], object] = _unset
        self.keep_back: Callable[[Task], bool] = bool

    def isolates(self, task: Task) -> bool:
        """Returns True if a new attempt at the task gets a tree of its own."""
        return self.is_on and not task.gate and task.tree != PROJECT

    def path(self, task_id: str) -> str:
        """Returns the path of the task's tree."""
        return self._place.tree(task_id)

    def folder(self, task_id: str) -> str:
        """Returns the project's folder in the task's tree."""
        return self._place.folder(task_id)

    def has(self, path: str) -> bool:
        """Returns True if merged tasks have made the file or folder, or one that fits the pattern."""
        folder = f"{path.rstrip('/')}/"
        is_there = path in self.files or any(name.startswith(folder) for name in self.files)
        return is_there or ("*" in path and any(fnmatchcase(name, path) for name in self.files))

    @property
    def _place(self) -> Place:
        assert self.place is not None
        return self.place


def in_tree(job: Job, folder: str, root: str) -> Job:
    """Returns the job as it runs in a tree: `folder` stands there for the project's folder `root`."""
    env = {**job.env, "PWD": folder, "NOVA_PROJECT_ROOT": folder}
    if "NOVA_OUTPUT_DIR" in env:
        env["NOVA_OUTPUT_DIR"] = folder + env["NOVA_OUTPUT_DIR"].removeprefix(root)
    return msgspec.structs.replace(job, cwd=folder, env=env)


def unresolved(state: TaskState, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the patch of a task that failed for good: a conflict that it was to resolve is open again."""
    if not (state.unmerged and state.resolves):
        return {**patch}
    error = f"its conflict is not resolved: {patch['error']}"
    return {**patch, "reason": Reason.MERGE_CONFLICT, "error": error, "merge": CONFLICT}


def _unset(*_: object) -> None:
    raise AssertionError("no tree is made before `engine.trees` is there")
