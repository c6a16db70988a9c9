"""Judges an attempt: by its log while it runs, by its exit and its log when it has ended."""

from __future__ import annotations

from collections.abc import Mapping

from nova_core.agents.outcome import Ending, Outcome, Verdict
from nova_core.agents.windows import Window
from nova_core.engine.attempts.attempt import Attempt, EndedBy
from nova_core.engine.attempts.budget import Budget
from nova_core.engine.attempts.live_records import started
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.rate_limits import REFUSED, RateLimits
from nova_core.engine.attempts.usage_windows import UsageWindows
from nova_core.engine.attempts.verdict import Failure, agent_failure, exit_code_of, failure, log_failure, of_ending
from nova_core.executors.base import Ended, EndReason
from nova_core.launch.invocation import agent_named
from nova_core.state.events import EventKind


class Judge:
    """Decides why an attempt fails, and sets its verdict."""

    def __init__(self, parts: Parts, rate_limits: RateLimits, budget: Budget) -> None:
        self._parts = parts
        self._budget = budget
        self._rate_limits = rate_limits
        self._windows = UsageWindows(parts)
        self._kept: dict[str, Mapping[str, Window]] = {}  # what each attempt has reported of its limits

    def hopeless(self, attempt: Attempt) -> Ending | None:
        """Returns why the attempt cannot succeed or has reached its cap; None otherwise."""
        if attempt.log.hopeless is not None or attempt.cap is None or attempt.log.is_final:
            return attempt.log.hopeless
        spent = self._budget.spent_by(attempt)
        reached = Ending(Verdict.OVER_BUDGET, f"${spent:.2f} of ${attempt.cap:.2f} spent")
        return reached if spent >= attempt.cap else None

    def must_end(self, attempt: Attempt) -> Ending | None:
        """Returns why a running attempt must end now; its share of the budget grows first, if the run has money."""
        found = self.hopeless(attempt)
        has_reached_cap = found is not None and attempt.log.hopeless is None
        return None if has_reached_cap and self._budget.extend(attempt) else found

    def failure(self, attempt: Attempt, ended: Ended) -> Failure | None:
        """Returns why the attempt failed, once its whole log is read; None if it succeeded."""
        self._recover_tokens(attempt)
        self.keep_windows(attempt)
        limit = self._limit(attempt, ended)
        if last := self._last_word(attempt, ended):
            self._take(attempt, last)
            return log_failure(last)
        if ending := self._ended_by_nova(attempt, ended):
            attempt.verdict = ending.verdict
            return of_ending(ending)
        if attempt.by.agent is None or not attempt.log.judges:
            return failure(ended, limit)
        outcome = attempt.outcome(exit_code_of(ended), self._parts.prices)
        self._take(attempt, outcome)
        return agent_failure(ended, outcome, limit)

    def keep_windows(self, attempt: Attempt) -> None:
        """Keep what the attempt has reported of its provider's limits; hold the provider if enough of one is used."""
        if attempt.by.agent is not None:
            self._keep_windows(attempt, {**attempt.log.windows, **(attempt.live.windows if attempt.live else {})})

    def _keep_windows(self, attempt: Attempt, windows: Mapping[str, Window]) -> None:
        name, provider = attempt.by.agent, attempt.by.provider
        if not windows or self._kept.get(attempt.key) == windows:
            return  # another attempt may have reported more since
        self._kept[attempt.key] = windows
        if not (provider and name and self._windows.take(provider, windows)):
            return
        agent = agent_named(self._parts.config, name)
        if agent is not None and agent.pause_at is not None:
            self._rate_limits.pause(provider, self._parts.store.run.windows[provider], agent.pause_at)

    def _last_word(self, attempt: Attempt, ended: Ended) -> Outcome | None:
        """Returns the outcome by the agent's own last event, if that counts more than what ended its process.

        A success counts whatever ended the process, unless a person cancels the task.
        """
        if attempt.by.agent is None or ended.reason in (EndReason.EXIT, EndReason.SPAWN_ERROR):
            return None
        if attempt.ending is EndedBy.PERSON or not attempt.safely(lambda: attempt.log.is_final, False):
            return None
        outcome = attempt.outcome(None, self._parts.prices)
        is_own = attempt.ending in (None, EndedBy.QUIET) and outcome.verdict is not Verdict.INTERRUPTED
        return outcome if is_own or outcome.verdict is Verdict.DONE else None

    def _take(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.verdict = outcome.verdict
        by = attempt.by
        if by.agent and by.provider and outcome.verdict not in REFUSED:
            model = self._parts.launcher.model_of(attempt.task, by.agent)
            self._rate_limits.worked(by.provider, by.agent, model)

    def _ended_by_nova(self, attempt: Attempt, ended: Ended) -> Ending | None:
        """Returns why Nova ended the attempt; for an adopted attempt only its log shows that."""
        if ended.reason is not EndReason.CANCELLED or attempt.is_asked_to_end:
            return None
        if isinstance(attempt.ending, Ending):
            return attempt.ending
        return None if attempt.is_interrupted else self.hopeless(attempt)

    def _limit(self, attempt: Attempt, ended: Ended) -> float:
        """Returns the limit that ended the attempt, in seconds; 0 if none did."""
        if ended.reason is EndReason.IDLE_TIMEOUT:
            return self._parts.config.idle_limit(agent=attempt.by.agent is not None)
        own = attempt.task.timeout
        limit = own if own is not None else self._parts.config.timeout
        return (limit or 0.0) if ended.reason is EndReason.TIMEOUT else 0.0

    def _recover_tokens(self, attempt: Attempt) -> None:
        """Read the agent's own records for what its log lacks: the model, or the tokens of a killed run."""
        if attempt.by.agent is None or not attempt.log.judges or not (attempt.estimated or attempt.log.model is None):
            return
        session = attempt.log.session_id or attempt.session
        agent, parser = attempt.by.agent, attempt.by.parser
        since = started(self._parts, attempt)
        found = attempt.safely(lambda: self._parts.launcher.records_of(agent, parser, session, since), None)
        if found is None:
            return
        attempt.model = attempt.model or found.model
        self._keep_windows(attempt, found.windows)
        if attempt.safely(lambda: attempt.take_records(found), False):
            how = "exact" if found.exact else "estimated"
            text = f"{attempt.task_id}: tokens read from the agent's own records ({how}: {found.usage.total})"
            kind = EventKind.WARNING if attempt.log.counts else EventKind.TASK_PROGRESS
            self._parts.store.record(kind, attempt.task_id, text)
