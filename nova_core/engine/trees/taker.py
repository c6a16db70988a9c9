"""Takes what an attempt has left in its tree: into a commit if it succeeded, aside if it did not."""

from __future__ import annotations

from functools import partial

import msgspec

from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.criteria import CriteriaRunner
from nova_core.engine.attempts.verdict import Failure
from nova_core.engine.trees.base import Base
from nova_core.isolation.kinds import Rest
from nova_core.isolation.values import Carried, Cleared, Limits, NotTaken, Taken
from nova_core.state.events import EventKind
from nova_core.state.git_run import CONFLICT
from nova_core.state.schema import NEEDED, Reason, TaskState, TaskStatus
from nova_core.text import first_of

MOST_FILES = 1_000  # names that the state keeps of what a task has changed
_MOST_NAMES = 5


class Result(msgspec.Struct, frozen=True):
    """What was taken, what is left of the conflict that was to be resolved, and the ref of the worker's own commits."""

    taken: Taken
    rest: Rest = Rest()
    kept: str | None = None


class Taker:
    """Takes the work of attempts that are over, and puts away the trees that nobody needs."""

    def __init__(self, base: Base, criteria: CriteriaRunner) -> None:
        self._base = base
        self._store = base.store
        self._criteria = criteria

    def over(self, attempt: Attempt, failed: Failure | None) -> None:
        """The attempt's process is over: take its work, then check that; a failed one is finished at once."""
        if failed is not None:
            self._base.finisher.finish(attempt, failed)
        elif self._base.state(attempt.task_id).taken is not None:
            self._criteria.begin(attempt)  # an earlier engine took it
        else:
            self._take(attempt)

    def _take(self, attempt: Attempt) -> None:
        base, task_id, ended = self._base, attempt.task_id, attempt.ended
        git, commit = self._base.parts.config.git, attempt.base_sha or base.run.base
        limits, state, number = Limits(git.max_file, git.max_new), base.state(task_id), base.number_of_kept(task_id)
        words = base.words(task_id, (ended.ended_at if ended else 0.0) or base.parts.clock.now())

        def work() -> Result:
            taken = base.git.take(task_id, commit, words, limits)
            rest = base.git.rest_of(task_id, taken, commit, state.unmerged) if state.unmerged else Rest()
            kept = base.git.keep(task_id, number, commit, words) if taken.own_commits or taken.left_out else None
            return Result(taken, rest, kept)

        base.steps.post(task_id, work, partial(self._taken, attempt), partial(self._not_taken, attempt))

    def _not_taken(self, attempt: Attempt, error: Exception) -> None:
        if self._base.parts.active.get(attempt.task_id) is not attempt:
            return
        text = f"what is in its tree cannot be taken: {error}"
        is_lost = isinstance(error, NotTaken) and error.is_lost_by_retry
        self._base.finisher.finish(attempt, Failure(Reason.NOT_TAKEN, text, may_retry=not is_lost))

    def _taken(self, attempt: Attempt, result: Result) -> None:
        if self._base.parts.active.get(attempt.task_id) is not attempt:
            return
        taken = result.taken
        self._warn(attempt.task_id, taken, result.rest)
        if result.kept:
            self._base.record_kept(attempt.task_id, result.kept)
        if result.rest.why:  # what is recorded as taken is merged
            self._base.finisher.finish(attempt, Failure(Reason.CHECK_FAILED, result.rest.why))
            return
        patch: dict[str, object] = {"taken": taken.commit or taken.base, "files_changed": taken.files[:MOST_FILES]}
        if taken.deleted_most:
            patch["approval"] = NEEDED
        elif self._base.state(attempt.task_id).approval == NEEDED:
            patch["approval"] = None
        text = f"{attempt.task_id}: its work is taken"
        self._store.record(EventKind.TASK_TAKEN, attempt.task_id, text, **patch)
        self._base.when_recorded(partial(self._check, attempt))

    def _check(self, attempt: Attempt) -> None:
        if self._base.parts.active.get(attempt.task_id) is attempt:
            self._criteria.begin(attempt)

    def _warn(self, task_id: str, taken: Taken, rest: Rest) -> None:
        if taken.deleted_most:
            self._base.warn(task_id, f"{task_id} deletes most of the files: it waits for nova approve {task_id}")
        if taken.own_commits and taken.commit is None:
            commits = first_of([commit[:10] for commit in taken.own_commits], _MOST_NAMES)
            self._base.warn(
                task_id, f"{task_id} has left no files, only commits of its own, which are not merged: {commits}"
            )
        if rest.dropped and not rest.why:
            held = self._base.place.held(task_id, self._base.state(task_id).unmerged or "")
            names = first_of(rest.dropped, _MOST_NAMES)
            text = f"{task_id} has resolved its conflict without what it had changed in {names}; that is kept: {held}"
            self._base.warn(task_id, text)
        if taken.left_out:
            self._base.warn(task_id, f"{task_id}: not taken, because git works there: {first_of(taken.left_out, 3)}")
        if taken.withheld:
            self._base.warn(
                task_id, f"{task_id}: not taken, because they were copied into its tree: {first_of(taken.withheld, 3)}"
            )

    # trees that nobody needs

    def settle(self, task_id: str) -> None:
        """Remove the tree of a task that is over; what is in no result is kept in a ref first."""
        state, base = self._base.state(task_id), self._base
        if state.status is TaskStatus.FAILED and state.merge == CONFLICT and state.unmerged:
            self._open_again(task_id, state)
        if state.tree is None or not is_settled(state):
            return
        if state.status is TaskStatus.COMPLETED and not state.skipped:
            base.when_recorded(partial(self._remove, task_id))
            return
        made_from, number = state.base_sha or base.run.base, base.number_of_kept(task_id)
        words = base.words_of_end(task_id, "not merged")

        def then(cleared: Cleared) -> None:
            base.record_cleared(task_id, cleared)
            base.when_recorded(partial(self._remove, task_id))

        base.when_recorded(
            lambda: base.steps.post(
                task_id, lambda: base.git.clear(task_id, number, made_from, words), then,
                partial(self._not_settled, task_id),
            )
        )  # fmt: skip

    def _open_again(self, task_id: str, state: TaskState) -> None:
        """Keep what a worker made of its conflict, which is not resolved; the task's ref holds its own work again."""
        base, number, mine = self._base, self._base.number_of_kept(task_id), state.unmerged or ""
        words = base.words_of_end(task_id, "not resolved")

        def work() -> str | None:
            ref = base.git.keep(task_id, number, state.base_sha or base.run.base, words) if state.tree else None
            base.git.hold(task_id, mine)
            return ref

        def then(ref: str | None) -> None:
            base.record_kept(task_id, ref, taken=mine, unmerged=None)

        base.when_recorded(lambda: base.steps.post(task_id, work, then, partial(self._not_settled, task_id)))

    def _remove(self, task_id: str) -> None:
        state, base = self._base.state(task_id), self._base
        if state.tree is None or not is_settled(state):
            return  # it runs again

        is_merged = state.status is TaskStatus.COMPLETED and not state.skipped
        carry_out = base.carry_out(task_id) if is_merged else Carried

        def work() -> Carried:
            carried = carry_out()  # unless that is done
            if not is_merged:
                base.git.hold_left(task_id)
            base.git.away(task_id)
            base.git.forget((task_id,))
            return carried

        def then(carried: Carried) -> None:
            if task_id in self._store.tasks:
                base.record_carried(task_id, carried)
            if task_id in self._store.tasks:
                text = f"{task_id}: its tree is removed"
                self._store.record(EventKind.TASK_PROGRESS, task_id, text, tree=None)

        base.steps.post(task_id, work, then, partial(self._not_settled, task_id))

    def _not_settled(self, task_id: str, error: Exception) -> None:
        self._base.warn(task_id, f"{task_id}: its tree stays, {self._base.place.tree(task_id)}: {error}")


def is_settled(state: TaskState) -> bool:
    """Returns True if nobody needs the task's tree any more: not for a conflict, nor for what could not be taken."""
    if state.status is TaskStatus.COMPLETED:
        return True
    return state.status is TaskStatus.FAILED and state.merge != CONFLICT and state.reason is not Reason.NOT_TAKEN
