"""Decides at the start of a run whether its tasks work in trees of their own, and opens its git."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from nova_core.engine.attempts.parts import Parts
from nova_core.engine.trees.folder_look import not_novas
from nova_core.engine.trees.library import Gits, Library
from nova_core.errors import EnvironmentProblem, UncommittedError
from nova_core.isolation.values import Landing, Place, Stale, Survey
from nova_core.state.events import EventKind
from nova_core.state.git_run import CONFLICT, MERGED, GitRun
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.text import first_of, number_of

_SHORT = 8  # digits of a run's id that name its branch and its trees
_MOST_NAMES = 8
_HEADS = "refs/heads/"


class Opening:
    """What the start of a run finds out, before anything is changed: `run` is what it has in git from now on."""

    def __init__(self, parts: Parts, gits: Gits) -> None:
        self._parts = parts
        self._gits = gits
        self._found = Survey()
        self.is_new = False
        self.is_on = False
        self.run: GitRun | None = None
        self.why_not = ""
        self.warnings: list[str] = []
        self._include: tuple[str, ...] = ()
        self._landed: str | None = None  # by an earlier run of the plan

    def look(self, *, announced: bool) -> None:
        """Survey the repository if tasks are to work in trees, or did; `announced`: new tasks may start.

        Raises `EnvironmentProblem` if they cannot, where settings insist or work is under way, and for files that are
        not committed.
        """
        git = self._parts.store.run.git
        self.is_on = announced and self._is_wanted()
        goes_on = git is not None and is_under_way(git, self._parts.store.tasks.values())
        if not (self.is_on or goes_on):
            return
        self._found = self._gits.look(str(self._parts.project.root))
        if problem := self._found.problem:
            self._refuse(problem, goes_on=goes_on)
            return
        if goes_on:
            self.run = git
            if self.is_on:
                self._warn_of(self._dirty())
        else:
            self.run, self.is_new = self._begin(git), True

    def _is_wanted(self) -> bool:
        parts, how = self._parts, self._parts.config.isolation
        if how != "auto":
            return how == "tree"
        return any(parts.launcher.agents_of(task) for task in parts.board.cascade.tasks.values() if not task.gate)

    def _refuse(self, problem: str, *, goes_on: bool) -> None:
        """Say why tasks are not isolated; an end if they must be."""
        if goes_on or self._parts.config.isolation == "tree":
            hint = "set `isolation: off` in nova.yaml to let all tasks work in the project's folder"
            raise EnvironmentProblem(f"tasks cannot work in trees of their own: {problem}", hint=hint)
        self.is_on, self.why_not = False, problem

    def _begin(self, before: GitRun | None) -> GitRun:
        found, how = self._found, self._parts.config.git.uncommitted
        self._landed = before.landed if before is not None else None
        if found.busy:
            raise EnvironmentProblem(
                f"you are in the middle of {found.busy} in this repository", hint="finish or abort it, then nova run"
            )
        dirty = self._dirty()
        if dirty and how == "refuse" and before is None:
            raise UncommittedError(
                f"{number_of(len(dirty), 'file')} not committed, which the tasks would not have:"
                f" {first_of(dirty, _MOST_NAMES)}",
                dirty,
                hint="commit them, or choose: --uncommitted include (a commit that lands with the rest) or ignore",
            )
        if how == "include":
            self._include = tuple(name for name in dirty if not name.endswith("/"))
            self._warn_of(tuple(name for name in dirty if name.endswith("/")))  # repositories: git would take a link
        elif dirty:
            self._warn_of(dirty)
        place = self._place(self._parts.store.run.id[:_SHORT])
        trees = os.path.dirname(place.trees)
        if before is not None and before.trees.startswith(f"{trees}/"):
            trees = before.trees  # of a copy, whose original has the same run there
        return GitRun(
            name=place.run, base=found.head, ref=place.branch, branch=found.branch, tip=found.head, landed=found.head,
            trees=trees,
        )  # fmt: skip

    def _warn_of(self, dirty: tuple[str, ...]) -> None:
        if dirty:
            names = first_of(dirty, _MOST_NAMES)
            self.warnings.append(f"the tasks do not have what you have not committed: {names}")

    def _dirty(self) -> tuple[str, ...]:
        """Returns the user's files that are not committed, without Nova's own."""
        return not_novas(self._parts, self._found.dirty)

    def _place(self, name: str) -> Place:
        return self._gits.choose_place(self._found, name, self._parts.config.git.trees)

    def open(self) -> Library:
        """Open the run's git once its start is on disk: after the gits of an earlier engine, with the run's branch.

        Raises `EnvironmentProblem`.
        """
        run, parts = self.run, self._parts
        assert run is not None
        place = self._place(run.name)  # but on record, whatever the settings say now
        place = msgspec.structs.replace(place, branch=run.ref, trees=f"{run.trees}/{run.name}")
        library = self._gits.open(place, parts.disk)
        landing = Landing(run.branch or "", run.landing[0], run.landing[1], True) if run.landing else None
        library.sweep(landing)
        if self._landed is not None:
            library.finish(self._landed)  # which removes Nova's own files, too
            library.close()
            library = self._gits.open(place, parts.disk)
        if not self.is_new:
            self._restore(library, run)
            require_tip(library, (self.run or run).tip)
            self._see_landed(library, self.run or run)
        at = int(parts.clock.now())
        tip = library.begin(run.base, self._include, at)
        if self.is_new and tip != run.tip:
            number = number_of(len(self._include), "uncommitted file")
            where = (run.branch or "").removeprefix(_HEADS) or "your branch"
            text = f"your {number} are a commit on {run.ref.removeprefix(_HEADS)}, which lands on {where} with the rest"
            parts.store.record(EventKind.WARNING, None, text, git=msgspec.structs.replace(run, base=tip, tip=tip))
        parts.trees.place = place
        parts.trees.is_on = self.is_on
        parts.trees.dirty = self._dirty()
        return library

    def _restore(self, library: Library, run: GitRun) -> None:
        """Make the run's branch again where it was if somebody deleted it, and say what is lost if it cannot be."""
        tasks = self._parts.store.tasks.items()
        commits = {i: state.commit_sha for i, state in tasks if state.merge == MERGED and state.commit_sha}
        found = library.restore(run.tip, run.landed, commits)
        if found is None or found.tip == run.landed == run.tip:  # which the end of a run removes
            return
        name, changed = run.ref.removeprefix(_HEADS), msgspec.structs.replace(run, tip=found.tip, landing=())
        if found.tip == run.tip:
            text = f"{name} was gone, and is at {found.tip[:10]} again, with all that was merged"
        else:
            ids = first_of(found.lost, _MOST_NAMES)
            again = f"; do it again with nova retry {' '.join(found.lost)}" if found.lost else ""
            text = (
                f"{name} was deleted, and its commits with it by git gc; lost is the work of {ids or 'no task'}{again}"
            )
        self.run = changed if found.tip != run.tip else run
        self._parts.store.record(EventKind.WARNING, None, text, git=self.run)

    def _see_landed(self, library: Library, run: GitRun) -> None:
        """Record that what is merged has landed if the user has merged the run's branch by hand."""
        if run.tip != run.landed and not run.landing and run.branch and library.has_landed(run.branch, run.tip):
            self.run = msgspec.structs.replace(run, landed=run.tip, waits="")
            text = f"{run.branch.removeprefix(_HEADS)} has all that was merged"
            self._parts.store.record(EventKind.RUN_LANDED, None, text, git=self.run)


def require_tip(library: Library, tip: str) -> None:
    """Raise `EnvironmentProblem` if somebody has moved the run's branch back, aside or away from its `tip`."""
    try:
        library.tip(tip)
    except Stale as error:
        library.close()
        raise EnvironmentProblem(str(error), hint=error.hint) from None


def is_under_way(git: GitRun, states: Iterable[TaskState]) -> bool:
    """Returns True if the run's branch has something that is not landed, or tasks have trees."""
    if git.tip != git.landed or git.landing:
        return True
    return any(_has_work(state) for state in states)


def needs_branch(git: GitRun, states: Iterable[TaskState]) -> bool:
    """Returns True if the run's branch is needed after this: by what has not landed, a conflict, or the next engine.

    A tree that stays because git cannot take what its failed task has left needs none.
    """
    failed = TaskStatus.FAILED
    return is_under_way(git, (state for state in states if state.status is not failed or state.merge == CONFLICT))


def _has_work(state: TaskState) -> bool:
    return state.tree is not None or state.is_merging or state.merge == CONFLICT
