"""Carries out a person's commands: on a running engine, or on the state alone if none runs."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from nova_core.command import OF_TERMINALS, Command, CommandKind, Reply
from nova_core.engine.admission import Admission
from nova_core.engine.attempts.evidence import Evidence
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.rate_limits import RateLimits
from nova_core.launch.invocation import agents_known
from nova_core.model import MAX_ID
from nova_core.state.events import EventKind
from nova_core.state.git_run import QUEUED
from nova_core.state.schema import RESET, Reason, TaskStatus, unlearned
from nova_core.text import number_of

_MOST_NOTE = 4000  # characters of a note for the next attempt
Answer = Callable[[Reply], object]


class CommandHandler:
    """Applies commands to a run, started or not. The engine's loop carries out those that other threads post."""

    def __init__(
        self, parts: Parts, attempts: Attempts, rate_limits: RateLimits, admission: Admission, evidence: Evidence
    ) -> None:
        self._board = parts.board
        self._store = parts.store
        self._executor = parts.executor
        self._active = parts.active
        self._attempts = attempts
        self._rate_limits = rate_limits
        self._admission = admission
        self._evidence = evidence
        self._config = parts.config
        self.posted: deque[tuple[Command, Answer | None]] = deque()

    def apply_posted(self) -> None:
        """Carry out the posted commands, and answer each."""
        while self.posted:
            command, answer = self.posted.popleft()
            reply = self.apply(command)
            if answer is not None:
                answer(reply)

    def apply(self, command: Command) -> Reply:
        """Carry out one command; tasks for which it is rejected stay unchanged."""
        if command.kind is CommandKind.JOBS:
            return self._set_jobs(command.text)
        if command.kind is CommandKind.STOP:
            self._admission.stop(command.kill)
            self._executor.wake()
            return Reply(True, "stopping")
        if command.kind in (CommandKind.PAUSE, CommandKind.RESUME):
            return self._pause(command.kind is CommandKind.PAUSE)
        if command.kind in OF_TERMINALS:
            return self._attempts.terminals.carry_out(command)
        return self._apply_to_tasks(command)

    def _set_jobs(self, text: str) -> Reply:
        """Set the number of workers, or with a sign add or remove some; one stays."""
        if not re.fullmatch("[+-]?[0-9]{1,5}", text) or not int(text):
            return Reply(False, f"not a number of workers: {text[:80]}")
        jobs = max(1, int(text) + (self._admission.jobs if text[0] in "+-" else 0))
        self._admission.jobs = jobs
        if self._store.run.jobs != jobs:
            self._store.record(EventKind.WORKERS_CHANGED, None, f"workers: {jobs:,}", jobs=jobs)
        return Reply(True, number_of(jobs, "worker"))

    def _apply_to_tasks(self, command: Command) -> Reply:
        unknown = [i for i in command.ids if i not in self._board.cascade.tasks]
        if unknown:
            return Reply(False, f"no such task: {', '.join(unknown)}")
        handlers: dict[CommandKind, Callable[[str, Command], str | None]] = {
            CommandKind.RETRY: self._retry,
            CommandKind.SKIP: self._skip,
            CommandKind.APPROVE: self._approve,
            CommandKind.REJECT: self._reject,
            CommandKind.CANCEL: self._cancel,
        }
        handler = handlers[command.kind]
        done: list[str] = []
        refused: list[str] = []
        for task_id in self._targets(command):
            why = handler(task_id, command)
            (refused if why else done).append(why or task_id)
        if done:
            self._board.rebuild()
        words = [f"{_DONE[command.kind]}: {', '.join(done)}"] if done else []
        return Reply(not refused, "; ".join(words + refused) or f"nothing to {command.kind}")

    def _targets(self, command: Command) -> list[str]:
        board = self._board
        if command.kind is CommandKind.RETRY:
            failed = [i for i in board.dag.ids if board.state(i).status is TaskStatus.FAILED]
            chosen = tuple(dict.fromkeys(command.ids)) or tuple(failed)
            below = board.dag.descendants(chosen) if command.downstream else set()
            return [*chosen, *(i for i in board.dag.ids if i in below and self._can_reset(i))]
        if command.kind is CommandKind.CANCEL and not command.ids:
            return list(self._active)
        return list(dict.fromkeys(command.ids))

    def _can_reset(self, task_id: str) -> bool:
        return self._board.state(task_id).status in (TaskStatus.FAILED, TaskStatus.COMPLETED)

    def _pause(self, paused: bool) -> Reply:
        held = [] if paused else list(self._store.run.quotas)
        for provider in held:
            self._rate_limits.lift(provider)
        if held:
            self._board.rebuild()
        if self._store.run.paused == paused:
            if held:
                return Reply(True, f"no longer waiting for: {', '.join(held)}")
            return Reply(True, "the run is already paused" if paused else "the run is not paused")
        kind = EventKind.RUN_PAUSED if paused else EventKind.RUN_RESUMED
        text = "paused: running tasks continue; no new tasks will start" if paused else "resumed"
        self._store.record(kind, None, text, paused=paused)
        return Reply(True, text)

    def _retry(self, task_id: str, command: Command) -> str | None:
        state = self._board.state(task_id)
        if state.is_running:
            return f"{task_id} is running; cancel it first"
        if state.is_merging:
            return f"{task_id} is being merged"
        if state.status is TaskStatus.PENDING and not state.retry_at and not state.waits_for:
            if state.awaits_approval:
                return f"{task_id} needs approval to start: nova approve {task_id}"
            if state.missing:
                return f"{task_id} is blocked: missing {', '.join(state.missing)}"
            causes = ", ".join(state.blocked_by)
            return f"{task_id} is blocked by {causes}; retry {causes}" if causes else f"{task_id} has not run yet"
        if why := self._cannot_want(task_id, command):
            return why
        if state.waits_for and not (command.agent or command.model):
            self._rate_limits.lift(state.waits_for)
        wants = {"wanted_agent": command.agent, "wanted_model": command.model, "note": command.text}
        given = {name: text for name, text in wants.items() if text} if task_id in command.ids else {}
        by = ", ".join(word for word in (command.agent, command.model) if word)
        text = f"{task_id} will run again" + (f" by {by}" if by and given else "")
        self._store.record(EventKind.TASK_RESET, task_id, text, **{**RESET, **given})
        return None

    def _cannot_want(self, task_id: str, command: Command) -> str | None:
        """Returns why the task cannot be done by the agent and model of the command, or None."""
        if len(command.text) > _MOST_NOTE or len(command.model) > MAX_ID:
            return f"{task_id}: a note has at most {_MOST_NOTE:,} characters, a model {MAX_ID}"
        if not (command.agent or command.model) or task_id not in command.ids:
            return None
        if self._config.runner_of(self._board.task(task_id)).line:
            return f"{task_id} runs a command: no agent or model does it"
        known = agents_known(self._config)
        if command.agent and command.agent not in known:
            return f"there is no agent {command.agent[:MAX_ID]}; known: {', '.join(known)}"
        return None

    def _skip(self, task_id: str, command: Command) -> str | None:
        state = self._board.state(task_id)
        if state.is_running:
            return f"{task_id} is running; cancel it first"
        if state.is_merging:
            return f"{task_id} is being merged"
        if state.status is TaskStatus.COMPLETED:
            return f"{task_id} is already done"
        patch = {**RESET, "status": TaskStatus.COMPLETED, "skipped": True, "current_step": None}
        self._store.record(EventKind.TASK_COMPLETED, task_id, f"{task_id} skipped", **patch)
        return None

    def _approve(self, task_id: str, command: Command) -> str | None:
        if self._board.state(task_id).asks:
            return self._attempts.questions.answer(task_id, allow=True)
        if self._board.state(task_id).status is TaskStatus.PENDING:
            return self._approve_start(task_id)
        if not self._board.state(task_id).awaits_approval:
            return f"{task_id} does not need approval"
        if self._board.state(task_id).taken is not None:
            self._attempts.merge(task_id, f"{task_id} approved: it waits for its merge")
            return None
        learned = unlearned(self._board.state(task_id))
        patch = {"status": TaskStatus.COMPLETED, "approval": "approved", "current_step": None, **learned}
        self._store.record(EventKind.TASK_COMPLETED, task_id, f"{task_id} approved", **patch)
        return None

    def _approve_start(self, task_id: str) -> str | None:
        """Let a task start that needs approval before it does, now or when its dependencies are done."""
        if self._board.task(task_id).approval != "before":
            return f"{task_id} does not need approval"
        if self._board.state(task_id).approval == "approved":
            return f"{task_id} is already approved"
        self._store.record(EventKind.TASK_RESET, task_id, f"{task_id} approved: it may start", approval="approved")
        return None

    def _reject(self, task_id: str, command: Command) -> str | None:
        if self._board.state(task_id).asks:
            return self._attempts.questions.answer(task_id, allow=False)
        if not self._board.state(task_id).awaits_approval:
            return f"{task_id} does not need approval"
        text = command.text or "no reason given"
        self._fail(task_id, Reason.REJECTED, f"rejected: {text}", self._evidence.rejected(task_id, text))
        return None

    def _cancel(self, task_id: str, command: Command) -> str | None:
        state = self._board.state(task_id)
        if task_id in self._active:
            self._attempts.cancel(task_id, kill=command.kill)
            return None
        if state.retry_at or state.waits_for or state.awaits_approval or (state.is_merging and state.merge == QUEUED):
            self._fail(task_id, Reason.CANCELLED, "cancelled")
            return None
        return f"{task_id} is not running"

    def _fail(self, task_id: str, reason: Reason, error: str, learned: Mapping[str, Any] | None = None) -> None:
        patch = {name: value for name, value in RESET.items() if name != "status"} | {**(learned or {})}
        self._board.fail(task_id, f"{task_id} failed: {error}", **{**patch, "reason": reason, "error": error})


_DONE = {
    CommandKind.RETRY: "will run again",
    CommandKind.SKIP: "skipped",
    CommandKind.APPROVE: "approved",
    CommandKind.REJECT: "rejected",
    CommandKind.CANCEL: "stopping",
}
