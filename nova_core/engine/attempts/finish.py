"""Decides what to do with a task whose attempt is over, then records it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from nova_core.agents.outcome import Verdict
from nova_core.engine.attempts.attempt import Attempt, EndedBy, Figures
from nova_core.engine.attempts.budget import Budget
from nova_core.engine.attempts.evidence import Evidence, Lesson
from nova_core.engine.attempts.ledger import Ledger
from nova_core.engine.attempts.own_trees import unresolved
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.rate_limits import REFUSED, RateLimits
from nova_core.engine.attempts.retries import Retries
from nova_core.engine.attempts.used_up import UsedUp
from nova_core.engine.attempts.verdict import FINAL, Again, Completed, Decision, Failed, Failure, NeedsApproval, Queued
from nova_core.files.outputs import missing
from nova_core.runs.words import LEFT_UNCHECKED, TO_BE_CHECKED
from nova_core.state.events import EventKind
from nova_core.state.git_run import QUEUED, GitRun
from nova_core.state.schema import CLEARED, NEEDED, Reason, TaskStatus, unlearned
from nova_core.text import duration

_NOT_RETRIED = {Reason.CANCELLED, Reason.LOST, Reason.SPAWN_ERROR, Reason.REJECTED, Reason.BUDGET}


def _words_of_stop(lesson: Lesson) -> str:
    """Returns why a task with a ladder is not tried again."""
    same = "failed for the same reason twice in a row"
    return f"{same}: {lesson.climbs} is not tried" if lesson.climbs else f"{same}: not tried again"


class Finisher:
    """Finishes attempts and updates the board. `failed` counts the tasks that failed for good."""

    def __init__(
        self, parts: Parts, ledger: Ledger, rate_limits: RateLimits, retries: Retries, budget: Budget,
        evidence: Evidence,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._store = parts.store
        self._board = parts.board
        self._ledger = ledger
        self._rate_limits = rate_limits
        self._retries = retries
        self._evidence = evidence
        self._budget = budget
        self._used_up = UsedUp(parts)
        self.failed = 0

    def finish(self, attempt: Attempt, failed: Failure | None) -> None:
        """Finish an attempt, failed or not: decide what to do with its task, record it, release what it held."""
        del self._parts.active[attempt.task_id]
        self._board.leave(attempt.task_id)
        figures = attempt.figures(self._parts.prices)
        patch = self._ledger.final_patch(attempt, figures)
        decision = self._done(attempt) if failed is None else self._decide(attempt, failed, figures, patch)
        self._write(attempt.task_id, decision, patch)
        self._ledger.close(attempt, figures, failed)
        self._store.when_published(partial(self._parts.executor.release, [attempt.key, *attempt.checks]))

    def leave(self, attempt: Attempt) -> None:
        """Leave an attempt whose command succeeded to the next engine, which checks its criteria: this run ends."""
        del self._parts.active[attempt.task_id]
        self._board.leave(attempt.task_id)
        self._store.record(
            EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id} {TO_BE_CHECKED}: {LEFT_UNCHECKED}",
            current_step=LEFT_UNCHECKED, **self._ledger.unchecked_patch(attempt),
        )  # fmt: skip
        self._store.when_published(partial(self._parts.executor.release, attempt.checks))

    # decide

    def _done(self, attempt: Attempt) -> Decision:
        if attempt.task.approval not in ("", "before"):
            return NeedsApproval()
        if attempt.tree is None:
            return Completed()
        return NeedsApproval() if self._store.tasks[attempt.task_id].approval == NEEDED else Queued()

    def _decide(self, attempt: Attempt, failed: Failure, figures: Figures, final: Mapping[str, Any]) -> Decision:
        """Decides whether the task of a failed attempt runs again, when and why; `final` is what it left."""
        task_id = attempt.task_id
        if failed.reason is Reason.CANCELLED and attempt.is_interrupted:
            return Again(EventKind.TASK_RESET, f"{task_id} interrupted; will run again")
        if attempt.session and attempt.verdict is Verdict.FAILED and not figures.tokens:
            reset = {"session_id": None, "reason": None}
            return Again(EventKind.TASK_RESET, f"{task_id} starts again: its session is gone", reset)
        if failed.reason is Reason.BUDGET and self._budget.continues(attempt, figures):
            why = f"{task_id} held: it continues with its next share of the budget ({failed.error})"
            return Again(EventKind.TASK_HELD, why, {"reason": failed.reason, "error": failed.error})
        counts: Mapping[str, int] = {}
        if attempt.by.provider is not None and attempt.verdict in REFUSED:
            again, counts = self._rate_limits.refused(attempt, attempt.by.provider, failed)
            if again is not None:
                return again
        failures = self._store.tasks[task_id].failures + 1
        lesson = self._evidence.lesson(attempt, failed, final.get("files_changed", ()))
        patch = {**counts, **lesson.patch, "failures": failures, "error": failed.error, "reason": failed.reason}
        if not self._may_retry(attempt, failed, failures, lesson):
            return Failed(patch)
        if lesson.repeats:
            return Failed({**patch, "error": f"{failed.error}; {_words_of_stop(lesson)}"})
        delay = self._retries.delay(failures)
        by = f" by {lesson.climbs}" if lesson.climbs else ""
        why = f"{task_id} retrying in {duration(delay)}{by}: {failed.error}"
        return Again(EventKind.TASK_RETRYING, why, {**patch, **self._retries.when(delay)}, waits=True)

    def _may_retry(self, attempt: Attempt, failed: Failure, failures: int, lesson: Lesson) -> bool:
        if not failed.may_retry or failed.reason in _NOT_RETRIED or attempt.verdict in FINAL:
            return False
        if attempt.ending is EndedBy.PERSON or attempt.task_id in self._board.leaving:
            return False
        return self._retries.are_left(attempt.task, failures) or lesson.climbs is not None

    # write

    def _write(self, task_id: str, decision: Decision, patch: dict[str, Any]) -> None:
        """Record the decision with the attempt's figures, and update the board."""
        record = self._store.record
        if isinstance(decision, Completed):
            self.complete(task_id, patch)
        elif isinstance(decision, NeedsApproval):
            record(
                EventKind.TASK_WAITING, task_id, f"{task_id} needs approval: `nova approve {task_id}`",
                **patch, approval="waiting", current_step="waiting for approval",
            )  # fmt: skip
        elif isinstance(decision, Queued):
            self.queue(task_id, f"{task_id} waits for its merge", patch)
        elif isinstance(decision, Again):
            pending = {"status": TaskStatus.PENDING, "current_step": None}
            record(decision.kind, task_id, decision.why, **{**patch, **pending, **decision.patch})
            if decision.waits:
                self._retries.plan(task_id)
            self._board.pending_again(task_id)
        else:
            self.failed += 1
            found = unresolved(self._store.tasks[task_id], decision.patch)
            text = f"{task_id} failed: {found['error']}"
            self._board.fail(task_id, text, **{**patch, **found, "current_step": None})

    def queue(self, task_id: str, text: str, patch: Mapping[str, Any]) -> None:
        """Put a task whose work is done, and taken from its tree, into the queue of merges."""
        git = self._store.run.git or GitRun()
        place = git.queued + 1
        self._store.record(
            EventKind.TASK_QUEUED, task_id, text, **{**patch, "merge": QUEUED, "place": place, "current_step": QUEUED,
            "git": msgspec.structs.replace(git, queued=place)},
        )  # fmt: skip

    def complete(self, task_id: str, patch: Mapping[str, Any]) -> None:
        """The task is completed: record it, with the tasks whose outputs it has used up, and queue what can now start.

        With trees, no output of another task is in the project's folder before it lands, so none is used up.
        """
        known = self._store.run.used_up
        used_up = self._used_up.by(task_id) if self._parts.trees.place is None else known
        self._store.record(
            EventKind.TASK_COMPLETED, task_id, f"{task_id} done", **patch, status=TaskStatus.COMPLETED,
            current_step=None, error=None, reason=None, **unlearned(self._store.tasks[task_id]),
            **({"used_up": used_up} if used_up != known else {}),
        )  # fmt: skip
        self._board.completed(task_id)

    def open_gate(self, task_id: str) -> None:
        """Open a gate whose tasks are done, if all their outputs exist; otherwise it fails."""
        absent = missing(self._board.task(task_id).outputs, self._parts.project.root)
        absent = [path for path in absent if not self._parts.trees.has(path)]
        self._board.leave(task_id)
        if absent:
            error = f"missing outputs: {', '.join(absent)}"
            self.failed += 1
            self._board.fail(task_id, f"{task_id} failed: {error}", reason=Reason.MISSING_OUTPUTS, error=error)
            return
        patch = {**CLEARED, "status": TaskStatus.COMPLETED, "completed_at": self._parts.clock.stamp(), "gate": True}
        self._store.record(EventKind.TASK_COMPLETED, task_id, f"{task_id} is open", **patch)
        self._board.completed(task_id)
