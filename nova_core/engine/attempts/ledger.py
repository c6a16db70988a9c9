"""What an attempt came to: time, tokens, cost, files, as the task's state and the history keep them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from nova_core.agents.pricing import Price
from nova_core.clock import Clock, iso
from nova_core.engine.attempts.attempt import MOST_FILES, Attempt
from nova_core.engine.attempts.budget import Costs
from nova_core.engine.attempts.verdict import Failure
from nova_core.files.project import Project
from nova_core.git import repository as gitinfo
from nova_core.plan.board import Board
from nova_core.state.database import AttemptRow


class Accounts:
    """Writes down what attempts come to, while they run and when they are over. `active` are those in flight."""

    def __init__(
        self, project: Project, board: Board, costs: Costs, prices: Mapping[str, Price], clock: Clock,
        active: Mapping[str, Attempt],
    ) -> None:  # fmt: skip
        self._project = project
        self._board = board
        self._costs = costs
        self._prices = prices
        self._clock = clock
        self._active = active
        self._in_git = gitinfo.find_repository(project.root) is not None
        self._over: list[tuple[float, tuple[str, ...]]] = []  # when agents ended, and what they said they changed

    def base_commit(self) -> str | None:
        """The commit an attempt that starts now begins from."""
        return gitinfo.head(self._project.root) if self._in_git else None

    def usage_patch(self, attempt: Attempt) -> dict[str, Any]:
        """Tokens and cost of the task so far, all its attempts included."""
        return {
            "token_usage": attempt.base_usage + attempt.usage,
            "cost_usd": self._cost(attempt),
            "estimated": attempt.base_estimated or attempt.estimated,
        }

    def _cost(self, attempt: Attempt) -> float | None:
        """What the task has cost so far; a lower bound if nobody knows what some attempt did."""
        own = attempt.cost(self._prices)
        if own is None:
            return attempt.base_cost
        self._costs.changed = True
        return own + (attempt.base_cost or 0.0)

    def final_patch(self, attempt: Attempt) -> dict[str, Any]:
        """The fields of a task whose attempt is over, but for how it ended."""
        ended = attempt.ended
        started, over = (ended.started_at or attempt.started, ended.ended_at) if ended else (attempt.started, 0.0)
        over = over or self._clock.now()
        elapsed = max(0.0, over - started)
        patch: dict[str, Any] = {
            "pid": None, "completed_at": iso(over), "elapsed": round(elapsed, 3), "duration_seconds": round(elapsed),
            "exit_code": ended.code if ended else None, "signal": ended.signal if ended else None, "verifying": False,
        }  # fmt: skip
        if attempt.interrupted:
            patch["interrupted"] = False
        if attempt.agent or attempt.usage.total or attempt.cost(self._prices):
            patch |= self.usage_patch(attempt)
        if attempt.agent:
            patch |= self._agent_patch(attempt)
        return patch | self._files_patch(attempt)

    def _agent_patch(self, attempt: Attempt) -> dict[str, Any]:
        """What the agent's log says at the end."""
        log, state = attempt.log, self._board.state(attempt.task_id)
        return {
            "cost_basis": attempt.cost_basis(self._prices),
            "verdict": attempt.verdict, "session_id": log.session_id or state.session_id,
            "session_usage": state.session_usage + attempt.usage, "model": log.model or attempt.model,
            "refusals": 0, "overloads": 0,  # but for those whom `Waiting` finds refused
        }  # fmt: skip

    def _files_patch(self, attempt: Attempt) -> dict[str, Any]:
        """Commit and files, by git and by the worker's word; what others say is theirs is not this one's."""
        told = self._told_files(attempt)
        if not self._in_git:
            return {"files_changed": told} if told else {}
        sha, files = gitinfo.changes(self._project.root, attempt.base_sha, attempt.started)
        others = self._told_by_others(attempt)
        own = (path for path in files if path in told or path not in others)
        return {"commit_sha": sha, "files_changed": tuple(dict.fromkeys((*own, *told)))}

    def _told_by_others(self, attempt: Attempt) -> set[str]:
        """Files that agents working at the same time say they changed; the rest of a shared work tree is anybody's."""
        oldest = min([attempt.started, *(other.started for other in self._active.values())])
        self._over = [(ended, files) for ended, files in self._over if ended >= oldest]
        told = {path for other in self._active.values() if other is not attempt for path in self._told_files(other)}
        return told.union(*(files for ended, files in self._over if ended >= attempt.started))

    def _told_files(self, attempt: Attempt) -> tuple[str, ...]:
        """Files that the worker says it changed, from the project root where they are below it."""
        root = str(self._project.root) + os.sep
        told = (*attempt.files, *(path.removeprefix(root) for path in attempt.log.files))
        return tuple(dict.fromkeys(told))[:MOST_FILES]

    def close(self, attempt: Attempt, failed: Failure | None) -> None:
        """The attempt is settled: keep it for the history, and for what is to come."""
        own = attempt.cost(self._prices)
        self._costs.remember(attempt.agent, attempt.task_id, own, attempt.usage.total)
        if attempt.agent:
            self._over.append((self._clock.now(), self._told_files(attempt)))
        state, usage = self._board.state(attempt.task_id), attempt.usage
        self._board.store.add_attempt(
            AttemptRow(
                self._board.store.run.id, attempt.task_id, attempt.number, state.started_at, state.completed_at,
                state.elapsed,
                "failed" if failed else "completed", failed[0].value if failed else None, state.exit_code, state.signal,
                failed[1] if failed else None, state.log, state.model, own,
                usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_creation_tokens,
                attempt.agent, attempt.verdict, attempt.estimated, attempt.log.session_id,
            )
        )  # fmt: skip
