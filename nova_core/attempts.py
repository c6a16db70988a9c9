"""The life of an attempt: started, watched, judged by its exit, outputs and criteria, settled, perhaps retried."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from nova_core import gitinfo
from nova_core.attempt import MOST_TEXT, Attempt, patch_of
from nova_core.board import Board
from nova_core.changes import fingerprint
from nova_core.clock import Clock, iso
from nova_core.config import Config
from nova_core.database import AttemptRow
from nova_core.disk import Disk
from nova_core.errors import EnvironmentProblem
from nova_core.events import EventKind
from nova_core.executors.base import Ended, EndReason, Executor, Report, Started
from nova_core.inbox import Report as WorkerReport
from nova_core.launch import Launcher
from nova_core.model import Criterion, TokenUsage
from nova_core.pricing import Price, cost
from nova_core.project import Project, log_name, old_log_name
from nova_core.record import CLEARED, Reason, TaskStatus
from nova_core.retries import Retries
from nova_core.validation import check_outputs
from nova_core.verdict import failure

_MOST_FILES = 1000
_NOT_RETRIED = {Reason.CANCELLED, Reason.LOST, Reason.SPAWN_ERROR, Reason.REJECTED, Reason.BUDGET}
Failure = tuple[Reason, str]


class Attempts:
    """Starts attempts, follows them to their end, tells the board. `recovered` holds what earlier checks came to."""

    def __init__(
        self, project: Project, board: Board, executor: Executor, launcher: Launcher, config: Config,
        prices: Mapping[str, Price], clock: Clock, disk: Disk,
    ) -> None:  # fmt: skip
        self._project = project
        self._board = board
        self._store = board.store
        self._executor = executor
        self._launcher = launcher
        self._config = config
        self._prices = prices
        self._clock = clock
        self._disk = disk
        self._logs = set(os.listdir(project.log_dir))
        self._in_git = gitinfo.find_repository(project.root) is not None
        self._settled: list[str] = []
        self.retries = Retries(board, config, clock)
        self.failed = 0
        self.cost_changed = True
        self.active: dict[str, Attempt] = {}
        self.recovered: dict[str, Report] = {}

    # start

    def start(self, task_id: str) -> Attempt:
        """Record a new attempt, then start its process: in this order, so that no kill can leave one unknown.

        Raises `OSError`, with nothing recorded, when the disk refuses.
        """
        state = self._board.state(task_id)
        task = self._board.task(task_id)
        attempt = Attempt(task_id, state.attempt + 1, self._clock.now(), state)
        self._rotate(task_id, attempt.number)
        # The first attempt finds the words it was accepted with; a later one may have been given new ones.
        patch: dict[str, Any] = {**CLEARED, "fingerprint": fingerprint(task)} if state.attempt else {}
        if self._in_git:
            attempt.base_sha = gitinfo.head(self._project.root)
        self._board.record(
            EventKind.TASK_STARTED, task_id, f"{task_id} started: {task.name}",
            **{**patch, "status": TaskStatus.IN_PROGRESS, "attempt": attempt.number, "worker_id": attempt.key,
               "started_at": iso(attempt.started), "log": log_name(task_id), "model": self._launcher.model_of(task),
               "base_sha": attempt.base_sha},
        )  # fmt: skip
        self.active[task_id] = attempt
        try:
            job = self._launcher.job(task, attempt.number)
        except EnvironmentProblem as problem:
            self._settle(attempt, (Reason.SPAWN_ERROR, problem.message))
            return attempt
        if job.own_holder:
            self._store.commit()
        self._executor.submit(job)
        return attempt

    def _rotate(self, task_id: str, number: int) -> None:
        """`logs/<id>.log` is the latest attempt's: an older one moves to its numbered name."""
        name = log_name(task_id)
        if name in self._logs:
            old = old_log_name(task_id, number - 1, self._board.cascade.tasks)
            with contextlib.suppress(FileNotFoundError):
                self._disk.rename(self._project.log_dir / name, self._project.log_dir / old)
        self._logs.add(name)

    def adopt(self, task_id: str, started: float) -> Attempt:
        """Take over an attempt that an earlier engine began."""
        state = self._board.state(task_id)
        attempt = Attempt(task_id, state.attempt, started, state)
        rows = self._store.database.attempts(task_id)
        earlier = [r for r in rows if r.run == self._store.run.id and r.attempt < attempt.number]
        counts = [TokenUsage(*(getattr(r, f) for f in TokenUsage.__struct_fields__)) for r in earlier]
        attempt.base_usage = sum(counts, TokenUsage())
        costs = [r.cost_usd for r in earlier if r.cost_usd is not None]
        attempt.base_cost = sum(costs) if costs else None
        self.active[task_id] = attempt
        self._board.take(task_id)
        return attempt

    # watch

    def handle(self, report: Report) -> None:
        """Take in what the executor saw."""
        task_id, _, rest = report.key.partition("@")
        attempt = self.active.get(task_id)
        number, _, check = rest.partition("+")
        if attempt is None or number != str(attempt.number) or int(check or 0) != attempt.check:
            return  # of an attempt that is settled
        if isinstance(report, Started):
            self._running(attempt, report)
        elif attempt.check:
            self._check_over(attempt, report)
        else:
            self._command_over(attempt, report)

    def _running(self, attempt: Attempt, report: Started) -> None:
        attempt.pid = report.pid
        self._board.record(
            EventKind.TASK_RUNNING, attempt.task_id, f"{attempt.task_id} runs as pid {report.pid}", pid=report.pid
        )

    def read_logs(self) -> None:
        """Count the tokens that running attempts have printed since the last look."""
        for attempt in self.active.values():
            if not attempt.check and attempt.read_log(self._project.log_dir / log_name(attempt.task_id)):
                self._progress(attempt)

    def _progress(self, attempt: Attempt) -> None:
        usage = attempt.base_usage + attempt.usage
        if usage != self._board.state(attempt.task_id).token_usage:
            self._board.record(
                EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id}: {usage.total} tokens",
                token_usage=usage, cost_usd=self._cost(attempt),
            )  # fmt: skip

    def take_report(self, report: WorkerReport) -> None:
        """The worker told something of itself: data for the eye and the ledger, never a verdict."""
        attempt = self.active[report.task]
        if report.tokens is not None:
            attempt.reported = report.tokens
            self._progress(attempt)
        attempt.files = tuple(dict.fromkeys((*attempt.files, *report.files)))[:_MOST_FILES]
        patch = patch_of(report)
        if patch or report.message:
            text = report.message or patch.get("current_step") or f"{patch.get('progress')} %"
            self._board.record(EventKind.TASK_PROGRESS, report.task, f"{report.task}: {text[:MOST_TEXT]}", **patch)

    def _cost(self, attempt: Attempt) -> float | None:
        usage = attempt.usage
        if not usage.total:
            return attempt.base_cost
        self.cost_changed = True
        own = cost(usage, self._board.state(attempt.task_id).model, self._prices)
        return None if own is None else own + (attempt.base_cost or 0.0)

    # end

    def _command_over(self, attempt: Attempt, ended: Ended) -> None:
        attempt.ended = ended
        attempt.pid = ended.pid
        attempt.read_log(self._project.log_dir / log_name(attempt.task_id))
        attempt.counter.finish()
        self._tell_leftovers(attempt, ended)
        failed = failure(ended, self._limit(attempt, ended))
        if failed is None:
            failed = self._missing_outputs(attempt)
        if failed is None:
            self._next_check(attempt)
        else:
            self._settle(attempt, failed)

    def _limit(self, attempt: Attempt, ended: Ended) -> float:
        job_limit = self._config.idle_timeout
        if ended.reason is EndReason.TIMEOUT:
            own = self._board.task(attempt.task_id).timeout
            job_limit = own if own is not None else self._config.timeout
        return job_limit or 0.0

    def _tell_leftovers(self, attempt: Attempt, ended: Ended) -> None:
        for what, names in (("left behind and ended", ended.leftovers), ("could not be ended", ended.survivors)):
            if names:
                text = f"{attempt.task_id}: {len(names)} process(es) {what}: {', '.join(names[:5])}"
                self._board.record(EventKind.WARNING, attempt.task_id, text)

    def _missing_outputs(self, attempt: Attempt) -> Failure | None:
        outputs = self._board.task(attempt.task_id).outputs
        if not outputs:
            return None
        problems = check_outputs(outputs, self._project.root, attempt.started)
        return (Reason.MISSING_OUTPUTS, "; ".join(problems)) if problems else None

    def _next_check(self, attempt: Attempt) -> None:
        """Prove the next criterion that carries a command, or settle when all hold."""
        criteria = self._board.task(attempt.task_id).criteria
        for number in range(attempt.check + 1, len(criteria) + 1):
            if criteria[number - 1].command:
                if attempt.cancelled:  # too late for the process before this one
                    self._settle(attempt, (Reason.CANCELLED, "cancelled"))
                else:
                    self._begin_check(attempt, number, criteria[number - 1])
                return
        self._settle(attempt, None)

    def _begin_check(self, attempt: Attempt, number: int, criterion: Criterion) -> None:
        task = self._board.task(attempt.task_id)
        attempt.check = number
        job = self._launcher.check(task, attempt.number, number, criterion)
        text = f"checking: {criterion.text}"
        self._board.record(
            EventKind.TASK_VERIFYING, task.id, f"{task.id} {text}", verifying=True, current_step=text, pid=None
        )
        known = self.recovered.pop(job.key, None)
        if known is not None:
            self.handle(known)
            return
        if job.log in self._logs:
            self._disk.unlink(self._project.log_dir / job.log)
        self._logs.add(job.log)
        self._executor.submit(job)

    def _check_over(self, attempt: Attempt, ended: Ended) -> None:
        criterion = self._board.task(attempt.task_id).criteria[attempt.check - 1]
        failed = failure(ended, self._config.check_timeout or 0.0)
        if failed is None:
            met = (*self._board.state(attempt.task_id).criteria_met, attempt.check)
            self._board.record(
                EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id} met: {criterion.text}", criteria_met=met
            )
            self._next_check(attempt)
        elif failed[0] is Reason.CANCELLED:
            self._settle(attempt, failed)
        else:
            log = self._launcher.check(self._board.task(attempt.task_id), 1, attempt.check, criterion).log
            self._settle(
                attempt, (Reason.CHECK_FAILED, f"criterion not met: {criterion.text} ({failed[1]}; logs/{log})")
            )

    def _settle(self, attempt: Attempt, failed: Failure | None) -> None:
        """The attempt is over: write down how, free what it held, and let the board go on."""
        task_id = attempt.task_id
        del self.active[task_id]
        self._board.leave(task_id)
        patch = self._final_patch(attempt)
        if failed is None and self._board.task(task_id).approval:
            self._await_approval(task_id, patch)
        elif failed is None:
            self._board.record(
                EventKind.TASK_COMPLETED, task_id, f"{task_id} completed", **patch, status=TaskStatus.COMPLETED,
                current_step=None, error=None, reason=None,
            )  # fmt: skip
            self._board.completed(task_id)
        elif attempt.interrupted and failed[0] is Reason.CANCELLED:
            patch |= {"status": TaskStatus.PENDING, "current_step": None}
            self._board.record(EventKind.TASK_RESET, task_id, f"{task_id} was interrupted; it will run again", **patch)
            self._board.pending_again(task_id)
        else:
            self._fail(attempt, patch, failed)
        self._keep_history(attempt, failed)
        if not self._settled:
            self._store.when_published(self._release)
        checks = (f"{attempt.key}+{number}" for number in range(1, attempt.check + 1))
        self._settled += [attempt.key, *checks]

    def _final_patch(self, attempt: Attempt) -> dict[str, Any]:
        ended = attempt.ended
        started, over = (ended.started_at or attempt.started, ended.ended_at) if ended else (attempt.started, 0.0)
        over = over or self._clock.now()
        elapsed = max(0.0, over - started)
        patch: dict[str, Any] = {
            "pid": None, "completed_at": iso(over), "elapsed": round(elapsed, 3), "duration_seconds": round(elapsed),
            "exit_code": ended.code if ended else None, "signal": ended.signal if ended else None, "verifying": False,
        }  # fmt: skip
        if attempt.usage.total:
            patch |= {"token_usage": attempt.base_usage + attempt.usage, "cost_usd": self._cost(attempt)}
        if self._in_git:
            sha, files = gitinfo.changes(self._project.root, attempt.base_sha, attempt.started)
            patch |= {"commit_sha": sha, "files_changed": tuple(dict.fromkeys((*files, *attempt.files)))}
        elif attempt.files:
            patch["files_changed"] = attempt.files
        return patch

    def _await_approval(self, task_id: str, patch: dict[str, Any]) -> None:
        self._board.record(
            EventKind.TASK_WAITING, task_id, f"{task_id} waits for approval: `nova approve {task_id}`",
            **patch, approval="waiting", current_step="waiting for approval",
        )  # fmt: skip

    def _fail(self, attempt: Attempt, patch: dict[str, Any], failed: Failure) -> None:
        task_id = attempt.task_id
        reason, error = failed
        failures = self._board.state(task_id).failures + 1
        patch |= {"failures": failures, "error": error, "reason": reason, "current_step": None}
        if reason not in _NOT_RETRIED and failures <= self._retries_of(attempt):
            delay = self.retries.delay(failures)
            text = f"{task_id} failed ({error}); retry {failures} in {delay:.1f} s"
            retry_at = iso(self._clock.now() + delay)
            self._board.record(
                EventKind.TASK_RETRYING, task_id, text, **patch, status=TaskStatus.PENDING, retry_at=retry_at
            )
            self.retries.plan(task_id, retry_at)
            self._board.pending_again(task_id)
            return
        text = f"{task_id} failed: {error}"
        self._board.record(EventKind.TASK_FAILED, task_id, text, **patch, status=TaskStatus.FAILED)
        self.failed += 1
        self._board.failed(task_id)

    def _retries_of(self, attempt: Attempt) -> int:
        if attempt.cancelled and not attempt.interrupted:
            return 0
        own = self._board.task(attempt.task_id).retries
        return self._config.retries if own is None else own

    def _keep_history(self, attempt: Attempt, failed: Failure | None) -> None:
        state = self._board.state(attempt.task_id)
        usage = attempt.usage
        self._store.add_attempt(
            AttemptRow(
                self._store.run.id, attempt.task_id, attempt.number, state.started_at, state.completed_at,
                state.elapsed,
                "failed" if failed else "completed", failed[0].value if failed else None, state.exit_code, state.signal,
                failed[1] if failed else None, state.log, state.model,
                cost(usage, state.model, self._prices) if usage.total else None,
                usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_creation_tokens,
            )
        )  # fmt: skip

    def _release(self) -> None:
        self._executor.release(self._settled)
        self._settled = []

    # from outside

    def cancel(self, task_id: str, *, kill: bool = False, interrupted: bool = False) -> None:
        """End an attempt's process tree; its end arrives as a report."""
        attempt = self.active[task_id]
        attempt.interrupted = interrupted and (attempt.interrupted or not attempt.cancelled)
        attempt.cancelled = True
        key = f"{attempt.key}+{attempt.check}" if attempt.check else attempt.key
        self._executor.cancel(key, 0.0 if kill else self._config.grace)
