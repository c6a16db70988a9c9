"""What follows when a task's work cannot be merged: it is resolved once by who made it, else it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nova_core.engine.attempts.evidence import Evidence
from nova_core.engine.attempts.own_trees import unresolved
from nova_core.engine.attempts.retries import Retries
from nova_core.engine.trees.base import Base
from nova_core.isolation.values import Conflict, Taken
from nova_core.state.events import EventKind
from nova_core.state.git_run import CONFLICT
from nova_core.state.schema import Reason, TaskStatus
from nova_core.text import first_of

_MOST_NAMES = 5


class Conflicts:
    """Decides what a conflict, or a merge that does not hold, means for its task."""

    def __init__(self, base: Base, retries: Retries, evidence: Evidence) -> None:
        self._base = base
        self._store = base.store
        self._retries = retries
        self._evidence = evidence

    def met(self, task_id: str, taken: Taken, conflict: Conflict, then: Callable[[], object]) -> None:
        """The task's work does not merge; `then` is called once that is settled."""
        state, files = self._base.state(task_id), dict(conflict.files)
        if self._base.parts.config.git.conflicts == "stop" or state.resolves:
            self._give_up(task_id, files)
            then()
        elif state.agent is None:
            self._again(task_id, files, {})
            then()
        else:
            self._resolve(task_id, taken, conflict, then)

    def _resolve(self, task_id: str, taken: Taken, conflict: Conflict, then: Callable[[], object]) -> None:
        """Put the merge with its marks into the task's own tree, where its agent continues."""
        base = self._base

        def put(held: str) -> None:
            kept = (*base.state(task_id).kept, *(() if held in base.state(task_id).kept else (held,)))
            patch = {"base_sha": conflict.tip, "unmerged": taken.commit, "kept": kept}
            self._again(task_id, dict(conflict.files), patch)
            then()

        def failed(error: Exception) -> None:
            self._give_up(task_id, dict(conflict.files))
            base.warn(task_id, f"{task_id}: its conflict could not be put into its tree: {error}")
            then()

        base.steps.post(task_id, lambda: base.git.put_conflict(task_id, taken, conflict.tip), put, failed)

    def _again(self, task_id: str, files: dict[str, str], patch: dict[str, Any]) -> None:
        """Let the task run once more, from what is merged now."""
        names, resolves = first_of(list(files), _MOST_NAMES), self._base.state(task_id).resolves + 1
        how = "its worker will resolve that" if patch else "it will run again"
        text = f"{task_id} conflicts with what is merged, in {names}: {how}"
        cleared = {"merge": None, "taken": None, "place": 0, "current_step": None, "verifying": False}
        self._store.record(
            EventKind.TASK_RESET, task_id, text, status=TaskStatus.PENDING, conflict=files, resolves=resolves,
            **{**cleared, **patch},
        )  # fmt: skip
        self._base.board.pending_again(task_id)

    def _give_up(self, task_id: str, files: dict[str, str]) -> None:
        others = self._others(files)
        changed = f" (also changed by {first_of(others, _MOST_NAMES)})" if others else ""
        error = f"it could not be merged: {first_of(list(files), _MOST_NAMES)}{changed}"
        ref = self._base.place.ref(task_id)
        self._base.finisher.failed += 1
        self._base.board.fail(
            task_id, f"{task_id} failed: {error}; its work is kept: {ref}", reason=Reason.MERGE_CONFLICT, error=error,
            merge=CONFLICT, conflict=files, current_step=None, verifying=False, unmerged=None,
        )  # fmt: skip

    def fail_for_good(self, task_id: str, error: str) -> None:
        """The task could not be merged, and would not be by another attempt: its work is kept."""
        self._base.finisher.failed += 1
        self._base.board.fail(
            task_id, f"{task_id} failed: {error}", reason=Reason.MERGE_CONFLICT, error=error, current_step=None,
            verifying=False, merge=None,
        )  # fmt: skip

    def _others(self, files: dict[str, str]) -> list[str]:
        """Returns the merged tasks that changed the same files."""
        ids = dict.fromkeys(task_id for _, task_id in self._base.merged)
        return [i for i in ids if not files.keys().isdisjoint(self._base.state(i).files_changed)]

    def fail(self, task_id: str, reason: Reason, error: str) -> None:
        """The merge does not hold: its task is retried if it may be, else it fails."""
        state, task = self._base.state(task_id), self._base.board.task(task_id)
        failures = state.failures + 1
        cleared: dict[str, Any] = {"merge": None, "place": 0, "current_step": None, "verifying": False}
        patch: dict[str, Any] = {
            **cleared, "failures": failures, "reason": reason, "error": error,
            **self._evidence.of_merge(task_id, reason, error),
        }  # fmt: skip
        if not self._retries.are_left(task, failures):
            self._base.finisher.failed += 1
            patch = unresolved(state, patch)
            self._base.board.fail(task_id, f"{task_id} failed: {patch['error']}", **patch)
            return
        delay = self._retries.delay(failures)
        pending = {"status": TaskStatus.PENDING, "taken": None}
        self._store.record(
            EventKind.TASK_RETRYING, task_id, f"{task_id} will run again: {error}",
            **{**patch, **pending, **self._retries.when(delay)},
        )  # fmt: skip
        self._retries.plan(task_id)
        self._base.board.pending_again(task_id)
