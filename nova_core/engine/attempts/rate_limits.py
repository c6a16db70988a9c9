"""Rate limits: a provider, or one model of it, that refuses requests is held until the time stated; others continue."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nova_core.agents.outcome import Verdict
from nova_core.agents.signs import THIS_MODEL, is_race, limited_model
from nova_core.clock import iso, zone
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.retries import LONGEST_HOLD, Retries
from nova_core.engine.attempts.verdict import Again, Failure
from nova_core.launch.ladder import work_of
from nova_core.model import Task
from nova_core.state.events import EventKind
from nova_core.state.holds import (
    MOST_REFUSALS,
    covers,
    current_holds,
    hold_name,
    is_current,
    is_of,
    is_same_model,
    left,
    refused_words,
)
from nova_core.state.run_clock import wait_left
from nova_core.state.schema import Hold, TaskStatus, Window
from nova_core.state.windows import is_open, seconds_left, window_name
from nova_core.text import duration

WAITS = frozenset({Verdict.RATE_LIMITED, Verdict.OVERLOADED})
REFUSED = WAITS | {Verdict.BAD_CREDENTIALS}
_MOST_OVERLOADS = 4  # in a row before a task that only one agent can do fails: the task may cause them
_LONGEST_GUESS = 1800.0  # seconds; a provider may state more
_SHORTEST = 1.0
_ROUNDING = 1.0  # seconds; two refusals may state the same time
_RESET = 60.0  # seconds; a provider that states less names a pause between requests, not the reset of a limit
_STEP = 0.05  # of a limit: less is no reason to prefer one login to another that does less now
_RACE = 5.0  # seconds; the agent that renewed the login has written it by then


class RateLimits:
    """Knows which providers and models are held, until when, and which tasks wait for them.

    The holds are part of the run, so they survive a restart.
    """

    def __init__(self, parts: Parts, retries: Retries) -> None:
        self._parts = parts
        self._store = parts.store
        self._retries = retries

    # providers and their models

    def held(self, provider: str, agent: str | None = None, model: str | None = None) -> Hold | None:
        """Returns the longest hold that keeps the agent with this model (None: its default) from starting, or None."""
        now = self._store.time()
        found = [hold for hold in self._of(provider, agent, model).values() if is_current(hold, now)]
        return max(found, key=lambda hold: (hold.until is None, left(hold, now)), default=None)

    def _of(self, provider: str, agent: str | None, model: str | None) -> dict[str, Hold]:
        """Returns all holds of the provider that are for this agent and model, also those that are over."""
        quotas = self._store.run.quotas.items()
        return {name: hold for name, hold in quotas if is_of(name, hold, provider) and covers(hold, agent, model)}

    def is_held(self, agent: str, model: str | None = None) -> bool:
        """Returns True if the agent cannot start with this model now."""
        return self.held(self._parts.launcher.provider(agent), agent, model) is not None

    def load(self, agent: str) -> tuple[float, float]:
        """Returns how much of its limits the agent's login has used: by what was reported last, then by what runs."""
        provider, now = self._parts.launcher.provider(agent), self._parts.clock.now()
        windows = self._store.run.windows.get(provider, {}).values()
        used = max((window.used or 0.0 for window in windows if is_open(window, now)), default=0.0)
        running = sum(attempt.by.provider == provider for attempt in self._parts.active.values())
        return used // _STEP, running + used

    def pause(self, provider: str, windows: Mapping[str, Window], at: float) -> None:
        """Hold the provider, or a model of it, until each of these windows ends of which the part `at` is used."""
        for name, window in windows.items():
            wait = seconds_left(window, self._parts.clock.now())
            if window.used is None or window.used < at or wait is None:
                continue
            what = f"{window_name(name)} limit"
            model = limited_model(what)
            hold = Hold(None, f"{what} {window.used:.0%} used; pause_at: {at:.0%}", models=(model,) if model else ())
            known = self._name_of(provider, hold)
            before = self._store.run.quotas.get(known)
            if before is None or (before.until is not None and left(before, self._store.time()) < wait - _ROUNDING):
                self._hold(known, _joined(before, hold, 1), wait)

    def strike(self, provider: str, limit: Hold, wait: float | None, *, served: bool = False) -> Hold:
        """The provider refused: hold it, or the models of `limit`, for `wait` seconds if stated, else longer each time.

        A provider that refuses again right after its stated time is held longer. Refusals of attempts that already ran
        when the hold began do not extend it, unless they state a later time. `served`: the attempt could
        work until then, so what was stated before was right.
        """
        name = self._name_of(provider, limit)
        before = self._store.run.quotas.get(name)
        if before is not None and is_current(before, self._store.time()):
            return self._extend(name, before, limit, wait)
        tries = before.tries + 1 if before and not served else 1
        if wait is None or tries > 1:
            wait = max(wait or 0.0, self._guess(tries))
        return self._hold(name, _joined(before, limit, tries), wait)

    def _name_of(self, provider: str, limit: Hold) -> str:
        for name, hold in self._store.run.quotas.items() if limit.models else ():
            same = (is_same_model(mine, limit.models[0]) for mine in hold.models)
            if is_of(name, hold, provider) and any(same):
                return name
        return hold_name(provider, limit.models)

    def _extend(self, name: str, before: Hold, limit: Hold, wait: float | None) -> Hold:
        remaining = left(before, self._store.time())
        if before.until is not None and wait is not None and wait > remaining + _ROUNDING:
            return self._hold(name, _joined(before, limit, before.tries), wait)
        joined = msgspec.structs.replace(_joined(before, limit, before.tries), reason=before.reason)
        if joined != before:
            self._set(f"{name} rate limited for {', '.join(limit.models + limit.agents)}, too", name, joined)
        return joined

    def _guess(self, tries: int) -> float:
        longest = min(_LONGEST_GUESS, self._parts.config.quota_delay * 2.0 ** min(tries - 1, 20))
        return longest * (0.75 + os.urandom(1)[0] / 510)

    def _hold(self, name: str, hold: Hold, wait: float) -> Hold:
        wait = min(LONGEST_HOLD, max(_SHORTEST, wait))
        until = iso(self._parts.clock.now() + wait)
        hold = msgspec.structs.replace(hold, until=until, due=self._store.time() + wait)
        self._set(f"{name} rate limited for {duration(wait)}: {hold.reason}", name, hold)
        return hold

    def _set(self, text: str, name: str, hold: Hold | None) -> None:
        others = {known: other for known, other in self._store.run.quotas.items() if known != name}
        kind = EventKind.PROVIDER_PAUSED if hold else EventKind.PROVIDER_RESUMED
        self._store.record(kind, None, text, quotas={**others, name: hold} if hold else others)

    def worked(self, provider: str, agent: str | None = None, model: str | None = None) -> None:
        """An agent of the provider finished its work: the next hold starts from the shortest wait again."""
        for name, hold in self._of(provider, agent, model).items():
            if not is_current(hold, self._store.time()):
                self._set(f"{name} no longer rate limited", name, None)

    def lift(self, name: str) -> None:
        """Try the provider or model of this hold again now, with all tasks that wait for it."""
        self._forget(name)
        for task_id in self._waiting_for(name):
            self._release(task_id, refusals=0, overloads=0)

    def correct(self) -> None:
        """Correct the times of the holds that an earlier engine, or a person, has recorded: no hold lasts too long.

        Their stamps are wrong if the system time was set meanwhile, and only stamps say how long on another boot.
        """
        now = self._store.time()
        for name, hold in current_holds(self._store.run, now).items():
            if hold.until is None:
                continue
            wait = min(LONGEST_HOLD, left(hold, now))
            shown = wait_left(None, hold.until, self._parts.clock.now()) or 0.0
            if hold.due is None or left(hold, now) > wait or abs(shown - wait) > _ROUNDING:
                self._hold(name, hold, wait)

    def forget_blocks(self) -> None:
        """Lift the holds for bad credentials: a new run may have new ones."""
        for name, hold in list(self._store.run.quotas.items()):
            if hold.until is None:
                self._forget(name)

    def _forget(self, name: str) -> None:
        if name in self._store.run.quotas:
            self._set(f"{name} will be tried again now", name, None)

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
        """Returns the hold that ends first and its name; None if the task can start."""
        launcher = self._parts.launcher
        if not agents or launcher.choose(task, self) is not None:
            return None
        holds = [self._hold_of(task, agent) for agent in agents]
        timed = [(hold, name) for hold, name in holds if hold is not None and hold.until is not None]
        for_good = holds[0][0] or Hold(None, ""), holds[0][1]
        return min(timed, key=lambda wait: (wait[0].due or 0.0, wait[1]), default=for_good)

    def _hold_of(self, task: Task, agent: str) -> tuple[Hold | None, str]:
        """Returns the hold that keeps the agent from the task, and its name."""
        provider = self._parts.launcher.provider(agent)
        hold = self.held(provider, agent, self._parts.launcher.model_of(task, agent))
        return hold, hold_name(provider, hold.models if hold else ())

    def take_up(self, task_id: str) -> None:
        """Continue a wait that an earlier engine recorded, unless its reason no longer applies."""
        board, state = self._parts.board, self._parts.board.state(task_id)
        if state.waits_for is not None and task_id in board.selected:
            task = work_of(board.task(task_id), state, self._parts.config)
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
        if attempt.verdict is Verdict.BAD_CREDENTIALS and not self._is_new_race(provider, failed.error):
            self.block(provider, failed.error)
        else:
            counts = self._strike(attempt, provider, failed.error)
        task = attempt.task
        wait = self._wait_of(task, self._parts.launcher.agents_of(task))
        hold, waits_for = wait or (None, None)
        is_for_good = hold is not None and hold.until is None
        if self._is_out_of_patience(task, counts, alone=wait is not None) or is_for_good:
            return None, counts
        another = self._parts.launcher.choose(task, self) or "its command"
        how = f"rate limited by {waits_for}" if waits_for else f"continues with {another}"
        why = f"{task.id} {how}{refused_words(counts.get('refusals', 0))}: {failed.error}"
        times = {"retry_at": hold.until, "retry_due": hold.due} if hold else {"retry_at": None, "retry_due": None}
        patch = {**counts, "reason": failed.reason, "error": failed.error, "waits_for": waits_for, **times}
        return Again(EventKind.TASK_HELD, why, patch, waits=hold is not None), counts

    def _is_new_race(self, provider: str, why: str) -> bool:
        """Returns True if the login was only renewed by another agent in the same moment, for the first time in a row.

        Others that met the same race are as new as the first.
        """
        before = self._store.run.quotas.get(provider)
        again = before is not None and is_race(before.reason) and not is_current(before, self._store.time())
        return is_race(why) and not again

    def block(self, provider: str, why: str) -> None:
        """Stop using the provider in this run, whatever time it stated."""
        before = self._store.run.quotas.get(provider)
        if before is None or before.until is not None:
            self._set(f"{provider} not used again in this run: {why}", provider, Hold(None, why, 1))
        for name in [name for name, hold in self._store.run.quotas.items() if is_of(name, hold, provider)]:
            for task_id in self._waiting_for(name):
                self._release(task_id)
                self._parts.board.offer(task_id)

    def _strike(self, attempt: Attempt, provider: str, why: str) -> dict[str, int]:
        """Hold the provider, or its model; returns how often in a row the task has been refused."""
        state = self._store.tasks[attempt.task_id]
        stated = _RACE if attempt.verdict is Verdict.BAD_CREDENTIALS else self._stated_wait(attempt, why)
        served = stated is not None and attempt.log.usage.total > 0
        hold = self.strike(provider, self._limit_of(attempt, why), stated, served=served)
        overloads = state.overloads + 1 if attempt.verdict is Verdict.OVERLOADED else 0
        return {"refusals": state.refusals + self._is_guess(hold, stated), "overloads": overloads}

    def _limit_of(self, attempt: Attempt, why: str) -> Hold:
        """Returns the hold for the attempt's refusal, without its end: for all models, or for those that it names."""
        log, by = attempt.log, attempt.by
        name = log.limited_model or limited_model(f"{why}\n{log.details}")
        name = (log.model or by.model) if name == THIS_MODEL else name
        if name is None or by.agent is None:
            return Hold(None, why)
        own = self._parts.launcher.model_of(attempt.task, by.agent)
        models = (name.lower(),) if own is None or is_same_model(name, own) else (name.lower(), own)
        return Hold(None, why, 1, None, models, (by.agent,) if own is None else ())

    def _is_guess(self, hold: Hold, stated: float | None) -> bool:
        """Returns True if the provider stated no reset, or only a pause after which it refuses again."""
        if stated is not None and stated >= _RESET:
            return False
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
        said = attempt.ended.ended_at if attempt.ended else 0.0  # earlier than now, if no engine was there
        said = said if 0 < said < now else now
        from nova_core.agents.reset_times import wait_in  # its many patterns take 6 ms to compile

        wait = wait_in(f"{words}\n{log.details}", said, zone)
        return max(0.0, said + wait - now) or None if wait else None


def _joined(before: Hold | None, limit: Hold, tries: int) -> Hold:
    """The hold with the models and agents of both."""
    models = dict.fromkeys((*(before.models if before else ()), *limit.models))
    agents = dict.fromkeys((*(before.agents if before else ()), *limit.agents))
    known = before or limit
    return Hold(known.until, limit.reason, tries, known.due, tuple(models), tuple(agents))
