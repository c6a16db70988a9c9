"""Tasks and the providers of their agents: who must wait, who goes on with another agent, and until when."""

from __future__ import annotations

from typing import Any

from nova_core.agents import Verdict
from nova_core.agents.signs import wait_in
from nova_core.attempt import Attempt
from nova_core.board import Board
from nova_core.clock import Clock
from nova_core.events import EventKind
from nova_core.launch import Launcher
from nova_core.quota import Quotas
from nova_core.record import TaskStatus
from nova_core.retries import Retries
from nova_core.verdict import Failure

WAITS = frozenset({Verdict.RATE_LIMITED, Verdict.OVERLOADED})
_LEAVES = WAITS | {Verdict.BAD_CREDENTIALS}
_PATIENCE = 4  # times in a row a provider may be overloaded before a task fails of it


class Waiting:
    """Lets tasks wait for the provider of their agent, or look for another agent."""

    def __init__(self, board: Board, launcher: Launcher, quotas: Quotas, retries: Retries, clock: Clock) -> None:
        self._board = board
        self._launcher = launcher
        self._quotas = quotas
        self._retries = retries
        self._clock = clock

    def is_held(self, provider: str) -> bool:
        """Whether the provider is left alone now."""
        return self._quotas.held(provider) is not None

    def must_wait(self, task_id: str) -> bool:
        """Whether every agent that may do the task is left alone now; then it waits for the first to serve again."""
        task = self._board.task(task_id)
        names = self._launcher.agents_of(task)
        if not names or self._launcher.choose(task, self.is_held) is not None:
            return False
        holds = [(self._quotas.held(provider), provider) for provider in map(self._launcher.provider, names)]
        timed = [(hold.until, provider) for hold, provider in holds if hold is not None and hold.until is not None]
        until, provider = min(timed, default=(None, holds[0][1]))
        self._board.leave(task_id)
        text = f"{task_id} waits for {provider}"
        self._board.record(EventKind.TASK_HELD, task_id, text, retry_at=until, waits_for=provider)
        if until is not None:
            self._retries.plan(task_id, until, far=True)
        return True

    def leaves(self, attempt: Attempt, patch: dict[str, Any], failed: Failure) -> bool:
        """Whether the end is its provider's doing, and the task can still be done: later, or by another agent.

        Then this is recorded, and uses up no retry.
        """
        if attempt.provider is None or attempt.verdict not in _LEAVES:
            return False
        until: str | None = None
        if attempt.verdict is Verdict.BAD_CREDENTIALS:
            self._quotas.block(attempt.provider, failed[1])
        else:
            hold = self._quotas.strike(attempt.provider, failed[1], self._stated_wait(attempt, failed[1]))
            if attempt.verdict is Verdict.OVERLOADED and hold.tries >= _PATIENCE:
                return False
            until = hold.until
        task = self._board.task(attempt.task_id)
        another = self._launcher.choose(task, self.is_held)
        if until is None and another is None:
            return False
        patch |= {
            "status": TaskStatus.PENDING, "current_step": None, "reason": failed[0], "error": failed[1],
            "waits_for": None if another else attempt.provider, "retry_at": None if another else until,
        }  # fmt: skip
        text = f"{task.id} goes on with {another}" if another else f"{task.id} waits for {attempt.provider}"
        self._board.record(EventKind.TASK_HELD, task.id, f"{text}: {failed[1]}", **patch)
        if until is not None and another is None:
            self._retries.plan(task.id, until, far=True)
        self._board.pending_again(task.id)
        return True

    def _stated_wait(self, attempt: Attempt, words: str) -> float | None:
        """Seconds until the provider serves again, if it said so."""
        log, now = attempt.log, self._clock.now()
        if log.resets_at is not None:
            return log.resets_at - now
        return wait_in(words, now) if log.retry_after is None else log.retry_after
