"""Evidence: outputs that must exist, then criteria whose commands must succeed, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from nova_core.config import Config
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.verdict import Failure, failure
from nova_core.executors.base import Ended, Executor, Report
from nova_core.files.disk import Disk
from nova_core.files.outputs import check_outputs, missing
from nova_core.files.project import Project
from nova_core.launch.launcher import Launcher
from nova_core.model import Criterion
from nova_core.plan.board import Board
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason

Settle = Callable[[Attempt, Failure | None], None]


class Checks:
    """Proves that an attempt's work is there, and settles it. `recovered` holds what earlier checks came to."""

    def __init__(
        self, project: Project, board: Board, executor: Executor, launcher: Launcher, config: Config, disk: Disk,
        logs: set[str], settle: Settle,
    ) -> None:  # fmt: skip
        self._project = project
        self._board = board
        self._executor = executor
        self._launcher = launcher
        self._config = config
        self._disk = disk
        self._logs = logs
        self._settle = settle
        self.recovered: dict[str, Report] = {}

    def begin(self, attempt: Attempt) -> None:
        """The attempt's process did well: look at its outputs, then at its criteria."""
        failed = self._missing_outputs(attempt)
        if failed is not None:
            self._settle(attempt, failed)
        else:
            self._next(attempt)

    def _missing_outputs(self, attempt: Attempt) -> Failure | None:
        task = self._board.task(attempt.task_id)
        if not task.outputs:
            return None
        if task.workspace:
            absent = missing(task.outputs, self._project.root, task.workspace)
            return (Reason.MISSING_OUTPUTS, f"missing outputs: {', '.join(absent)}") if absent else None
        problems = check_outputs(task.outputs, self._project.root, attempt.started)
        return (Reason.MISSING_OUTPUTS, "; ".join(problems)) if problems else None

    def _next(self, attempt: Attempt) -> None:
        """Prove the next criterion that carries a command, or settle when all hold."""
        criteria = self._board.task(attempt.task_id).criteria
        for number in range(attempt.check + 1, len(criteria) + 1):
            if criteria[number - 1].command:
                if attempt.cancelled:  # too late for the process before this one
                    self._settle(attempt, (Reason.CANCELLED, "cancelled"))
                else:
                    self._begin_one(attempt, number, criteria[number - 1])
                return
        self._settle(attempt, None)

    def _begin_one(self, attempt: Attempt, number: int, criterion: Criterion) -> None:
        task = self._board.task(attempt.task_id)
        attempt.check = number
        job = self._launcher.check(task, attempt.number, number, criterion)
        text = f"checking: {criterion.text}"
        self._board.record(
            EventKind.TASK_VERIFYING, task.id, f"{task.id} {text}", verifying=True, current_step=text, pid=None
        )
        known = self.recovered.pop(job.key, None)
        if isinstance(known, Ended):
            self.over(attempt, known)
            return
        if known is not None:
            return  # it still runs
        if job.log in self._logs:
            self._disk.unlink(self._project.log_dir / job.log)
        self._logs.add(job.log)
        self._executor.submit(job)

    def over(self, attempt: Attempt, ended: Ended) -> None:
        """A criterion's command has ended."""
        criterion = self._board.task(attempt.task_id).criteria[attempt.check - 1]
        failed = failure(ended, self._config.check_timeout or 0.0)
        if failed is None:
            met = (*self._board.state(attempt.task_id).criteria_met, attempt.check)
            self._board.record(
                EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id} met: {criterion.text}", criteria_met=met
            )
            self._next(attempt)
        elif failed[0] is Reason.CANCELLED:
            self._settle(attempt, failed)
        else:
            log = self._launcher.check(self._board.task(attempt.task_id), 1, attempt.check, criterion).log
            self._settle(
                attempt, (Reason.CHECK_FAILED, f"criterion not met: {criterion.text} ({failed[1]}; logs/{log})")
            )
