"""Rate limits: a provider that refuses requests is held until the time it stated; other providers continue."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from nova_core.agents import Verdict
from nova_core.agents.reset_times import wait_in
from nova_core.clock import iso, zone
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.retries import LONGEST_HOLD, Retries
from nova_core.engine.attempts.verdict import Again, Failure
from nova_core.model import Task
from nova_core.state.events import EventKind
from nova_core.state.holds import MOST_REFUSALS, current_holds, is_current, left, refused_words
from nova_core.state.run_clock import wait_left
from nova_core.state.schema import Hold, TaskStatus
from nova_core.text import duration

WAITS = frozenset({Verdict.RATE_LIMITED, Verdict.OVERLOADED})
REFUSED = WAITS | {Verdict.BAD_CREDENTIALS}
_MOST_OVERLOADS = 4  # in a row before a task that only one agent can do fails: the task may cause them
_LONGEST_GUESS = 1800.0  # seconds; a provider may state more
_SHORTEST = 1.0
_ROUNDING = 1.0  # seconds; two refusals may state the same time


class RateLimits:
    """Knows which providers are held, until when, and which tasks wait for them.

    The holds are part of the run, so they survive a restart.
    """

    def __init__(self, parts: Parts, retries: Retries) -> None:
        self._parts = parts
        self._store = parts.store
        self._retries = retries

    # providers

    def held(self, provider: str) -> Hold | None:
        """Returns the hold that keeps the provider's agents from starting now, or None."""
        hold = self._store.run.quotas.get(provider)
        return hold if hold is not None and is_current(hold, self._store.time()) else None

    def is_held(self, provider: str) -> bool:
        """Returns True if the provider is held now."""
        return self.held(provider) is not None

    def strike(self, provider: str, why: str, wait: float | None) -> Hold:
        """The provider refused: hold it for `wait` seconds if stated, otherwise longer each time.

        A provider that refuses again right after its stated time is held longer. Refusals of attempts that already ran
        when the hold began do not extend it, unless they state a later time.
        """
        before = self._store.run.quotas.get(provider)
        if before is not None and is_current(before, self._store.time()):
            return self._extend(provider, before, why, wait)
        tries = before.tries + 1 if before else 1
        if wait is None or tries > 1:
            wait = max(wait or 0.0, self._guess(tries))
        return self._hold(provider, why, wait, tries)

    def _extend(self, provider: str, before: Hold, why: str, wait: float | None) -> Hold:
        remaining = left(before, self._store.time())
        if before.until is None or wait is None or wait <= remaining + _ROUNDING:
            return before
        return self._hold(provider, why, wait, before.tries)

    def _guess(self, tries: int) -> float:
        longest = min(_LONGEST_GUESS, self._parts.config.quota_delay * 2.0 ** min(tries - 1, 20))
        return longest * (0.75 + os.urandom(1)[0] / 510)

    def _hold(self, provider: str, why: str, wait: float, tries: int) -> Hold:
        wait = min(LONGEST_HOLD, max(_SHORTEST, wait))
        hold = Hold(iso(self._parts.clock.now() + wait), why, tries, self._store.time() + wait)
        self._set(f"{provider} rate limited for {duration(wait)}: {why}", provider, hold)
        return hold

    def _set(self, text: str, provider: str, hold: Hold | None) -> None:
        others = {name: other for name, other in self._store.run.quotas.items() if name != provider}
        kind = EventKind.PROVIDER_PAUSED if hold else EventKind.PROVIDER_RESUMED
        self._store.record(kind, None, text, quotas={**others, provider: hold} if hold else others)

    def worked(self, provider: str) -> None:
        """An agent of the provider finished its work: the next hold starts from the shortest wait again."""
        hold = self._store.run.quotas.get(provider)
        if hold is not None and not is_current(hold, self._store.time()):
            self._set(f"{provider} no longer rate limited", provider, None)

    def lift(self, provider: str) -> None:
        """Try the provider again now, with all tasks that wait for it."""
        self._forget(provider)
        for task_id in self._waiting_for(provider):
            self._release(task_id, refusals=0, overloads=0)

    def correct(self) -> None:
        """Correct the times of the holds that an earlier engine, or a person, has recorded: no hold lasts too long.

        Their stamps are wrong if the system time was set meanwhile, and only stamps say how long on another boot.
        """
        now = self._store.time()
        for provider, hold in current_holds(self._store.run, now).items():
            if hold.until is None:
                continue
            wait = min(LONGEST_HOLD, left(hold, now))
            shown = wait_left(None, hold.until, self._parts.clock.now()) or 0.0
            if hold.due is None or left(hold, now) > wait or abs(shown - wait) > _ROUNDING:
                self._hold(provider, hold.reason, wait, hold.tries)

    def forget_blocks(self) -> None:
        """Lift the holds for bad credentials: a new run may have new ones."""
        for provider, hold in list(self._store.run.quotas.items()):
            if hold.until is None:
                self._forget(provider)

    def _forget(self, provider: str) -> None:
        if provider in self._store.run.quotas:
            self._set(f"{provider} will be tried again now", provider, None)

    # tasks

    def keep_back(self, task: Task, agents: Sequence[str]) -> bool:
        """Returns True if all these agents are held; the task then waits for the first that is free."""
        wait = self._wait_of(task, agents)
        if wait is None:
            return False
        hold, provider = wait
        self._parts.board.leave(task.id)
        text = f"{task.id} rate limited by {provider}"
        self._store.record(
            EventKind.TASK_HELD, task.id, text, retry_at=hold.until, retry_due=hold.due, waits_for=provider
        )
        if hold.until is not None:
            self._retries.plan(task.id)
        return True

    def _wait_of(self, task: Task, agents: Sequence[str]) -> tuple[Hold, str] | None:
        """Returns the hold that ends first and its provider; None if the task can start."""
        launcher = self._parts.launcher
        if not agents or launcher.choose(task, self.is_held) is not None:
            return None
        holds = [(self.held(provider), provider) for provider in map(launcher.provider, agents)]
        timed = [(hold, provider) for hold, provider in holds if hold is not None and hold.until is not None]
        for_good = holds[0][0] or Hold(None, ""), holds[0][1]
        return min(timed, key=lambda wait: (wait[0].due or 0.0, wait[1]), default=for_good)

    def take_up(self, task_id: str) -> None:
        """Continue a wait that an earlier engine recorded, unless its reason no longer applies."""
        board, state = self._parts.board, self._parts.board.state(task_id)
        if state.waits_for is not None and task_id in board.selected:
            task = board.task(task_id)
            wait = self._wait_of(task, self._parts.launcher.agents_of(task))
            known = state.waits_for, state.retry_at, state.retry_due
            if wait is None or (wait[1], wait[0].until, wait[0].due) != known:
                self._release(task_id)
                return
        if state.retry_at:
            self._retries.plan(task_id)

    def _waiting_for(self, provider: str) -> list[str]:
        states = ((task_id, self._parts.board.state(task_id)) for task_id in self._parts.board.dag.ids)
        return [i for i, state in states if state.waits_for == provider and state.status is TaskStatus.PENDING]

    def _release(self, task_id: str, **patch: Any) -> None:
        """End a task's wait for its provider, so that it is judged again."""
        text = f"{task_id} no longer rate limited by {self._parts.board.state(task_id).waits_for}"
        self._store.record(EventKind.TASK_RESET, task_id, text, retry_at=None, retry_due=None, waits_for=None, **patch)

    # an attempt that was refused

    def refused(self, attempt: Attempt, provider: str, failed: Failure) -> tuple[Again | None, Mapping[str, int]]:
        """Decides what to do with a task that its provider refused; returns also the number of refusals in a row.

        The task runs again later, or at once with another agent, without using up a retry. The decision is None if it
        was refused too often, or if there is no provider to wait for.
        """
        counts: Mapping[str, int] = {}
        if attempt.verdict is Verdict.BAD_CREDENTIALS:
            self.block(provider, failed.error)
        else:
            counts = self._strike(attempt, provider, failed.error)
        task = attempt.task
        wait = self._wait_of(task, self._parts.launcher.agents_of(task))
        hold, waits_for = wait or (None, None)
        is_for_good = hold is not None and hold.until is None
        if self._is_out_of_patience(task, counts, alone=wait is not None) or is_for_good:
            return None, counts
        another = self._parts.launcher.choose(task, self.is_held) or "its command"
        how = f"rate limited by {waits_for}" if waits_for else f"continues with {another}"
        why = f"{task.id} {how}{refused_words(counts.get('refusals', 0))}: {failed.error}"
        times = {"retry_at": hold.until, "retry_due": hold.due} if hold else {"retry_at": None, "retry_due": None}
        patch = {**counts, "reason": failed.reason, "error": failed.error, "waits_for": waits_for, **times}
        return Again(EventKind.TASK_HELD, why, patch, waits=hold is not None), counts

    def block(self, provider: str, why: str) -> None:
        """Stop using the provider in this run, whatever time it stated."""
        before = self._store.run.quotas.get(provider)
        if before is None or before.until is not None:
            self._set(f"{provider} not used again in this run: {why}", provider, Hold(None, why, 1))
        for task_id in self._waiting_for(provider):
            self._release(task_id)
            self._parts.board.offer(task_id)

    def _strike(self, attempt: Attempt, provider: str, why: str) -> dict[str, int]:
        """Hold the provider; returns how often in a row the task has been refused."""
        state, stated = self._store.tasks[attempt.task_id], self._stated_wait(attempt, why)
        hold = self.strike(provider, why, stated)
        overloads = state.overloads + 1 if attempt.verdict is Verdict.OVERLOADED else 0
        return {"refusals": state.refusals + self._is_guess(hold, stated), "overloads": overloads}

    def _is_guess(self, hold: Hold, stated: float | None) -> bool:
        """Returns True if the provider stated no time, or the hold is longer than stated."""
        return stated is None or left(hold, self._store.time()) > stated + _ROUNDING

    def _is_out_of_patience(self, task: Task, counts: Mapping[str, int], *, alone: bool) -> bool:
        refusals, overloads = counts.get("refusals", 0), counts.get("overloads", 0)
        if refusals >= MOST_REFUSALS or (alone and overloads >= _MOST_OVERLOADS):
            text = f"{task.id} given up: rate limited {max(refusals, overloads)} times in a row"
            self._store.record(EventKind.WARNING, task.id, text)
            return True
        return False

    def _stated_wait(self, attempt: Attempt, words: str) -> float | None:
        """Returns seconds until the time the provider stated; None if it stated none, or a time in the past."""
        log, now = attempt.log, self._parts.clock.now()
        if log.resets_at is not None and log.resets_at > now:
            return log.resets_at - now
        return wait_in(f"{words}\n{log.details}", now, zone) or None
