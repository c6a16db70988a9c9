"""Follows a started attempt: reports, log, exit, and requests to stop it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import msgspec

from nova_core.agents.outcome import Ending, Verdict
from nova_core.engine.attempts.agent_questions import AgentQuestions
from nova_core.engine.attempts.attempt import Attempt, EndedBy
from nova_core.engine.attempts.budget import Budget
from nova_core.engine.attempts.criteria import CriteriaRunner
from nova_core.engine.attempts.finish import Finisher
from nova_core.engine.attempts.judge import Judge
from nova_core.engine.attempts.ledger import Ledger
from nova_core.engine.attempts.live_records import LiveRecords
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.price_question import PriceQuestion
from nova_core.engine.attempts.terminals import Terminals
from nova_core.engine.attempts.worker_report import MOST_FILES, MOST_TEXT, patch_of, words_of
from nova_core.executors.base import Ended, Report, Started, Typed, Waiting
from nova_core.files.inbox import WorkerReport
from nova_core.state.events import EventKind
from nova_core.text import duration, number_of

_FOR_OTHERS = Ending(Verdict.OVER_BUDGET, "the rest of the budget is for other tasks")


class Attempts:
    """Follows running attempts to their end. `unread` are ended attempts whose logs are not read to the end yet.

    `questions` are those of their agents.
    """

    def __init__(
        self, parts: Parts, judge: Judge, budget: Budget, ledger: Ledger, criteria: CriteriaRunner, finisher: Finisher
    ) -> None:
        self._parts = parts
        self._store = parts.store
        self._active = parts.active
        self._folder = os.fspath(parts.project.log_dir)
        self._judge = judge
        self._records = LiveRecords(parts)
        self._prices = PriceQuestion(parts)
        self._budget = budget
        self._ledger = ledger
        self._criteria = criteria
        self._finisher = finisher
        self._trees = parts.trees
        self.questions = AgentQuestions(parts)
        self.terminals = Terminals(parts)
        self.unread: dict[str, Attempt] = {}

    @property
    def failed(self) -> int:
        """The number of tasks that have failed for good since the engine began."""
        return self._finisher.failed

    def handle(self, report: Report | Waiting | Typed) -> None:
        """Handle a report of the executor."""
        if isinstance(report, Typed):
            self.terminals.take(report)
            return
        if isinstance(report, Waiting):
            text = f"cannot start processes now ({report.detail}); waiting until it is possible again"
            self._store.record(EventKind.WARNING, None, text)
            return
        task_id = report.key.partition("@")[0]
        attempt = self._active.get(task_id)
        if attempt is None or report.key != attempt.current_key:
            if self._trees.place is not None:
                self._trees.report(report)
            return  # about a finished attempt
        if attempt.preparing:
            self._trees.prepared(attempt, report)
        elif isinstance(report, Started):
            attempt.pid = report.pid
            text = f"{task_id} running as pid {report.pid}"
            self._store.record(EventKind.TASK_RUNNING, task_id, text, pid=report.pid)
        elif attempt.check:
            self._criteria.over(attempt, report)
        else:
            attempt.ended = report
            if attempt.by.agent is not None:
                self._records.forget(attempt)
            attempt.pid = report.pid
            if attempt.is_silent and report.printed == 0:
                self._over(attempt, report)
            else:
                self._read_rest(attempt)

    # its output and reports

    def read_logs(self) -> bool:
        """Read what running attempts have printed: tokens, steps, and signs that they cannot succeed.

        The time of one call is bounded. Returns True if unread output remains.
        """
        at_work = [attempt for attempt in self._active.values() if attempt.ended is None]
        more = False
        for attempt in at_work:
            read, by_agent = attempt.look(self._folder, self._parts.clock, len(at_work)), attempt.by.agent is not None
            if (by_agent and self._records.look(attempt)) or read:
                self._tell_trouble(attempt)
                self._budget.measure(attempt)
                self._judge.keep_windows(attempt)
                if attempt.tail.caught_up:
                    self._progress(attempt)
                    self.questions.look(attempt)
                self._watch(attempt)
                more |= attempt.is_behind
            if by_agent:
                self._end_if_quiet(attempt)
            if not attempt.is_silent:
                self.terminals.look(attempt, self._folder)
        return more

    def _progress(self, attempt: Attempt) -> None:
        state = self._store.tasks[attempt.task_id]
        figures = attempt.figures(self._parts.prices)
        usage = attempt.base_usage + figures.usage
        patch: dict[str, Any] = {}
        if usage != state.token_usage:
            patch = self._ledger.usage_patch(attempt, figures)
        if attempt.log.step and attempt.log.step != attempt.step:
            attempt.step = patch["current_step"] = attempt.log.step[:MOST_TEXT]
        told = (("session_id", attempt.log.session_id), ("model", attempt.log.model), ("reported", attempt.reported))
        for name, value in told:
            if value and value != getattr(state, name):
                patch[name] = value
        if patch:
            text = patch.get("current_step") or f"{usage.total} tokens"
            self._store.record(EventKind.TASK_PROGRESS, attempt.task_id, f"{attempt.task_id}: {text}", **patch)

    def _watch(self, attempt: Attempt) -> None:
        """End an attempt that cannot succeed, before it wastes time or money."""
        unpriced = self._prices.ask(attempt)
        if unpriced is not None and attempt.by.agent is not None:
            self.hold([attempt], unpriced)
        if why := self._judge.must_end(attempt):
            self._end_by_verdict(attempt, why)

    def _end_if_quiet(self, attempt: Attempt) -> None:
        """End an agent that has said that it is done, and does not exit: something it started keeps it."""
        limit, quiet = self._parts.config.quiet_timeout, attempt.quiet(self._parts.clock.monotonic())
        if limit and quiet >= limit and attempt.ending in (None, EndedBy.EARLIER_STOP):
            attempt.ending = EndedBy.QUIET
            text = f"{attempt.task_id} has finished but does not exit: stopped after {duration(limit)} without an event"
            self._store.record(EventKind.TASK_PROGRESS, attempt.task_id, text)
            self._parts.executor.cancel(attempt.key, self._parts.config.grace)

    def _tell_trouble(self, attempt: Attempt) -> None:
        """Warn once that a part of the attempt's log cannot be read."""
        trouble = attempt.trouble
        if trouble and not attempt.told_trouble:
            attempt.told_trouble = True
            text = f"{attempt.task_id}: part of its log cannot be read ({trouble}); its figures are estimated"
            self._store.record(EventKind.WARNING, attempt.task_id, text)

    def take_report(self, report: WorkerReport) -> None:
        """Apply a worker's report: it is shown and recorded, but never decides the verdict."""
        attempt = self._active[report.task]
        if report.tokens is not None:
            attempt.reported = {**attempt.reported, **msgspec.to_builtins(report.tokens)}
            self._progress(attempt)
        patch = patch_of(report)
        output = (report.output,) if report.output else ()
        files = tuple(dict.fromkeys((*attempt.files, *report.files, *output)))[:MOST_FILES]
        if files != attempt.files:
            attempt.files = patch["files_changed"] = files
        if patch or report.message:
            kind = EventKind.TASK_SAID if report.message else EventKind.TASK_PROGRESS
            self._store.record(kind, report.task, f"{report.task}: {words_of(report, patch)}", **patch)

    # its end

    def read_rests(self) -> None:
        """Continue reading the logs of ended attempts, a part of each."""
        for attempt in list(self.unread.values()):
            self._read_rest(attempt)

    def _read_rest(self, attempt: Attempt) -> None:
        """Read the rest of the log; the attempt is judged only after that."""
        self.unread[attempt.task_id] = attempt
        is_read = attempt.look_at_rest(self._folder, self._parts.clock, len(self.unread))
        if is_read and attempt.ended is not None:
            del self.unread[attempt.task_id]
            self._over(attempt, attempt.ended)

    def _over(self, attempt: Attempt, ended: Ended) -> None:
        """Judge an attempt whose command has ended and whose log is read."""
        self._tell_leftovers(attempt, ended)
        has_terminal = self._store.tasks[attempt.task_id].terminal
        if attempt.is_silent and not (has_terminal or attempt.trouble_of_own):
            failed = self._judge.failure(attempt, ended)  # no log, so no question, price or answer
        else:
            self.questions.look(attempt)
            self._prices.ask(attempt)
            failed = self.terminals.over(attempt, self._folder, self._judge.failure(attempt, ended))
            self._tell_trouble(attempt)
        if attempt.tree is not None:
            self._trees.over(attempt, failed)
        elif failed is None:
            self._criteria.begin(attempt)
        else:
            self._finisher.finish(attempt, failed)

    def _tell_leftovers(self, attempt: Attempt, ended: Ended) -> None:
        for what, names in (("left behind, stopped", ended.leftovers), ("could not be stopped", ended.survivors)):
            if names:
                number = number_of(len(names), "process", "processes")
                text = f"{attempt.task_id}: {number} {what}: {', '.join(names[:5])}"
                self._store.record(EventKind.WARNING, attempt.task_id, text)

    def merge(self, task_id: str, text: str) -> None:
        """Put a task into the queue of merges whose work a person has approved."""
        self._finisher.queue(task_id, text, {"approval": "approved"})

    # requests to end it

    def end_costly(self, why: str) -> None:
        """End the running agents: the budget is used up. Their sessions can be resumed."""
        for attempt in list(self._active.values()):
            if attempt.by.agent is not None and not attempt.check:
                self._end_by_verdict(attempt, Ending(Verdict.OVER_BUDGET, why))

    def hold(self, attempts: Iterable[Attempt], why: Ending = _FOR_OTHERS) -> None:
        """End attempts that the budget does not allow now; their tasks continue as soon as it does."""
        for attempt in attempts:
            if attempt.ending not in (None, EndedBy.EARLIER_STOP):
                continue
            attempt.is_held = True
            self._record_interrupted(attempt, True)
            self._end_by_verdict(attempt, why)

    def _end_by_verdict(self, attempt: Attempt, why: Ending) -> None:
        if attempt.ending in (None, EndedBy.EARLIER_STOP) and attempt.ended is None:
            attempt.ending = why
            self._store.record(EventKind.WARNING, attempt.task_id, f"{attempt.task_id} stopped: {why.reason}")
            self._parts.executor.cancel(attempt.key, self._parts.config.grace)

    def interrupt(self, *, kill: bool = False) -> None:
        """End all attempts because the run ends. It is on disk that they will run again before the first is ended.

        If it cannot be written, they are ended nevertheless.
        """
        new = [attempt for attempt in self._active.values() if not attempt.is_asked_to_end]
        for attempt in new:
            attempt.ending = EndedBy.STOP
            self._record_interrupted(attempt, True)
        if new:
            self._store.when_recorded(lambda _: self._end_all(kill=kill))
        else:
            self._end_all(kill=kill)

    def _end_all(self, *, kill: bool) -> None:
        for attempt in list(self._active.values()):
            if attempt.is_asked_to_end:
                self._end(attempt, kill=kill)

    def cancel(self, task_id: str, *, kill: bool = False) -> None:
        """End an attempt's process tree for good; its end arrives as a report."""
        attempt = self._active[task_id]
        if self._store.tasks[task_id].interrupted:
            self._record_interrupted(attempt, False)
        attempt.ending = EndedBy.PERSON
        self._end(attempt, kill=kill)

    def _record_interrupted(self, attempt: Attempt, interrupted: bool) -> None:
        text = f"{attempt.task_id} {'interrupted' if interrupted else 'cancelled'}"
        self._store.record(EventKind.TASK_PROGRESS, attempt.task_id, text, interrupted=interrupted)

    def _end(self, attempt: Attempt, *, kill: bool) -> None:
        if attempt.task_id in self.unread:
            return
        self._parts.executor.cancel(attempt.current_key, 0.0 if kill else self._parts.config.grace)
