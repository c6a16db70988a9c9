"""What becomes of a task whose attempt is over: completed, failed, tried again, waiting, or pending as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nova_core.agents import Verdict
from nova_core.clock import Clock, iso
from nova_core.config import Config
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.ledger import Accounts
from nova_core.engine.attempts.rate_limits import Waiting
from nova_core.engine.attempts.retries import Retries
from nova_core.engine.attempts.verdict import FINAL, Failure
from nova_core.executors.base import Executor
from nova_core.files.outputs import missing
from nova_core.plan.board import Board
from nova_core.state.events import EventKind
from nova_core.state.schema import CLEARED, Reason, TaskStatus

_NOT_RETRIED = {Reason.CANCELLED, Reason.LOST, Reason.SPAWN_ERROR, Reason.REJECTED, Reason.BUDGET}


class Settling:
    """Writes down how attempts ended and lets the board go on. `failed` counts what failed for good."""

    def __init__(
        self, board: Board, executor: Executor, config: Config, clock: Clock, active: dict[str, Attempt],
        accounts: Accounts, retries: Retries, waiting: Waiting,
    ) -> None:  # fmt: skip
        self._board = board
        self._executor = executor
        self._config = config
        self._clock = clock
        self._active = active
        self._accounts = accounts
        self._retries = retries
        self._waiting = waiting
        self._settled: list[str] = []
        self.failed = 0

    def settle(self, attempt: Attempt, failed: Failure | None) -> None:
        """The attempt is over: write down how, free what it held, and let the board go on."""
        task_id = attempt.task_id
        del self._active[task_id]
        self._board.leave(task_id)
        patch = self._accounts.final_patch(attempt)
        if failed is None and self._board.task(task_id).approval:
            self._await_approval(task_id, patch)
        elif failed is None:
            self._board.record(
                EventKind.TASK_COMPLETED, task_id, f"{task_id} completed", **patch, status=TaskStatus.COMPLETED,
                current_step=None, error=None, reason=None,
            )  # fmt: skip
            self._board.completed(task_id)
        elif attempt.interrupted and failed[0] is Reason.CANCELLED:
            patch |= {"status": TaskStatus.PENDING, "current_step": None}
            self._board.record(EventKind.TASK_RESET, task_id, f"{task_id} was interrupted; it will run again", **patch)
            self._board.pending_again(task_id)
        elif attempt.session and attempt.verdict is Verdict.FAILED and not attempt.usage.total:
            patch |= {"status": TaskStatus.PENDING, "current_step": None, "session_id": None, "reason": None}
            self._board.record(EventKind.TASK_RESET, task_id, f"{task_id} starts anew: its session is gone", **patch)
            self._board.pending_again(task_id)
        elif not self._waiting.leaves(attempt, patch, failed):
            self._fail(attempt, patch, failed)
        self._accounts.close(attempt, failed)
        if not self._settled:
            self._board.store.when_published(self._release)
        checks = (f"{attempt.key}+{number}" for number in range(1, attempt.check + 1))
        self._settled += [attempt.key, *checks]

    def open_gate(self, task_id: str, root: Path) -> None:
        """What a gate stands for is done: let those behind it go, if the outputs of those before it are all there."""
        absent = missing(self._board.task(task_id).outputs, root)
        self._board.leave(task_id)
        if absent:
            error = f"missing outputs: {', '.join(absent)}"
            self.failed += 1
            self._board.fail(task_id, f"{task_id} failed: {error}", reason=Reason.MISSING_OUTPUTS, error=error)
            return
        patch = {**CLEARED, "status": TaskStatus.COMPLETED, "completed_at": iso(self._clock.now()), "gate": True}
        self._board.record(EventKind.TASK_COMPLETED, task_id, f"{task_id} is open", **patch)
        self._board.completed(task_id)

    def _await_approval(self, task_id: str, patch: dict[str, Any]) -> None:
        self._board.record(
            EventKind.TASK_WAITING, task_id, f"{task_id} waits for approval: `nova approve {task_id}`",
            **patch, approval="waiting", current_step="waiting for approval",
        )  # fmt: skip

    def _fail(self, attempt: Attempt, patch: dict[str, Any], failed: Failure) -> None:
        task_id = attempt.task_id
        reason, error = failed
        failures = self._board.state(task_id).failures + 1
        patch |= {"failures": failures, "error": error, "reason": reason, "current_step": None}
        retried = reason not in _NOT_RETRIED and attempt.verdict not in FINAL
        if retried and failures <= self._retries_of(attempt):
            delay = self._retries.delay(failures)
            text = f"{task_id} failed ({error}); retry {failures} in {delay:.1f} s"
            retry_at = iso(self._clock.now() + delay)
            self._board.record(
                EventKind.TASK_RETRYING, task_id, text, **patch, status=TaskStatus.PENDING, retry_at=retry_at
            )
            self._retries.plan(task_id, retry_at)
            self._board.pending_again(task_id)
            return
        self.failed += 1
        self._board.fail(task_id, f"{task_id} failed: {error}", **patch)

    def _retries_of(self, attempt: Attempt) -> int:
        if attempt.task_id in self._board.leaving or (attempt.cancelled and not attempt.interrupted):
            return 0
        own = self._board.task(attempt.task_id).retries
        return self._config.retries if own is None else own

    def _release(self) -> None:
        self._executor.release(self._settled)
        self._settled = []
