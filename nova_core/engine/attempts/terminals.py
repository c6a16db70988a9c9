"""The terminals of running attempts: what people type into them, and which of them wait for an answer."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from nova_core.command import Command, CommandKind, Reply
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.question import MOST_TAIL, question_of, unanswered
from nova_core.engine.attempts.verdict import Failure
from nova_core.executors.base import Typed
from nova_core.files.plain_file import end_of
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason
from nova_core.text import clean, cut, number_of

_PAUSE = 2.0  # seconds; what is typed without such a pause, up to the end of a line, is one event
_LIVELY = 10.0  # seconds after the last key in which the next one is likely
_LIMITS = (Reason.TIMEOUT, Reason.IDLE_TIMEOUT)
_NO_ANSWER = (*_LIMITS, Reason.EXIT_CODE, Reason.AGENT_ERROR)
QUIET = 1.5  # seconds without output after which an unfinished question waits for an answer
_MOST_SHOWN = 500  # characters of a line that was typed
_SIZE = "columns x rows, such as 120x40"


class _Line(msgspec.Struct):
    """What was typed and is not in the history yet; `text` is None where the terminal did not show it."""

    who: str
    text: str | None
    count: int
    at: float


class _Silence(msgspec.Struct):
    """The size of a log, since when it has it (monotonic), and whether its end was looked at."""

    size: int
    since: float
    is_read: bool = False


class Terminals:
    """Types for people, records who typed what, and finds the attempts that ask."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lines: dict[str, _Line] = {}
        self._silences: dict[str, _Silence] = {}
        self._used = 0.0

    @property
    def is_lively(self) -> bool:
        """True while somebody types: the next key must not wait for the engine's usual look."""
        return bool(self._used) and self._parts.clock.monotonic() - self._used < _LIVELY

    # what people type

    def carry_out(self, command: Command) -> Reply:
        """Type, or set the size of the terminal of the one task that the command names."""
        if len(command.ids) != 1:
            return Reply(False, "name one task")
        task_id = command.ids[0]
        attempt = self._parts.active.get(task_id)
        if attempt is None or attempt.ended or attempt.check:
            return Reply(False, f"{task_id} is not running")
        if not self._parts.store.tasks[task_id].terminal:
            return Reply(False, f"{task_id} has no terminal: set `terminal: true` (column Terminal), and run it again")
        if command.kind is CommandKind.RESIZE:
            return self._resize(attempt, command.text)
        self._used = self._parts.clock.monotonic()
        if not self._parts.executor.to_terminal(attempt.key, "type", command.by or "somebody", command.text):
            return Reply(False, f"{task_id} is not running")
        return Reply(True, f"typed into {task_id}")

    def _resize(self, attempt: Attempt, text: str) -> Reply:
        columns, _, rows = text.partition("x")
        if not all(word.isascii() and word.isdigit() and 0 < len(word) < 5 for word in (columns, rows)):
            return Reply(False, f"not a size: {text[:40]}; write {_SIZE}")
        self._parts.executor.to_terminal(attempt.key, "size", int(columns), int(rows))
        return Reply(True, "")

    def take(self, report: Typed) -> None:
        """Remember what was typed, until its line is whole or its typist pauses; it is recorded then."""
        task_id = report.key.partition("@")[0]
        if not report.count:  # a new size
            return
        if not report.taken:
            text = f"{task_id} does not read what is typed: {number_of(report.count, 'byte')} rejected"
            self._parts.store.record(EventKind.WARNING, task_id, text)
            return
        before = self._lines.get(task_id)
        if before and (before.who != report.who or (before.text is None) != (report.text is None)):
            self._record(task_id)
            before = None
        line = before or _Line(report.who, report.text and "", 0, 0.0)
        line.count += report.count
        line.text = None if report.text is None else (line.text or "") + report.text
        line.at = self._parts.clock.monotonic()
        self._lines[task_id] = line
        if report.text is not None and report.text[-1:] in "\r\n":
            self._record(task_id)

    def turn(self) -> None:
        """Record what was typed a while ago."""
        now = self._parts.clock.monotonic()
        for task_id, line in list(self._lines.items()):
            if now - line.at >= _PAUSE or task_id not in self._parts.active:
                self._record(task_id)

    def _record(self, task_id: str) -> None:
        line = self._lines.pop(task_id)
        patch = {"typed": {"who": line.who, "text": line.text and _words(line.text), "bytes": line.count}}
        if line.text is None:
            said = f"{number_of(line.count, 'byte')}, which its terminal did not show"
        else:
            said = f"`{_words(line.text)}`"
        self._parts.store.record(EventKind.TASK_TYPED, task_id, f"{task_id}: {line.who} typed {said}", **patch)

    # which of them ask

    def look(self, attempt: Attempt, folder: str) -> None:
        """Notice that an attempt is quiet after an unfinished question, or has printed more after one."""
        path, now = os.path.join(folder, attempt.log_name), self._parts.clock.monotonic()
        try:
            size = os.stat(path, follow_symlinks=False).st_size
        except OSError:
            return
        silence = self._silences.get(attempt.key)
        if silence is None or silence.size != size:
            self._silences[attempt.key] = _Silence(size, now)
            if self._parts.store.tasks[attempt.task_id].question:
                self._ask(attempt, None)
        elif not silence.is_read and now - silence.since >= QUIET:
            silence.is_read = True
            if size and (question := question_of(_tail(path))):
                self._ask(attempt, question)

    def _ask(self, attempt: Attempt, question: str | None) -> None:
        task_id = attempt.task_id
        if question is None:
            self._parts.store.record(EventKind.TASK_PROGRESS, task_id, f"{task_id} continues", question=None)
            return
        text = f"{task_id} asks: {question}"
        if not self._parts.store.tasks[task_id].terminal:
            text = f"{task_id} asked `{question}`, and has no terminal to get an answer"
        self._parts.store.record(EventKind.TASK_ASKED, task_id, text, question=question)

    def over(self, attempt: Attempt, folder: str, failed: Failure | None) -> Failure | None:
        """An attempt has ended: returns why it failed, with the question to which it got no answer, if there is one.

        An answer on a terminal may leave no trace in the log: there only a time limit shows that there was none.
        """
        self._silences.pop(attempt.key, None)
        if attempt.task_id in self._lines:
            self._record(attempt.task_id)
        task_id, state = attempt.task_id, self._parts.store.tasks[attempt.task_id]
        reasons = _LIMITS if state.terminal else _NO_ANSWER
        question = ""
        if failed is not None and failed.reason in reasons:
            question = unanswered(_tail(os.path.join(folder, attempt.log_name)))
        if question != (state.question or ""):
            text = f"{task_id} asked `{question}`" if question else f"{task_id} has ended"
            self._parts.store.record(EventKind.TASK_PROGRESS, task_id, text, question=question or None)
        if failed is None or not question:
            return failed
        return Failure(failed.reason, f"asked `{question}` and got no answer ({failed.error})")


def _words(text: str) -> str:
    """What was typed, as text: keys without a sign of their own are named as terminals do (`^C`)."""
    decoded = text.encode("latin-1", "replace").decode("utf-8", "replace").rstrip("\r\n")
    named = "".join(f"^{chr(ord(char) ^ 64)}" if ord(char) < 32 or ord(char) == 127 else char for char in decoded)
    return cut(clean(named), _MOST_SHOWN)


def _tail(path: str) -> str:
    """The end of a log; empty if it cannot be read, or is no regular file."""
    try:
        return end_of(Path(path), MOST_TAIL).decode("utf-8", "replace")
    except OSError:
        return ""
