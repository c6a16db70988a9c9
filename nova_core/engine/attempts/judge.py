"""Whether an attempt came to anything: by its log while it runs, by its end and its log when it is over."""

from __future__ import annotations

from collections.abc import Mapping

from nova_core.agents import Verdict
from nova_core.agents.outcome import Ending
from nova_core.agents.pricing import Price
from nova_core.config import Config
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.quota import Quotas
from nova_core.engine.attempts.rate_limits import WAITS
from nova_core.engine.attempts.verdict import Failure, agent_failure, exit_code_of, failure, of_ending
from nova_core.executors.base import Ended, EndReason
from nova_core.launch.launcher import Launcher
from nova_core.plan.board import Board
from nova_core.state.events import EventKind


class Judge:
    """Tells why an attempt fails, and sets its verdict."""

    def __init__(
        self, board: Board, launcher: Launcher, config: Config, prices: Mapping[str, Price], quotas: Quotas
    ) -> None:
        self._board = board
        self._launcher = launcher
        self._config = config
        self._prices = prices
        self._quotas = quotas

    def hopeless(self, attempt: Attempt) -> Ending | None:
        """Why it cannot come to anything any more, or costs more than it may; None while there is hope."""
        if attempt.log.hopeless is not None or attempt.cap is None:
            return attempt.log.hopeless
        spent = attempt.cost(self._prices) or 0.0
        reached = Ending(Verdict.OVER_BUDGET, f"${spent:.2f} of ${attempt.cap:.2f} spent")
        return reached if spent >= attempt.cap else None

    def failure(self, attempt: Attempt, ended: Ended) -> Failure | None:
        """Why it failed, all that it printed being known; None if it did well."""
        self._recover_tokens(attempt)
        limit = self._limit(attempt, ended)
        if doomed := self._doomed(attempt, ended):
            attempt.verdict = doomed.verdict
            return of_ending(doomed)
        if attempt.agent is None or not attempt.log.judges:
            return failure(ended, limit)
        outcome = attempt.outcome(exit_code_of(ended), self._prices)
        attempt.verdict = outcome.verdict
        if attempt.provider and outcome.verdict not in WAITS:
            self._quotas.worked(attempt.provider)
        return agent_failure(ended, outcome, limit)

    def _doomed(self, attempt: Attempt, ended: Ended) -> Ending | None:
        """Why Nova itself ended it; of an attempt that was adopted only its log tells that."""
        if ended.reason is not EndReason.CANCELLED or attempt.cancelled:
            return None
        return attempt.doomed or (None if attempt.interrupted else self.hopeless(attempt))

    def _limit(self, attempt: Attempt, ended: Ended) -> float:
        job_limit = self._config.idle_timeout
        if ended.reason is EndReason.TIMEOUT:
            own = self._board.task(attempt.task_id).timeout
            job_limit = own if own is not None else self._config.timeout
        return job_limit or 0.0

    def _recover_tokens(self, attempt: Attempt) -> None:
        """Ask the agent's own records for what its log does not tell: tokens of a killed run, the model."""
        if attempt.agent is None or not attempt.log.judges or not (attempt.estimated or attempt.log.model is None):
            return
        session = attempt.log.session_id or attempt.session
        agent, parser = attempt.agent, attempt.parser
        found = attempt.safely(lambda: self._launcher.records_of(agent, parser, session, attempt.started), None)
        if found is None:
            return
        attempt.model = attempt.model or found.model
        if attempt.safely(lambda: attempt.take_records(found), False):
            how = "exact" if found.exact else "estimated"
            text = f"{attempt.task_id}: tokens taken from the agent's own records ({how}: {found.usage.total})"
            self._board.record(EventKind.WARNING, attempt.task_id, text)
