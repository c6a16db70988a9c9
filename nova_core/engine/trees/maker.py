"""Makes the tree of an attempt, sets it up, and submits the attempt's job once all that is done."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial

import msgspec

from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.verdict import Failure, failure
from nova_core.engine.trees.base import Base
from nova_core.executors.base import Job, Report, Started
from nova_core.files.outputs import marks_of
from nova_core.files.project import step_log_name
from nova_core.isolation.needs import outputs_of
from nova_core.isolation.values import Cleared, Needs
from nova_core.model import Criterion
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason

_TICK = 0.011  # seconds; what a checkout wrote just now has no mark yet (files.outputs)
SETUP = "setup"
_OURS = (".gemini/settings.json",)  # what the launcher may write for an agent


class Maker:
    """Makes trees. `going_on` are attempts that continue in the tree of the one before, by their keys."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._parts = base.parts
        self._store = base.store
        self.going_on: set[str] = set()
        self._before: dict[str, str] = {}  # what the tree that is there was made from, by the keys of attempts
        self._marks: dict[str, Collection[int]] = {}  # of outputs, when the tree was checked out, by tasks
        self._slots: dict[str, int] = {}  # by the keys of attempts
        self._waiting: dict[str, Job] = {}  # by the keys of the commands that set up their trees

    def give(self, attempt: Attempt) -> None:
        """Set the tree of a new attempt, and the commit from which it starts."""
        state = self._base.state(attempt.task_id)
        attempt.tree = self._parts.trees.folder(attempt.task_id)
        resolves = bool(state.conflict) and attempt.by.agent is not None
        if state.tree is not None and state.base_sha and (attempt.session or resolves):
            self.going_on.add(attempt.key)
            attempt.base_sha = state.base_sha
            if attempt.task.outputs and attempt.task_id not in self._marks:  # another engine has made the tree
                start = self._store.database.started({attempt.task_id}).get(attempt.task_id, {})
                self._marks[attempt.task_id] = frozenset(start.get("before", ()))
        else:
            attempt.base_sha = self._base.run.tip
            if state.tree is not None:
                self._before[attempt.key] = state.base_sha or self._base.run.base

    def start(self, attempt: Attempt, job: Job) -> None:
        """Make the tree once the attempt's start is on disk, then submit its job."""
        job = msgspec.structs.replace(job, env={**job.env, "NOVA_SLOT": str(self._slot(attempt))})
        old = self._before.pop(attempt.key, None)
        if old is None:
            self._base.when_recorded(partial(self._make, attempt, job))
        else:
            self._base.when_recorded(partial(self._keep, attempt, job, old))

    def _slot(self, attempt: Attempt) -> int:
        """Returns the smallest number that no running attempt has."""
        running = {other.key for other in self._parts.active.values()}
        self._slots = {key: slot for key, slot in self._slots.items() if key in running and key != attempt.key}
        used = set(self._slots.values())
        free = next(number for number in range(len(used) + 1) if number not in used)
        self._slots[attempt.key] = free
        return free

    def _keep(self, attempt: Attempt, job: Job, old: str) -> None:
        """Keep what an earlier attempt, which began from the commit `old`, has left in the tree."""
        base, task_id = self._base, attempt.task_id
        words, number = base.words(task_id, attempt.started, "not finished"), base.number_of_kept(task_id)

        def then(cleared: Cleared) -> None:
            base.record_cleared(task_id, cleared, tree=None)
            base.when_recorded(partial(self._make, attempt, job))

        base.steps.post(
            task_id, lambda: base.git.clear(task_id, number, old, words), then, partial(self._not_made, attempt)
        )

    def _make(self, attempt: Attempt, job: Job) -> None:
        base, task_id, commit = self._base, attempt.task_id, attempt.base_sha or self._base.run.tip
        needs, goes_on = self._needs(attempt), attempt.key in self.going_on

        def work() -> Collection[int]:
            if not goes_on:
                base.git.make_tree(task_id, commit, needs)
                self._parts.launcher.prepare((attempt.task,), attempt.tree or "")
                base.git.note_written(task_id, _OURS)
            return self._marks_now(attempt, goes_on=goes_on)

        base.steps.post(task_id, work, partial(self._made, attempt, job), partial(self._not_made, attempt))

    def _needs(self, attempt: Attempt) -> Needs:
        """Returns what the tree needs: settings, and the outputs of all tasks that this one depends on."""
        board, git = self._base.board, self._parts.config.git
        above = board.dag.ancestors((attempt.task_id,)) if attempt.task_id in board.dag.index else ()
        return Needs(git.copy, git.link, outputs_of(board.cascade.tasks[i] for i in above))

    def _marks_now(self, attempt: Attempt, *, goes_on: bool) -> Collection[int]:
        """Returns the marks of the outputs when the tree was checked out: all that came later is the task's own."""
        task = attempt.task
        if not task.outputs or task.workspace or attempt.tree is None:
            return ()
        if goes_on:
            return self._marks[task.id]
        time.sleep(_TICK)
        return marks_of(task.outputs, attempt.tree, self._parts.clock.now())

    def _not_made(self, attempt: Attempt, error: Exception) -> None:
        if self._parts.active.get(attempt.task_id) is attempt:
            failed = Failure(Reason.SPAWN_ERROR, f"its tree could not be made: {error}")
            self._base.finisher.finish(attempt, failed)

    def _made(self, attempt: Attempt, job: Job, before: Collection[int]) -> None:
        if self._parts.active.get(attempt.task_id) is not attempt:
            return
        attempt.before = self._marks[attempt.task_id] = before
        if attempt.is_asked_to_end:
            self._base.finisher.finish(attempt, Failure(Reason.CANCELLED, "cancelled"))
        elif self._parts.config.git.setup and attempt.key not in self.going_on:
            self._set_up(attempt, job)
        else:
            self._submit(attempt, job)

    def _set_up(self, attempt: Attempt, job: Job) -> None:
        """Run the project's own command in a new tree."""
        launcher, line = self._parts.launcher, self._parts.config.git.setup or ""
        check = launcher.check(attempt.task, attempt.number, 0, Criterion("", line))
        key, log = f"{attempt.key}+{SETUP}", step_log_name(attempt.task_id, SETUP, self._base.board.cascade.tasks)
        attempt.preparing = key
        self._waiting[key] = job
        self._store.record(
            EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id}: setting up its tree",
            current_step="setting up its tree",
        )  # fmt: skip
        self._base.submit(msgspec.structs.replace(check, key=key, cwd=attempt.tree or "", env=job.env, log=log))

    def prepared(self, attempt: Attempt, report: Report) -> None:
        """Handle a report of the command that sets up a tree."""
        if isinstance(report, Started):
            attempt.pid = report.pid
            return
        job, attempt.preparing = self._waiting.pop(report.key), ""
        self._store.when_published(partial(self._parts.executor.release, [report.key]))
        failed = failure(report, self._parts.config.check_timeout or 0.0)
        if failed is None:
            self._submit(attempt, job)
            return
        log = f"{self._parts.project.logs}/{step_log_name(attempt.task_id, SETUP, self._base.board.cascade.tasks)}"
        error = f"its tree could not be set up: {failed.error} ({log})"
        self._base.finisher.finish(attempt, Failure(failed.reason, error))

    def _submit(self, attempt: Attempt, job: Job) -> None:
        """Submit the job once it is on disk that its tree may hold work, and what was there before."""
        marks = {"before": sorted(attempt.before)} if attempt.before else {}
        self._store.record(
            EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id}: its tree is there",
            attempt=attempt.number, tree=self._parts.trees.path(attempt.task_id), **marks,
        )  # fmt: skip
        self._base.when_recorded(lambda: self._parts.executor.submit(job))
