"""Starts attempts: chooses the agent and the session, records the start, then submits the process."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Any

import msgspec

from nova_core.agents.outcome import Verdict
from nova_core.clock import iso
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.changed_files import ChangedFiles
from nova_core.engine.attempts.evidence import can_go_on
from nova_core.engine.attempts.finish import Finisher
from nova_core.engine.attempts.own_trees import in_tree
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.rate_limits import RateLimits
from nova_core.engine.attempts.verdict import Failure
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, Job, Report
from nova_core.files.outputs import marks_of
from nova_core.files.project import log_name, old_log_name
from nova_core.launch.conflict import conflict_words
from nova_core.launch.context import briefing
from nova_core.launch.invocation import has_terminal
from nova_core.launch.ladder import work_of
from nova_core.launch.launcher import Assignment, Session
from nova_core.launch.prompt import NO_BRIEFING, Briefing
from nova_core.model import Task, TokenUsage
from nova_core.plan.changes import fingerprint
from nova_core.plan.sync import row_of
from nova_core.state.events import EventKind
from nova_core.state.schema import CLEARED, NEW, Reason, TaskState, TaskStatus

_COMMAND = Assignment()  # of a command without a model


class Starter:
    """Starts attempts, and adopts those that an earlier engine started.

    `unsent` are the keys of jobs that wait until their start is on disk.
    """

    def __init__(self, parts: Parts, rate_limits: RateLimits, changed: ChangedFiles, finisher: Finisher) -> None:
        self._parts = parts
        self._store = parts.store
        self._launcher = parts.launcher
        self._rate_limits = rate_limits
        self._changed = changed
        self._finisher = finisher
        self._trees = parts.trees
        self.unsent: set[str] = set()

    def start(self, task_id: str, cap: float | None = None) -> Attempt:
        """Record a new attempt, then start its process, an agent's and one with old outputs once it is on disk.

        `cap` is its highest cost in US dollars. Raises `OSError`, with nothing recorded, if the disk cannot be written.
        """
        state = self._store.tasks[task_id]
        task = work_of(self._parts.board.cascade.tasks[task_id], state, self._parts.config)
        by = self._launcher.assign(task, self._rate_limits, state.agent if state.session_id else None)
        session = self._session(state, by)
        resumed = session.id if session else None
        attempt = Attempt(task, state.attempt + 1, self._parts.clock.now(), state, by, resumed)
        attempt.began = self._store.time()
        attempt.cap = cap
        attempt.is_plain = self.is_plain(task)
        if self._trees.is_on and self._trees.isolates(task):
            self._trees.give(attempt)
        job, problem = self._job(attempt, session)
        self._rotate(attempt)
        if attempt.tree is None:
            attempt.base_sha = self._changed.base_commit()
            attempt.before = self._marks(task)
        previous = state.session_usage if resumed else NEW.session_usage
        self._record(attempt, previous, terminal=job is not None and job.terminal)
        self._parts.active[task_id] = attempt
        if job is None:
            self._finisher.finish(attempt, Failure(Reason.SPAWN_ERROR, problem))
            return attempt
        if attempt.tree is not None:
            self._trees.start(attempt, in_tree(job, attempt.tree, str(self._parts.project.root)))
        elif job.own_holder or attempt.before:  # the next engine needs the marks to judge the outputs
            self._send_once_recorded(job)
        else:
            self._parts.executor.submit(job)
        return attempt

    def is_plain(self, task: Task) -> bool:
        """Returns True for a command that leaves its slot free as soon as it has ended, and needs nothing else."""
        runner = self._parts.config.runner_of(task)
        more = task.criteria or task.outputs or task.inputs or task.missing or task.approval or task.locks
        if has_terminal(self._parts.config, task, None):
            return False
        return bool(runner.line) and not (more or runner.agents or task.gate or task.model or task.workspace)

    def job_ahead(self, task_id: str) -> Job | None:
        """Returns the job of a task that a holder may start later; None if the engine must start the task itself."""
        board, state = self._parts.board, self._store.tasks[task_id]
        task = board.cascade.tasks[task_id]
        if state.attempt or self._changed.in_git or self._parts.config.jobserver or not self.is_plain(task):
            return None
        if board.queue.is_limited(board.dag.index[task_id]):
            return None
        job = self._launcher.job(task, 1, log_name(task_id))
        return None if job.log in self._parts.logs else job

    def begin(self, task_id: str, handed: float, report: Report) -> Attempt:
        """Record the start of a job that was handed ahead at `handed`, on the run's clock."""
        state = self._store.tasks[task_id]
        task = self._parts.board.cascade.tasks[task_id]
        started = report.started_at or self._parts.clock.now()
        attempt = Attempt(task, state.attempt + 1, started, state, _COMMAND, None)
        attempt.is_plain = True
        attempt.began = self._began(handed, report)
        self._parts.logs.add(attempt.log_name)
        self._record(attempt, NEW.session_usage, terminal=False)
        self._parts.active[task_id] = attempt
        return attempt

    def _began(self, handed: float, report: Report) -> float:
        """When a job handed ahead began, on the run's clock: as its holder says, within what is possible.

        Reports may lie unread for a while, in which other jobs begin; and the system time may be set meanwhile.
        """
        now = self._store.time()
        latest = now - ((isinstance(report, Ended) and report.elapsed) or 0.0)
        told = now - (self._parts.clock.now() - report.started_at) if report.started_at else latest
        return min(latest, max(handed, told))

    def _send_once_recorded(self, job: Job) -> None:
        """Submit a job when its start is on disk; until then the run continues without it."""

        def send(recorded: bool) -> None:
            if recorded:
                self.unsent.discard(job.key)
                self._parts.executor.submit(job)
            else:
                self._store.when_recorded(send)

        self.unsent.add(job.key)
        self._store.when_recorded(send)

    def _marks(self, task: Task) -> Collection[int]:
        """Returns the marks of the files at the outputs' places; where outputs only have to exist, none."""
        if not task.outputs or task.workspace:
            return ()
        return marks_of(task.outputs, self._parts.project.root, self._parts.clock.now())

    def _session(self, state: TaskState, by: Assignment) -> Session | None:
        """Returns the last attempt's session if it can be resumed: it was cut off, or its work was not enough."""
        if self._trees.is_on and state.tree is None and state.attempt:
            return None  # its session knows a tree that is gone
        if not (state.session_id and state.session_usage.total) or by.agent != state.agent:
            return None
        if by.parser != (state.parser or by.parser) or not self._launcher.can_resume(by.agent):
            return None
        if state.unmerged and self._trees.is_on:
            return Session(state.session_id, cut_off=False)
        if state.reason in (Reason.RATE_LIMITED, Reason.BUDGET) or state.verdict == Verdict.INTERRUPTED:
            return Session(state.session_id, cut_off=True)
        retry = self._parts.config.retry
        if retry.feedback and retry.session == "auto" and can_go_on(state, by.model):
            return Session(state.session_id, cut_off=False)
        return None

    def _job(self, attempt: Attempt, session: Session | None) -> tuple[Job | None, str]:
        """Returns the job of the attempt, or None and why it cannot start."""
        task, by = attempt.task, attempt.by
        given = self._briefing(task, attempt, session) if by.agent else NO_BRIEFING
        try:
            job = self._launcher.job(
                task,
                attempt.number,
                attempt.log_name,
                agent=by.agent,
                briefing=given,
                session=session,
                budget=attempt.cap,
            )
        except EnvironmentProblem as problem:
            return None, problem.message
        return job, ""

    def _briefing(self, task: Task, attempt: Attempt, session: Session | None) -> Briefing:
        board, state = self._parts.board, self._parts.board.state(task.id)
        has_tree = attempt.tree is not None
        given = briefing(
            self._parts.project, task, board.state, lambda i: board.task(i).name, board.cascade.tasks,
            learns=self._parts.config.retry.feedback, afresh=has_tree and session is None and not state.unmerged,
        )  # fmt: skip
        conflict = conflict_words(state, board.cascade.tasks, self._store.tasks) if has_tree and state.unmerged else ""
        return msgspec.structs.replace(given, own_tree=has_tree, conflict=conflict)

    def _rotate(self, attempt: Attempt) -> None:
        """Rename an older log: `logs/<id>.log` always belongs to the latest attempt."""
        parts, name = self._parts, attempt.log_name
        if name in parts.logs:
            old = old_log_name(attempt.task_id, attempt.number - 1, parts.board.cascade.tasks)
            with contextlib.suppress(FileNotFoundError):
                parts.disk.rename(parts.project.log_dir / name, parts.project.log_dir / old)
        parts.logs.add(name)

    def _record(self, attempt: Attempt, previous: TokenUsage, *, terminal: bool) -> None:
        """Record the start. From the second attempt on, store the task's current fingerprint."""
        task, by = self._parts.board.cascade.tasks[attempt.task_id], attempt.by
        reset: dict[str, Any] = {**CLEARED, "fingerprint": fingerprint(task)} if attempt.number > 1 else {}
        self._store.record(
            EventKind.TASK_STARTED, task.id, f"{task.id} started: {task.name}",
            **{**reset, **row_of(task), "status": TaskStatus.IN_PROGRESS, "attempt": attempt.number,
               "worker_id": attempt.key, "started_at": iso(attempt.started), "began": attempt.began,
               "log": attempt.log_name, "terminal": terminal,
               "model": attempt.model, "agent": by.agent, "session_id": attempt.session, "session_usage": previous,
               "waits_for": None, "missing": (), "base_sha": attempt.base_sha, "parser": by.parser,
               "cap": attempt.cap, **({"before": sorted(attempt.before)} if attempt.before else {})},
        )  # fmt: skip

    def adopt(self, task_id: str, started: float, began: float) -> Attempt:
        """Adopt an attempt that an earlier engine began at `started` (system time), `began` on the run's clock."""
        parts, state = self._parts, self._store.tasks[task_id]
        task = work_of(parts.board.task(task_id), state, parts.config)
        by = self._launcher.assignment(task, state.agent)
        if state.parser is not None:
            by = msgspec.structs.replace(by, parser=state.parser, model=state.model)
        session = state.session_id if state.session_usage.total else None
        attempt = Attempt(task, state.attempt, started, state, by, session)
        attempt.began = began
        rows = self._store.database.attempts(task_id)
        attempt.take_up(state, [r for r in rows if r.run == self._store.run.id and r.attempt < attempt.number])
        if state.tree is not None and self._trees.place is not None:
            attempt.tree = self._trees.folder(task_id)
        if task.outputs and not task.workspace:
            attempt.before = self._recorded_marks(attempt)
        parts.active[task_id] = attempt
        parts.board.take(task_id)
        return attempt

    def _recorded_marks(self, attempt: Attempt) -> Collection[int]:
        """Returns the marks recorded at the attempt's start; none without one: it is on disk before the job."""
        start = self._store.database.started({attempt.task_id}).get(attempt.task_id, {})
        return frozenset(start.get("before", ())) if start.get("attempt") == attempt.number else ()
