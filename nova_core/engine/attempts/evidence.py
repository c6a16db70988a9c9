"""What a failed attempt teaches: it is kept for the next one, and decides whether a ladder is climbed or ends."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec

from nova_core.agents.outcome import Verdict
from nova_core.digest import blake2b
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.verdict import FINAL, Failure
from nova_core.files.plain_file import end_of
from nova_core.files.project import check_log_name
from nova_core.launch.ladder import Rung, ladder_of, work_of
from nova_core.state.schema import PastAttempt, Reason, TaskState, TaskStatus
from nova_core.text import clean, cut

_MOST_PAST = 5  # attempts that are kept; only the last with all its details
_MOST_ERROR = 1000
_MOST_SAID = 2000
_MOST_FILES = 20
_MOST_STEPS = 8
_MOST_WORD = 200
_END = 16_000  # bytes of a criterion's log by which failures differ
# Nothing about the work: the next attempt need not know.
_SAYS_NOTHING = frozenset({Reason.RATE_LIMITED, Reason.BUDGET, Reason.SPAWN_ERROR})
# Of these a stronger model may do better; of a crash, a cancellation or a limit it does not.
_OF_THE_WORK = frozenset(
    {
        Reason.CHECK_FAILED,
        Reason.MISSING_OUTPUTS,
        Reason.AGENT_ERROR,
        Reason.EXIT_CODE,
        Reason.TIMEOUT,
        Reason.REJECTED,
    }
)
# The session itself is sound: its work was judged and was not enough, or it stopped too early.
_OF_THE_RESULT = frozenset({Reason.CHECK_FAILED, Reason.MISSING_OUTPUTS, Reason.REJECTED})
_STOPPED_EARLY = frozenset({Verdict.MAX_TURNS, Verdict.ASKED, Verdict.NOTHING_DONE})
# What differs between two runs of the same failure: times, durations, addresses.
_VARYING = re.compile(rb"0x[0-9a-fA-F]+|[0-9]+(?:[.:,][0-9]+)+|[0-9]+(?= ?(?:ms|s|sec|seconds)\b)")


class Lesson(msgspec.Struct, frozen=True):
    """What follows from a failed attempt: the `patch` of its task, and the rung that does it next, if there is one.

    `repeats` is True if a task with a ladder failed twice in a row for the same reason.
    """

    patch: dict[str, Any]
    climbs: Rung | None = None
    repeats: bool = False


class Evidence:
    """Keeps what failed attempts teach."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def lesson(self, attempt: Attempt, failed: Failure, files: Collection[str]) -> Lesson:
        """Returns the lesson of a failed attempt, which changed `files`."""
        if failed.reason in _SAYS_NOTHING or attempt.verdict is Verdict.BAD_CREDENTIALS:
            return Lesson({})
        state = self._parts.store.tasks[attempt.task_id]
        check = attempt.check if failed.reason is Reason.CHECK_FAILED else 0
        one = PastAttempt(
            attempt.number, failed.reason, _short(failed.error, _MOST_ERROR), attempt.by.agent, attempt.by.model,
            attempt.verdict, check, self._steps(attempt), _files(files), self._said(attempt), state.note or "",
            _mark(failed.reason, attempt.verdict, failed.error, self._end_of_check(attempt, check)),
        )  # fmt: skip
        rungs = self._rungs(attempt.task_id, state)
        repeats = bool(rungs and state.failures and state.past and state.past[-1].mark == one.mark)
        if not (rungs and is_about_work(failed.reason, attempt.verdict)):
            return Lesson({"past": added(state.past, one)}, repeats=repeats)
        rung = max(0, state.rung)  # people can write any number
        climbs = rungs[rung] if rung < len(rungs) else None
        patch = {"past": added(state.past, one), "rung": min(rung + 1, len(rungs))}
        return Lesson(patch, climbs, repeats)

    def rejected(self, task_id: str, text: str) -> dict[str, Any]:
        """Returns the patch of a task whose work a person rejected with `text`."""
        state, launcher = self._parts.store.tasks[task_id], self._parts.launcher
        task = work_of(self._parts.board.task(task_id), state, self._parts.config)
        worked = state.status is TaskStatus.IN_PROGRESS
        model = launcher.assignment(task, state.agent).model
        one = PastAttempt(
            state.attempt, Reason.REJECTED, _short(text, _MOST_SAID), state.agent, model if worked else None,
            files=_files(state.files_changed), note=state.note or "", mark=_mark(Reason.REJECTED, None, text, b""),
        )  # fmt: skip
        patch: dict[str, Any] = {"past": added(state.past, one)}
        if worked:
            patch["rung"] = min(max(0, state.rung) + 1, len(self._rungs(task_id, state)))
        return patch

    def of_merge(self, task_id: str, reason: Reason, error: str) -> dict[str, Any]:
        """Returns the patch of a task whose work held by itself, but not with what was merged meanwhile."""
        state = self._parts.store.tasks[task_id]
        one = PastAttempt(
            state.attempt, reason, _short(error, _MOST_ERROR), state.agent, state.model, state.verdict,
            files=_files(state.files_changed), note=state.note or "", mark=_mark(reason, None, error, b""),
        )  # fmt: skip
        return {"past": added(state.past, one)}

    def _rungs(self, task_id: str, state: TaskState) -> tuple[Rung, ...]:
        return ladder_of(self._parts.board.task(task_id), state, self._parts.config)

    def _steps(self, attempt: Attempt) -> tuple[str, ...]:
        if attempt.is_silent:
            return ()
        return tuple(_short(step, _MOST_WORD) for step in attempt.log.steps[-_MOST_STEPS:])

    def _said(self, attempt: Attempt) -> str:
        """Returns the agent's last message; if it has none, its note for other tasks."""
        text = "" if attempt.is_silent else attempt.safely(lambda: attempt.log.final_text, "")
        text = text or self._parts.store.tasks[attempt.task_id].handoff or ""
        return clean(text[-_MOST_SAID:], newlines=True)

    def _end_of_check(self, attempt: Attempt, check: int) -> bytes:
        if not check:
            return b""
        name = check_log_name(attempt.task_id, check, self._parts.board.cascade.tasks)
        try:
            return end_of(self._parts.project.log_dir / name, _END)
        except OSError:
            return b""


def can_go_on(state: TaskState, model: str | None) -> bool:
    """Returns True if the agent, with `model`, should continue the session in which its last work was not enough.

    Not after an error of the session itself, with another model, or if it has failed twice in the same way.
    """
    last = state.past[-1] if state.past else None
    if last is None or last.attempt != state.attempt or (last.agent, last.model) != (state.agent, model):
        return False
    if len(state.past) > 1 and state.past[-2].mark == last.mark:
        return False
    return last.reason in _OF_THE_RESULT or last.verdict in _STOPPED_EARLY


def is_about_work(reason: Reason | None, verdict: str | None) -> bool:
    """Returns True if the failure is evidence against the work, not against a limit, a login or the machine."""
    return reason in _OF_THE_WORK and verdict not in FINAL and verdict != Verdict.INTERRUPTED


def added(past: tuple[PastAttempt, ...], one: PastAttempt) -> tuple[PastAttempt, ...]:
    """Returns the attempts with one more; all but the last without their details, the oldest left out."""
    brief = (msgspec.structs.replace(old, steps=(), files=(), said="") for old in past)
    return (*brief, one)[-_MOST_PAST:]


def _mark(reason: Reason, verdict: str | None, error: str, printed: bytes) -> str:
    words = b"\0".join((reason.encode(), (verdict or "").encode(), error.encode("utf-8", "replace"), printed))
    return blake2b(_VARYING.sub(b"", words), digest_size=8).hexdigest()


def _short(text: str, most: int) -> str:
    return cut(clean(text, newlines=True), most)


def _files(files: Collection[str]) -> tuple[str, ...]:
    return tuple(_short(path, _MOST_WORD) for path in list(files)[:_MOST_FILES])
