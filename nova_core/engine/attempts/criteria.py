"""Checks outputs, which must exist, then criteria, whose commands must succeed, one after the other."""

from __future__ import annotations

from nova_core.engine.attempts.attempt import Attempt, EndedBy
from nova_core.engine.attempts.finish import Finisher
from nova_core.engine.attempts.own_trees import in_tree
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.verdict import Failure, failure
from nova_core.executors.base import Ended, Report
from nova_core.files.outputs import check_outputs, missing
from nova_core.model import Criterion
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason

_CUT_OFF = (Reason.CANCELLED, Reason.LOST)  # an earlier run ended it, or its holder was killed: it says nothing
_MOST_TRIES = 20  # of a criterion's command that is cut off each time: it may be what kills its holder


class CriteriaRunner:
    """Checks an attempt's work, and finishes it. `recovered` holds reports of checks that an earlier engine started."""

    def __init__(self, parts: Parts, finisher: Finisher) -> None:
        self._parts = parts
        self._finisher = finisher
        self.recovered: dict[str, Report] = {}

    def begin(self, attempt: Attempt) -> None:
        """The attempt's process succeeded: check its outputs, then its criteria."""
        failed = self._missing_outputs(attempt)
        if failed is not None:
            self._finisher.finish(attempt, failed)
        else:
            self._next(attempt)

    def _missing_outputs(self, attempt: Attempt) -> Failure | None:
        task = attempt.task
        if not task.outputs:
            return None
        root = attempt.tree or self._parts.project.root
        if task.workspace:
            absent = missing(task.outputs, root, task.workspace)
            return Failure(Reason.MISSING_OUTPUTS, f"missing outputs: {', '.join(absent)}") if absent else None
        problems = check_outputs(task.outputs, root, attempt.before)
        return Failure(Reason.MISSING_OUTPUTS, "; ".join(problems)) if problems else None

    def _next(self, attempt: Attempt) -> None:
        """Check the next criterion that has a command, or finish if all are met."""
        criteria = attempt.task.criteria
        for number in range(attempt.check + 1, len(criteria) + 1):
            if criteria[number - 1].command:
                if attempt.is_asked_to_end:  # the request came too late for the process before
                    self._end_unchecked(attempt)
                else:
                    self._begin_one(attempt, number, criteria[number - 1])
                return
        self._finisher.finish(attempt, None)

    def _begin_one(self, attempt: Attempt, number: int, criterion: Criterion) -> None:
        task = attempt.task
        attempt.check = number
        text = f"checking: {criterion.text}"
        self._parts.store.record(
            EventKind.TASK_VERIFYING, task.id, f"{task.id} {text}", verifying=True, current_step=text, pid=None
        )
        self._run(attempt, criterion)

    def _run(self, attempt: Attempt, criterion: Criterion) -> None:
        """Run a criterion's command, or use what an earlier engine knows of it."""
        repeat = self._repeats(attempt)
        job = self._parts.launcher.check(attempt.task, attempt.number, attempt.check, criterion, repeat)
        if attempt.tree is not None:
            job = in_tree(job, attempt.tree, str(self._parts.project.root))
        attempt.checks.append(job.key)
        known = self.recovered.pop(job.key, None)
        if isinstance(known, Ended):
            self.over(attempt, known)
            return
        if known is not None:
            return  # it still runs
        if job.log in self._parts.logs:
            self._parts.disk.unlink(self._parts.project.log_dir / job.log)
        self._parts.logs.add(job.log)
        self._parts.executor.submit(job)

    def over(self, attempt: Attempt, ended: Ended) -> None:
        """Handle the end of a criterion's command."""
        criterion = attempt.task.criteria[attempt.check - 1]
        failed = failure(ended, self._parts.config.check_timeout or 0.0)
        if failed is None:
            met = (*self._parts.store.tasks[attempt.task_id].criteria_met, attempt.check)
            self._parts.store.record(
                EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id} met: {criterion.text}", criteria_met=met
            )
            self._next(attempt)
        elif failed.reason in _CUT_OFF and (attempt.is_asked_to_end or _by_a_person(attempt, failed)):
            self._end_unchecked(attempt)
        elif failed.reason in _CUT_OFF and self._repeats(attempt) < _MOST_TRIES:
            self._run(attempt, criterion)
        else:
            log = self._parts.launcher.check(attempt.task, 1, attempt.check, criterion).log
            error = f"criterion not met: {criterion.text} ({failed.error}; {self._parts.project.logs}/{log})"
            self._finisher.finish(attempt, Failure(Reason.CHECK_FAILED, error))

    def _end_unchecked(self, attempt: Attempt) -> None:
        """End an attempt that succeeded before all its criteria are checked: its task is cancelled, or the run ends."""
        if attempt.is_interrupted:
            self._finisher.leave(attempt)
        else:
            self._finisher.finish(attempt, Failure(Reason.CANCELLED, "cancelled"))

    def _repeats(self, attempt: Attempt) -> int:
        """Returns how often the current criterion's command was begun."""
        own = f"{attempt.key}+{attempt.check}"
        return sum(key == own or key.startswith(f"{own}.") for key in attempt.checks)


def _by_a_person(attempt: Attempt, failed: Failure) -> bool:
    """Returns True if an earlier engine cancelled a criterion's command, and not because its run ended."""
    return failed.reason is Reason.CANCELLED and attempt.ending is not EndedBy.EARLIER_STOP
