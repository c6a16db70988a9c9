"""The life of an attempt: started, watched, judged by its exit, outputs and criteria, settled, perhaps retried."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from nova_core.agents import Verdict
from nova_core.agents.outcome import Ending
from nova_core.agents.pricing import Price
from nova_core.clock import Clock, iso
from nova_core.config import Config
from nova_core.engine.attempts.attempt import MOST_FILES, MOST_TEXT, Attempt, patch_of, words_of
from nova_core.engine.attempts.budget import Costs
from nova_core.engine.attempts.criteria import Checks
from nova_core.engine.attempts.finish import Settling
from nova_core.engine.attempts.inputs import Needs
from nova_core.engine.attempts.judge import Judge
from nova_core.engine.attempts.ledger import Accounts
from nova_core.engine.attempts.quota import Quotas
from nova_core.engine.attempts.rate_limits import Waiting
from nova_core.engine.attempts.reading import Reading
from nova_core.engine.attempts.retries import Retries
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, Executor, Job, Report, Started
from nova_core.files.disk import Disk
from nova_core.files.inbox import WorkerReport
from nova_core.files.project import Project, log_name, old_log_name
from nova_core.launch.invocation import open_log
from nova_core.launch.launcher import Launcher
from nova_core.launch.prompt import Done
from nova_core.model import Task, TokenUsage
from nova_core.plan.board import Board
from nova_core.plan.changes import fingerprint
from nova_core.plan.sync import row_of
from nova_core.state.events import EventKind
from nova_core.state.schema import CLEARED, Reason, TaskState, TaskStatus


class Attempts:
    """Starts attempts, follows them to their end, tells the board."""

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
        self._clock = clock
        self._disk = disk
        self._logs = project.log_names()
        self._reading = Reading(project, board, clock)
        self.retries = Retries(board, config, clock)
        self.quotas = Quotas(board.store, config, clock)
        self.active: dict[str, Attempt] = {}
        self.costs = Costs(board, launcher, prices, self.active, with_past=config.budget is not None)
        self.accounts = Accounts(project, board, self.costs, prices, clock, self.active)
        self.needs = Needs(board, project, ask_inputs=config.inputs == "required")
        self.waiting = Waiting(board, launcher, self.quotas, self.retries, clock)
        self._judge = Judge(board, launcher, config, prices, self.quotas)
        self._settling = Settling(
            board, executor, config, clock, self.active, self.accounts, self.retries, self.waiting
        )
        self.checks = Checks(project, board, executor, launcher, config, disk, self._logs, self._settling.settle)

    @property
    def failed(self) -> int:
        """How many tasks have failed for good since the engine began."""
        return self._settling.failed

    # start

    def may_start(self, task_id: str) -> bool:
        """Whether the task whose turn it is needs nothing that is missing, nor an agent that is left alone now."""
        return not self.needs.must_wait(task_id) and not self.waiting.must_wait(task_id)

    def open_gate(self, task_id: str) -> None:
        """Let the tasks behind a gate go, or fail it."""
        self._settling.open_gate(task_id, self._project.root)

    def start(self, task_id: str, cap: float | None = None) -> Attempt:
        """Record a new attempt, then start its process: in this order, so that no kill can leave one unknown.

        `cap` is the most it may cost. Raises `OSError`, with nothing recorded, when the disk refuses.
        """
        state = self._board.state(task_id)
        task = self._board.task(task_id)
        attempt = Attempt(task_id, state.attempt + 1, self._clock.now(), state)
        attempt.cap = cap
        attempt.agent = self._launcher.choose(task, self.waiting.is_held) or next(
            iter(self._launcher.agents_of(task)), None
        )
        self._equip(attempt, task)
        session = attempt.session = state.session_id if self._goes_on(state, attempt) else None
        previous = state.session_usage if session else TokenUsage()
        attempt.log = open_log(attempt.parser, previous)
        job, problem = self._job(attempt, session, state.error or "")
        self._rotate(task_id, attempt.number)
        # The first attempt finds the words it was accepted with; a later one may have been given new ones.
        patch: dict[str, Any] = {**CLEARED, "fingerprint": fingerprint(task)} if state.attempt else {}
        attempt.base_sha = self.accounts.base_commit()
        self._board.record(
            EventKind.TASK_STARTED, task_id, f"{task_id} started: {task.name}",
            **{**patch, **row_of(task), "status": TaskStatus.IN_PROGRESS, "attempt": attempt.number,
               "worker_id": attempt.key, "started_at": iso(attempt.started), "log": log_name(task_id),
               "model": attempt.model, "agent": attempt.agent, "session_id": session, "session_usage": previous,
               "waits_for": None, "missing": (), "base_sha": attempt.base_sha, "parser": attempt.parser,
               "cap": attempt.cap},
        )  # fmt: skip
        self.active[task_id] = attempt
        if job is None:
            self._settling.settle(attempt, (Reason.SPAWN_ERROR, problem))
            return attempt
        if job.own_holder:
            self._store.commit()
        self._executor.submit(job)
        return attempt

    def _goes_on(self, state: TaskState, attempt: Attempt) -> bool:
        """Whether the last attempt's session is worth going on with: it was cut off, and by no fault of its own."""
        cut_off = state.reason in (Reason.RATE_LIMITED, Reason.BUDGET) or state.verdict == Verdict.INTERRUPTED
        same = attempt.agent == state.agent and attempt.parser == (state.parser or attempt.parser)
        is_worth = cut_off and bool(state.session_usage.total and state.session_id)
        return is_worth and same and self._launcher.can_resume(attempt.agent)

    def _equip(self, attempt: Attempt, task: Task) -> None:
        """Who reads its log, whose quota it uses, which model is billed."""
        attempt.model = self._launcher.model_of(task, attempt.agent)
        attempt.parser = self._launcher.parser_of(attempt.agent)
        attempt.provider = self._launcher.provider(attempt.agent) if attempt.agent else None

    def _job(self, attempt: Attempt, session: str | None, why: str) -> tuple[Job | None, str]:
        task = self._board.task(attempt.task_id)
        done = [self._done(task_id) for task_id in task.depends_on] if attempt.agent else []
        try:
            job = self._launcher.job(
                task, attempt.number, agent=attempt.agent, done=done, session=session, why=why, budget=attempt.cap
            )
        except EnvironmentProblem as problem:
            return None, problem.message
        return job, ""

    def _done(self, task_id: str) -> Done:
        state = self._board.state(task_id)
        name = self._board.task(task_id).name
        return Done(task_id, name, state.files_changed, state.commit_sha, state.handoff)

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
        attempt.agent = state.agent
        self._equip(attempt, self._board.task(task_id))
        attempt.take_up(state, [r for r in rows if r.run == self._store.run.id and r.attempt < attempt.number])
        attempt.log = open_log(attempt.parser, state.session_usage)
        self.active[task_id] = attempt
        self._board.take(task_id)
        return attempt

    # watch

    def end_costly(self, why: str) -> None:
        """End the agents at work: the budget is reached. Their sessions can be gone on with."""
        for attempt in list(self.active.values()):
            if attempt.agent is not None and not attempt.check:
                self._doom(attempt, Ending(Verdict.OVER_BUDGET, why))

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
            self.checks.over(attempt, report)
        else:
            self._command_over(attempt, report)

    def _running(self, attempt: Attempt, report: Started) -> None:
        attempt.pid = report.pid
        self._board.record(
            EventKind.TASK_RUNNING, attempt.task_id, f"{attempt.task_id} runs as pid {report.pid}", pid=report.pid
        )

    def read_logs(self) -> bool:
        """Take in what running attempts have printed since the last look: tokens, steps, and signs that it is over.

        One look takes a moment, however much they print. Whether there is more to read already.
        """
        at_work = [attempt for attempt in self.active.values() if attempt.ended is None]
        for attempt in at_work:
            if self._reading.look(attempt, len(at_work)):
                if attempt.tail.caught_up:
                    self._progress(attempt)
                self._watch(attempt)
        return any(attempt.tail.behind for attempt in at_work)

    def _progress(self, attempt: Attempt) -> None:
        state = self._board.state(attempt.task_id)
        usage = attempt.base_usage + attempt.usage
        patch: dict[str, Any] = {}
        if usage != state.token_usage:
            patch = self.accounts.usage_patch(attempt)
        if attempt.log.step and attempt.log.step != attempt.step:
            attempt.step = patch["current_step"] = attempt.log.step[:MOST_TEXT]
        told = (("session_id", attempt.log.session_id), ("model", attempt.log.model), ("reported", attempt.reported))
        for name, value in told:
            if value and value != getattr(state, name):
                patch[name] = value
        if patch:
            text = patch.get("current_step") or f"{usage.total} tokens"
            self._board.record(EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id}: {text}", **patch)

    def _watch(self, attempt: Attempt) -> None:
        """End an attempt that cannot come to anything, before it burns minutes or money."""
        doomed = self._judge.hopeless(attempt)
        if doomed is not None:
            self._doom(attempt, doomed)

    def _doom(self, attempt: Attempt, why: Ending) -> None:
        if attempt.doomed is None and not attempt.cancelled and attempt.ended is None:
            attempt.doomed = why
            self._board.record(EventKind.WARNING, attempt.task_id, f"{attempt.task_id} is ended: {why.reason}")
            self._executor.cancel(attempt.key, self._config.grace)

    def take_report(self, report: WorkerReport) -> None:
        """The worker told something of itself: data for the eye and the ledger, never a verdict."""
        attempt = self.active[report.task]
        if report.tokens is not None:
            attempt.reported = {**attempt.reported, **msgspec.to_builtins(report.tokens)}
            self._progress(attempt)
        patch = patch_of(report)
        output = (report.output,) if report.output else ()
        files = tuple(dict.fromkeys((*attempt.files, *report.files, *output)))[:MOST_FILES]
        if files != attempt.files:
            attempt.files = patch["files_changed"] = files
        if patch or report.message:
            text = words_of(report, patch)
            self._board.record(EventKind.TASK_PROGRESS, report.task, f"{report.task}: {text}", **patch)

    # end

    def _command_over(self, attempt: Attempt, ended: Ended) -> None:
        attempt.ended = ended
        attempt.pid = ended.pid
        if self._reading.rest(attempt):
            self._over(attempt)

    @property
    def has_unread(self) -> bool:
        """Whether attempts that have ended wait for the rest of their logs to be read."""
        return bool(self._reading.unread)

    def read_rests(self) -> None:
        """Go on with the logs of attempts that have ended, a piece of each."""
        for attempt in list(self._reading.unread.values()):
            if self._reading.rest(attempt):
                self._over(attempt)

    def _over(self, attempt: Attempt) -> None:
        """The command has ended, and all that it printed is known."""
        ended = attempt.ended
        assert ended is not None
        self._tell_leftovers(attempt, ended)
        failed = self._judge.failure(attempt, ended)
        self._reading.tell_trouble(attempt)
        if failed is None:
            self.checks.begin(attempt)
        else:
            self._settling.settle(attempt, failed)

    def _tell_leftovers(self, attempt: Attempt, ended: Ended) -> None:
        for what, names in (("left behind and ended", ended.leftovers), ("could not be ended", ended.survivors)):
            if names:
                text = f"{attempt.task_id}: {len(names)} process(es) {what}: {', '.join(names[:5])}"
                self._board.record(EventKind.WARNING, attempt.task_id, text)

    # from outside

    def interrupt(self, *, kill: bool = False) -> None:
        """The run ends: end all attempts. That they are to run again is on disk before the first one hears of it."""
        for attempt in self.active.values():
            if not attempt.cancelled:
                self._mark_interrupted(attempt, True)
        self._store.commit()
        for task_id in list(self.active):
            self._end(task_id, kill=kill)

    def cancel(self, task_id: str, *, kill: bool = False) -> None:
        """End an attempt's process tree, for good; its end arrives as a report."""
        attempt = self.active[task_id]
        if attempt.interrupted:
            self._mark_interrupted(attempt, False)
        self._end(task_id, kill=kill)

    def _mark_interrupted(self, attempt: Attempt, interrupted: bool) -> None:
        attempt.interrupted = interrupted
        text = f"{attempt.task_id} is {'interrupted' if interrupted else 'cancelled'}"
        self._board.record(EventKind.TASK_PROGRESS, attempt.task_id, text, interrupted=interrupted)

    def _end(self, task_id: str, *, kill: bool) -> None:
        attempt = self.active[task_id]
        attempt.cancelled = True
        if task_id in self._reading.unread:
            return
        key = f"{attempt.key}+{attempt.check}" if attempt.check else attempt.key
        self._executor.cancel(key, 0.0 if kill else self._config.grace)
