"""Permissions that agents wait for while they work: shown to people, and answered by them."""

from __future__ import annotations

from nova_core.acp import answers
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.files.inbox import load_secret
from nova_core.state.events import EventKind


class AgentQuestions:
    """What running agents ask is in their logs, so that an engine that takes a run over asks it again."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    def look(self, attempt: Attempt) -> None:
        """Record what the agent asks for, or that it no longer does."""
        question = None if attempt.is_silent or attempt.ended else attempt.log.question
        if question is not None and question.key != attempt.asked:
            attempt.asked = question.key
            task_id = attempt.task_id
            text = f"{task_id} needs approval: {question.words}: `nova approve {task_id}`, or with --deny"
            self._store.record(EventKind.TASK_WAITING, task_id, text, asks=question.words)
        elif question is None and self._store.tasks[attempt.task_id].asks:
            text = f"{attempt.task_id}: its question was not answered"
            self._store.record(EventKind.TASK_PROGRESS, attempt.task_id, text, asks=None)

    def answer(self, task_id: str, *, allow: bool) -> str | None:
        """Answer what the agent of a task asks for; returns why that is not possible, or None."""
        attempt, parts = self._parts.active.get(task_id), self._parts
        if attempt is None:
            return f"{task_id} asks for a permission, but no engine is running: `nova run` takes it over"
        question = attempt.log.question
        if question is None or question.key != attempt.asked:
            return f"{task_id} does not need approval"
        name = answers.file_name(task_id, attempt.number, question.key)
        try:
            secret = load_secret(parts.project.secret_file)
            answer = answers.encode(secret, task_id, attempt.number, question.key, allow=allow)
            parts.disk.replace(parts.project.inbox_dir / "ack" / name, answer, sync=False)
        except OSError as error:
            return f"{task_id}: cannot write the answer: {error.strerror}"
        text = f"{task_id} {'may' if allow else 'may not'} {question.words}"
        self._store.record(EventKind.TASK_PROGRESS, task_id, text, asks=None)
        return None
