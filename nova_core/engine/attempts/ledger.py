"""The figures of an attempt (time, tokens, cost, files) for the task's state and the history."""

from __future__ import annotations

from typing import Any

from nova_core.clock import iso
from nova_core.engine.attempts.attempt import Attempt, Figures
from nova_core.engine.attempts.budget import Budget
from nova_core.engine.attempts.changed_files import ChangedFiles
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.verdict import Failure
from nova_core.state.database import AttemptRow


class Ledger:
    """Records the figures of attempts, while they run and when they end."""

    def __init__(self, parts: Parts, budget: Budget, changed: ChangedFiles) -> None:
        self._parts = parts
        self._budget = budget
        self._changed = changed

    def usage_patch(self, attempt: Attempt, figures: Figures) -> dict[str, Any]:
        """Returns tokens and cost of the task so far, over all its attempts."""
        return {
            "token_usage": attempt.base_usage + figures.usage,
            "cost_usd": self._budget.cost_so_far(attempt, figures),
            "message_usd": self._budget.message_of(attempt, figures),
            "estimated": attempt.base_estimated or figures.estimated,
        }

    def final_patch(self, attempt: Attempt, figures: Figures) -> dict[str, Any]:
        """Returns the fields of a task whose attempt is over, except how it ended."""
        ended = attempt.ended
        over = (ended.ended_at if ended else 0.0) or self._parts.clock.now()
        elapsed = self._elapsed(attempt)
        patch: dict[str, Any] = {
            "pid": None, "began": attempt.began, "completed_at": iso(over), "elapsed": round(elapsed, 3),
            "duration_seconds": round(elapsed),
            "exit_code": ended.code if ended else None, "signal": ended.signal if ended else None, "verifying": False,
        }  # fmt: skip
        if self._parts.store.tasks[attempt.task_id].interrupted:
            patch["interrupted"] = False
        if attempt.by.agent or figures.cost or figures.tokens:
            patch |= self.usage_patch(attempt, figures)
        if attempt.by.agent:
            patch |= self._agent_patch(attempt, figures)
        return patch | self._changed.patch(attempt)

    def unchecked_patch(self, attempt: Attempt) -> dict[str, Any]:
        """Returns the fields of a task whose command ended well and whose criteria are left to the next run."""
        ended = attempt.ended
        return {
            "pid": None, "verifying": False, "elapsed": round(self._elapsed(attempt), 3),
            "exit_code": ended.code if ended else None, "signal": ended.signal if ended else None,
        }  # fmt: skip

    def _elapsed(self, attempt: Attempt) -> float:
        """Returns the seconds the attempt took: as its holder measured, or as its times say within what is possible."""
        ended = attempt.ended
        if ended is not None and ended.elapsed is not None:
            return max(0.0, ended.elapsed)
        most = max(0.0, self._parts.store.time() - attempt.began)
        if ended is None or not (ended.started_at and ended.ended_at):
            return most
        return min(most, max(0.0, ended.ended_at - ended.started_at))  # of an older Nova's holder

    def _agent_patch(self, attempt: Attempt, figures: Figures) -> dict[str, Any]:
        """Returns the fields that the agent's log gives at the end."""
        log, state = attempt.log, self._parts.store.tasks[attempt.task_id]
        return {
            "cost_basis": attempt.cost_basis(self._parts.prices),
            "verdict": attempt.verdict, "session_id": log.session_id or state.session_id,
            "session_usage": state.session_usage + figures.usage, "model": log.model or attempt.model,
            "refusals": 0, "overloads": 0,  # a refused attempt sets them later
        }  # fmt: skip

    def close(self, attempt: Attempt, figures: Figures, failed: Failure | None) -> None:
        """Record a finished attempt in the history, the budget and the changed files."""
        store, usage = self._parts.store, figures.usage
        self._budget.remember(attempt, figures)
        if attempt.by.agent is not None:
            self._changed.remember(attempt)
        state = store.tasks[attempt.task_id]
        store.add_attempt(
            AttemptRow(
                store.run.id, attempt.task_id, attempt.number, state.started_at, state.completed_at, state.elapsed,
                "failed" if failed else "completed", failed.reason.value if failed else None, state.exit_code,
                state.signal, failed.error if failed else None, state.log, state.model, figures.cost,
                usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_creation_tokens,
                attempt.by.agent, attempt.verdict, figures.estimated,
                None if attempt.is_silent else attempt.log.session_id, attempt.began,
            )
        )  # fmt: skip
