"""Landing while no engine runs: the user's branch and folder get what a run has merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from nova_core.command import Reply
from nova_core.engine.startup import RunOptions
from nova_core.errors import EnvironmentProblem, UsageError
from nova_core.files.own_task import require_person
from nova_core.isolation import landing as steps
from nova_core.isolation.merge import tip_of
from nova_core.isolation.repository import Repository
from nova_core.isolation.sweep import finish, sweep
from nova_core.isolation.values import Followed, GitFailed, Landing, Postponed, Stale
from nova_core.orchestrator import Orchestrator
from nova_core.runs.merging import CHANGED_SAME, branch_of, landing_step, user_branch
from nova_core.state.events import EventKind
from nova_core.state.manager import StateManager
from nova_core.text import first_of
from nova_core.watch.task_diff import place_of, surveyed

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.state.store import Store

_MOST_NAMES = 5
_MOST_FOLLOWS = 3  # a user who commits faster than that lands later


def land_offline(project: Project) -> Reply:
    """Land what is merged, under the run lock; `Reply.ok` is False if something is in the way, which it names.

    Raises `RunLockedError` if an engine is running after all, `EnvironmentProblem` if git fails or the disk is full.
    """
    require_person(project)
    plan = StateManager(project.state_file).load().project.cascade_file
    engine = Orchestrator(project.root / plan, project.state_file, options=RunOptions(renew=False))
    try:
        return _Landing(project, engine.store).land()
    finally:
        engine.close()


class _Landing:
    """One try to land: each step is on disk before it is done."""

    def __init__(self, project: Project, store: Store) -> None:
        run = store.run.git
        if run is None:
            raise UsageError("nothing to land: the tasks of this run work in your folder")
        self._store = store
        self._run = run
        self._place = place_of(surveyed(project.root), run)

    def land(self) -> Reply:
        """Land, after merging commits of the user's into the run's branch where that is needed."""
        name = user_branch(self._run)
        if self._run.branch is None:
            return Reply(False, f"no branch was checked out when the run began; git merge {branch_of(self._run)}")
        repository = Repository(self._place)
        try:
            if not self._is_due(repository):
                self._finish(repository)
                return Reply(True, f"nothing to land: {name} has all that is merged")
            sweep(repository, self._landing(is_open=True) if self._run.landing else None)
            if not repository.is_whole(self._run.tip, self._run.landed):
                text = f"{branch_of(self._run)} was deleted, and git gc has removed its commits"
                return Reply(False, f"nothing can land: {text}; nova run says whose work is lost")
            self._take_in(tip_of(repository, self._run.tip))
            for _ in range(_MOST_FOLLOWS + 1):
                reply = self._once(repository)
                if reply is not None:
                    return reply
            return self._waits(f"{name} gets new commits all the time")
        except Stale as error:
            return self._waits(f"{error} ({error.hint})", stays_open=True)
        except (GitFailed, OSError) as error:
            return self._waits(str(error), stays_open=True)
        finally:
            repository.close()

    def _is_due(self, repository: Repository) -> bool:
        """Returns True if the run's branch has something to land, of the run or of others."""
        run = self._run
        at = repository.read_ref(self._place.branch) or run.tip
        return bool(run.landing) or run.tip != run.landed or at != run.tip

    def _take_in(self, tip: str) -> None:
        """Land what others have added to the run's branch, too."""
        if tip != self._run.tip:
            text = f"commits that others have added to {branch_of(self._run)} land with the rest"
            self._record(EventKind.RUN_LANDING, text, tip=tip)

    def _landing(self, *, is_open: bool) -> Landing:
        old, new = self._run.landing or (self._run.landed, self._run.tip)
        return Landing(self._run.branch or "", old, new, is_open, self._run.base)

    def _once(self, repository: Repository) -> Reply | None:
        """One try; None if commits of the user's were merged, and it is to be tried again."""
        is_open = bool(self._run.landing)
        landing = self._landing(is_open=is_open)
        if not is_open:
            self._record(EventKind.RUN_LANDING, "landing", landing=(landing.old, landing.new))
        found = steps.land(repository, landing)
        if not isinstance(found, Postponed):
            text = f"landed on {user_branch(self._run)}"
            self._record(EventKind.RUN_LANDED, text, landed=landing.new, landing=(), waits="")
            self._finish(repository)
            return Reply(True, text)
        if not found.moved:
            names = f": {first_of(found.files, _MOST_NAMES)}" if found.files else ""
            return self._waits(f"{found.why}{names}")
        followed = steps.follow(repository, landing, int(self._store.time()))
        if isinstance(followed, Followed):
            text = "your own commits are merged into the run's branch"
            self._record(EventKind.RUN_LANDING, text, landing=(), tip=followed.tip, landed=followed.landed)
            return None
        if isinstance(followed, Postponed):
            return self._waits(followed.why)
        return self._waits(f"{CHANGED_SAME}: {first_of(list(followed.files), _MOST_NAMES)}")

    def _finish(self, repository: Repository) -> None:
        """Remove the run's branch, which has landed, and Nova's own files, unless a tree is left."""
        if all(task.tree is None for task in self._store.tasks.values()):
            finish(repository, self._run.landed)

    def _waits(self, why: str, *, stays_open: bool = False) -> Reply:
        text = f"not landed: {why}; what is merged is in {branch_of(self._run)}. Next: {landing_step(self._run, why)}"
        self._record(EventKind.RUN_LANDED, text, landing=self._run.landing if stays_open else (), waits=why)
        return Reply(False, text)

    def _record(self, kind: EventKind, text: str, **changes: object) -> None:
        self._run = msgspec.structs.replace(self._run, **changes)
        self._store.record(kind, None, text, git=self._run)
        if not self._store.flush():
            raise EnvironmentProblem(f"cannot write the state: {self._store.disk_error}")
