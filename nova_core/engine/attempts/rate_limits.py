"""Tasks and the providers of their agents: who must wait, who goes on with another agent, and until when."""

from __future__ import annotations

from typing import Any

from nova_core.agents import Verdict
from nova_core.agents.signs import wait_in
from nova_core.clock import Clock
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.quota import Quotas
from nova_core.engine.attempts.retries import Retries
from nova_core.engine.attempts.verdict import Failure
from nova_core.launch.launcher import Launcher
from nova_core.model import Task
from nova_core.plan.board import Board
from nova_core.state.events import EventKind
from nova_core.state.holds import MOST_REFUSALS, left, refused_words
from nova_core.state.schema import Hold, TaskStatus

WAITS = frozenset({Verdict.RATE_LIMITED, Verdict.OVERLOADED})
_LEAVES = WAITS | {Verdict.BAD_CREDENTIALS}
_MOST_OVERLOADS = 4  # in a row before a task fails that no other agent can do: it may be the task that causes them
_ROUNDING = 1.0  # seconds


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
        wait = self._wait_of(self._board.task(task_id))
        if wait is None:
            return False
        until, provider = wait
        self._board.leave(task_id)
        text = f"{task_id} waits for {provider}"
        self._board.record(EventKind.TASK_HELD, task_id, text, retry_at=until, waits_for=provider)
        if until is not None:
            self._retries.plan(task_id, until, far=True)
        return True

    def _wait_of(self, task: Task) -> tuple[str | None, str] | None:
        """Until when a task that cannot start has to wait (None: not in this run), and for which provider."""
        names = self._launcher.agents_of(task)
        if not names or self._launcher.choose(task, self.is_held) is not None:
            return None
        holds = [(self._quotas.held(provider), provider) for provider in map(self._launcher.provider, names)]
        timed = [(hold.until, provider) for hold, provider in holds if hold is not None and hold.until is not None]
        return min(timed, default=(None, holds[0][1]))

    def take_up(self, task_id: str) -> None:
        """Go on with the pause of an earlier engine, unless what it waited for is no longer so."""
        state = self._board.state(task_id)
        waits = state.waits_for is not None and task_id in self._board.selected
        if waits and self._wait_of(self._board.task(task_id)) != (state.retry_at, state.waits_for):
            release(self._board, task_id)
        elif state.retry_at:
            self._retries.plan(task_id, state.retry_at, far=state.waits_for is not None)

    def leaves(self, attempt: Attempt, patch: dict[str, Any], failed: Failure) -> bool:
        """Whether the end is its provider's doing, and the task can still be done: later, or by another agent.

        Then this is recorded, and uses up no retry.
        """
        if attempt.provider is None or attempt.verdict not in _LEAVES:
            return False
        if attempt.verdict is Verdict.BAD_CREDENTIALS:
            self._block(attempt.provider, failed[1])
        else:
            patch |= self._strike(attempt, attempt.provider, failed[1])
        task = self._board.task(attempt.task_id)
        wait = self._wait_of(task)
        if self._is_out_of_patience(task, patch, alone=wait is not None) or (wait is not None and wait[0] is None):
            return False
        until, provider = wait or (None, None)
        patch |= {
            "status": TaskStatus.PENDING, "current_step": None, "reason": failed[0], "error": failed[1],
            "waits_for": provider, "retry_at": until,
        }  # fmt: skip
        another = self._launcher.choose(task, self.is_held) or "its command"
        how = f"waits for {provider}" if provider else f"goes on with {another}"
        text = f"{task.id} {how}{refused_words(patch['refusals'])}: {failed[1]}"
        self._board.record(EventKind.TASK_HELD, task.id, text, **patch)
        if until is not None:
            self._retries.plan(task.id, until, far=True)
        self._board.pending_again(task.id)
        return True

    def _block(self, provider: str, why: str) -> None:
        self._quotas.block(provider, why)
        for task_id in waiting_for(self._board, provider):
            release(self._board, task_id)
            self._board.offer(task_id)

    def _strike(self, attempt: Attempt, provider: str, why: str) -> dict[str, int]:
        """Leave the provider alone for a while; how often in a row the task was refused by now."""
        state, stated = self._board.state(attempt.task_id), self._stated_wait(attempt, why)
        hold = self._quotas.strike(provider, why, stated)
        overloads = state.overloads + 1 if attempt.verdict is Verdict.OVERLOADED else 0
        return {"refusals": state.refusals + self._is_guess(hold, stated), "overloads": overloads}

    def _is_guess(self, hold: Hold, stated: float | None) -> bool:
        """Whether the hold is not as long as the provider itself said."""
        return stated is None or (left(hold.until, self._clock.now()) or 0.0) > stated + _ROUNDING

    def _is_out_of_patience(self, task: Task, counts: dict[str, Any], *, alone: bool) -> bool:
        if counts["refusals"] >= MOST_REFUSALS or (alone and counts["overloads"] >= _MOST_OVERLOADS):
            text = f"{task.id} is given up: refused {max(counts['refusals'], counts['overloads'])} times in a row"
            self._board.record(EventKind.WARNING, task.id, text)
            return True
        return False

    def _stated_wait(self, attempt: Attempt, words: str) -> float | None:
        """Seconds until the provider serves again, if it said so; a moment that is past says nothing."""
        log, now = attempt.log, self._clock.now()
        if log.resets_at is not None and log.resets_at > now:
            return log.resets_at - now
        wait = wait_in(words, now) if log.retry_after is None else log.retry_after
        return wait or None


def waiting_for(board: Board, provider: str) -> list[str]:
    """The tasks that wait for the provider."""
    states = ((task_id, board.state(task_id)) for task_id in board.dag.ids)
    return [i for i, state in states if state.waits_for == provider and state.status is TaskStatus.PENDING]


def release(board: Board, task_id: str, **patch: Any) -> None:
    """Let a task that waits for a provider be judged anew."""
    text = f"{task_id} waits no longer for {board.state(task_id).waits_for}"
    board.record(EventKind.TASK_RESET, task_id, text, retry_at=None, waits_for=None, **patch)
