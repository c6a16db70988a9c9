"""What a run has left in git, in words, and what of it may be removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nova_core.engine.startup import local_executor
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Started
from nova_core.files.lock import RunLock
from nova_core.git.repository import is_contained
from nova_core.isolation import look
from nova_core.isolation.values import Leftover, Survey
from nova_core.places import copied_from, plan_name
from nova_core.state.schema import TaskStatus
from nova_core.text import clean, first_of, number_of, size

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.state.schema import State

_HEADS = "refs/heads/"
_MOST_NAMES = 5


class Saved(msgspec.Struct, frozen=True):
    """The saved run of a plan in the user's folder."""

    project: Project
    state: State

    @property
    def trees(self) -> str:
        """The folder of its trees on record; empty if that is the one of the project that this is a copy of."""
        git = self.state.run.git
        return "" if git is None or copied_from(self.project) else git.trees

    @property
    def plan(self) -> str:
        """The file of the plan."""
        return self.state.project.cascade_file or "CASCADE.md"


class Cleaning:
    """What is `left` of one run, and its removal; `saved` is the run if it is one of the user's folder."""

    def __init__(self, found: Survey, left: Leftover, saved: Saved | None) -> None:
        self._found, self._left, self._saved = found, left, saved
        self._name = clean(left.branch.removeprefix(_HEADS))
        self.is_landed = self._is_landed()

    def _is_landed(self) -> bool:
        """Returns True if the run's branch is gone, or in the branch of the user's."""
        git = self._saved.state.run.git if self._saved else None
        homes = ("HEAD", git.branch if git else None)
        branch = self._left.branch
        return not branch or any(is_contained(self._found.top, branch, home) for home in homes if home)

    def described(self) -> list[str]:
        """The run, its branch, its trees and its refs, each with its size."""
        left, plan = self._left, self._saved.plan if self._saved else ""
        lines = [f"run {clean(left.run)}" + (f" of {clean(plan)}" if plan else "")]
        if left.branch:
            lines.append(f"  branch {self._name}: {'in' if self.is_landed else 'not in'} your branch")
        paths = [f"{left.folder}/{name}" for name in left.trees]
        lines += [f"  tree {clean(path)}: {size(disk_usage(path))}" for path in paths]
        lines += [f"  {clean(kept.ref)}: {size(kept.size)}" for kept in left.refs]
        return lines if len(lines) > 1 else [*lines, f"  notes of Nova's in {clean(self._found.common)}/nova"]

    def remove(self, *, force: bool, is_named: bool) -> tuple[str, str]:
        """Remove what is landed, with `force` also trees and kept work, and if it `is_named` a branch that is not.

        Returns in words what was removed and what was kept. Raises `RunLockedError` if the run is running,
        `EnvironmentProblem` if it is at work without an engine, `GitFailed`, `OSError`.
        """
        left, goes = self._left, force and (self.is_landed or is_named)
        with self._held(is_named=is_named and force):
            may_go = goes or (self.is_landed and not left.trees)
            part, kept = (
                msgspec.structs.replace(
                    left, branch=left.branch if may_go is out else "", trees=left.trees if force is out else (),
                    refs=left.refs if force is out else (),
                )
                for out in (True, False)
            )  # fmt: skip
            removed = self._in_words(part)
            if removed or not self._in_words(kept):
                look.remove(self._found, part, is_all=not (kept.branch or kept.trees))
                removed = removed or "notes"
        return removed, self._in_words(kept)

    def _in_words(self, part: Leftover) -> str:
        words = [self._name if part.branch else ""]
        words += [number_of(len(part.trees), "tree")] if part.trees else []
        words += [number_of(len(part.refs), "ref")] if part.refs else []
        return ", ".join(filter(None, words))

    def hints(self, *, force: bool) -> list[str]:
        """What the user can do with what is still there."""
        run, found = clean(self._left.run), []
        if not self.is_landed:
            bring = "nova land" if self._saved else f"git merge {self._name}"
            found.append(f"{self._name} has work that is not in your branch: {bring}, or nova clean {run} --force")
        if not force and (self._left.trees or self._left.refs):
            found.append("look at kept work with nova diff ID; nova clean --force removes it")
        return found

    @contextmanager
    def _held(self, *, is_named: bool) -> Iterator[None]:
        """Keep engines off the run meanwhile, and look whether its workers have ended."""
        lock = None
        if self._saved and self._saved.project.nova_dir.is_dir():
            project = self._saved.project
            lock = RunLock(project.lock_file, also=[plan_name(project.root, self._saved.plan)])
        try:
            if self._saved:
                require_ended(self._saved, is_named=is_named)
            if pids := processes_in(self._left.folder):
                text = f"{'process' if len(pids) == 1 else 'processes'} {first_of([*map(str, pids)], _MOST_NAMES)}"
                raise EnvironmentProblem(f"{text} still {'runs' if len(pids) == 1 else 'run'} in its trees")
            yield
        finally:
            if lock:
                lock.close()


def require_ended(saved: Saved, *, is_named: bool) -> None:
    """Raise `EnvironmentProblem` if workers of the run live, finished work waits, or, unless it `is_named`, any work.

    The records of the holders say so, not the state alone: an engine that was killed has not written all.
    """
    project, tasks = saved.project, saved.state.tasks
    reports = []
    if (project.nova_dir / "attempts").is_dir():
        with closing(local_executor(project, "", {})) as executor:
            reports = executor.recover()
    alive = dict.fromkeys(report.key.partition("@")[0] for report in reports if isinstance(report, Started))
    if alive:
        names = clean(first_of([*alive], _MOST_NAMES))
        hint = f"take over with nova run, or end with nova cancel {clean(' '.join([*alive][:_MOST_NAMES]))}"
        raise EnvironmentProblem(f"{'worker' if len(alive) == 1 else 'workers'} of {names} still running", hint=hint)
    under_way = {i: task for i, task in tasks.items() if task.tree and task.status is TaskStatus.IN_PROGRESS}
    if waiting := [i for i, task in under_way.items() if task.awaits_approval or task.merge]:
        names = clean(first_of(waiting, _MOST_NAMES))
        hint = f"decide first: nova approve, nova skip or nova retry {clean(waiting[0])}"
        raise EnvironmentProblem(f"the work of {names} is done, and waits in its tree", hint=hint)
    ended = list(under_way)
    if ended and not is_named:
        names = clean(first_of(ended, _MOST_NAMES))
        raise EnvironmentProblem(f"the work of {names} is in its tree and not taken yet", hint="continue with nova run")


def processes_in(folder: str) -> list[int]:
    """The processes whose working directory is in this folder, as far as they can be seen."""
    found, inside = [], os.path.realpath(folder) + "/"
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if f"{os.readlink(link)}/".startswith(inside):
                found.append(int(link.parent.name))
    return sorted(found)


def disk_usage(folder: str) -> int:
    """The bytes of the files below a folder, without following links; what cannot be read does not count."""
    total, folders = 0, [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
