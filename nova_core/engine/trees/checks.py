"""Checks what a merge has made: the task's criteria again, and the project's own command, in the task's tree."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from nova_core.engine.attempts.own_trees import in_tree
from nova_core.engine.attempts.verdict import failure
from nova_core.engine.trees.base import Base
from nova_core.executors.base import Report, Started
from nova_core.files.project import check_log_name, step_log_name
from nova_core.model import Criterion
from nova_core.state.events import EventKind
from nova_core.state.git_run import CHECKING
from nova_core.state.schema import Reason

_CUT_OFF = (Reason.CANCELLED, Reason.LOST)  # says nothing about the work
_MOST_TRIES = 20
MERGE = "merge"


class MergeChecks:
    """Runs the checks of one merge at a time, one after the other. `key` is that of the job that runs."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._parts = base.parts
        self._task_id = ""
        self._left: list[tuple[int, Criterion]] = []  # number 0: the project's own command
        self._then: Callable[[str | None], object] = bool
        self._what = ""
        self._tries = 0
        self._keys: list[str] = []
        self.key = ""

    def needed(self, task_id: str, *, is_checked: bool) -> list[tuple[int, Criterion]]:
        """Returns the checks that a merge of the task needs; `is_checked`: its files are those that were checked."""
        task, git = self._base.board.cascade.tasks[task_id], self._parts.config.git
        again = git.recheck and not is_checked
        found = [(n, one) for n, one in enumerate(task.criteria, 1) if one.command] if again else []
        return [*found, (0, Criterion(git.check, git.check))] if git.check else found

    def begin(
        self, task_id: str, checks: list[tuple[int, Criterion]], then: Callable[[str | None], object], *,
        what: str = "checking the merge",
    ) -> None:  # fmt: skip
        """Run the checks; `then` gets the first failure in words, None if all hold, "" if they were cut off."""
        self._task_id, self._left, self._then, self._tries, self._keys = task_id, checks, then, 0, []
        self._what = what
        self._next()

    def stop(self) -> None:
        """End the check that runs: the run ends."""
        if self.key:
            self._tries = _MOST_TRIES
            self._parts.executor.cancel(self.key, self._parts.config.grace)

    def _next(self) -> None:
        if not self._left:
            self._over(None)
            return
        number, criterion = self._left[0]
        task, state = self._base.board.cascade.tasks[self._task_id], self._base.state(self._task_id)
        text = f"{self._what}: {criterion.text}"
        event = self._base.store.record(
            EventKind.TASK_VERIFYING, self._task_id, f"{self._task_id} {text}", merge=CHECKING, current_step=text
        )
        job = self._parts.launcher.check(task, state.attempt, number, criterion)
        log = job.log if number else step_log_name(self._task_id, MERGE, self._base.board.cascade.tasks)
        job = in_tree(job, self._parts.trees.folder(self._task_id), str(self._parts.project.root))
        self.key = f"{self._task_id}@{state.attempt}+{MERGE}{event.rev}"
        self._keys.append(self.key)
        self._base.submit(msgspec.structs.replace(job, key=self.key, log=log))

    def report(self, report: Report) -> None:
        """Handle a report of the check that runs."""
        if isinstance(report, Started):
            return
        self.key = ""
        failed = failure(report, self._parts.config.check_timeout or 0.0)
        if failed is None:
            self._left.pop(0)
            self._tries = 0
            self._next()
        elif failed.reason not in _CUT_OFF:
            self._over(f"{self._left[0][1].text} ({failed.error}; {self._parts.project.logs}/{self._log()})")
        elif self._tries < _MOST_TRIES:
            self._tries += 1
            self._next()
        else:
            self._over("")

    def _log(self) -> str:
        number, ids = self._left[0][0], self._base.board.cascade.tasks
        return check_log_name(self._task_id, number, ids) if number else step_log_name(self._task_id, MERGE, ids)

    def _over(self, failed: str | None) -> None:
        self._base.store.when_published(partial(self._parts.executor.release, self._keys))
        self._then(failed)
