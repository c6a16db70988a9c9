"""The line of a log that says why its task failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from nova_core.console.tails import tail
from nova_core.model import is_safe_id
from nova_core.runs.words import failure_text
from nova_core.state.schema import Reason, State, TaskState, TaskStatus

_TAIL = 40  # lines at the end of a log among which it is looked for
_MOST = 200  # tasks whose logs are read at once
_SAYS_LITTLE = (Reason.EXIT_CODE, Reason.SIGNAL)  # why it happened is in the log
Log = Callable[[str], Path]
_TELLS = (
    r"(?i:\b(error|err!|fail(ed|s|ure)?|fatal|panic(ked)?|exception|abort(ed)?|cannot|can't|could ?n[o']t|unable|denied"
    r"|refused|not found|no such|undefined|unexpected|invalid|missing|mismatch|killed|expected|assert(ion)?)\b)"
    r"|\w(Error|Exception)\b"
)
_DENIES = r"(?i:\b(0|no) (errors?|fail(ed|ures?)))"
# What follows a failure in many programs, and says no more than the exit code.
_ADDS_NOTHING = (
    r"(?i:^make(\[\d+\])?: \*\*\*|^npm err! (a complete log|code|errno|path|command|lifecycle)|\bprevious errors?\b"
    r"|\bexit(ed)?( with)?( code| status)\b|^[=_~*-]{2,}.*[=_~*-]{2,}$|^\d+ (error|fail)|^tests?:.*\bfailed\b)"
)
_PREFIX = r"(?i:^(\S+ )?\[?(error|fatal|e)\]?: +)"


def telling(lines: Sequence[str]) -> str:
    """The line that says why, of the last lines of a log: the last one that speaks of an error, else the last one."""
    likely = [line for line in lines if re.search(_TELLS, line) and not re.search(_DENIES, line)]
    exact = [line for line in likely if not re.search(_ADDS_NOTHING, line.strip())]
    found = (exact or likely or list(lines) or [""])[-1].strip()
    return re.sub(_PREFIX, "", found)


def said(task_id: str, task: TaskState, log: Log) -> str:
    """Why the task failed: the line its worker printed about it, then the exit.

    `log` gives the path of a task's last log.
    """
    text = failure_text(task.reason, task.error)
    if task.reason not in _SAYS_LITTLE or not is_safe_id(task_id):
        return text
    line = telling(tail(log(task_id), _TAIL))
    return f"{line}; {text}" if line else text


def explained(state: State, log: Log, only: Iterable[str] | None = None) -> State:
    """The state to show, where the error of a failed or retrying task says why it failed; `only`
    for these tasks. Of very many failed ones, the first."""
    wanted = state.tasks if only is None else only
    failed = {i: task for i in wanted if (task := state.tasks.get(i)) is not None and _has_failed(task)}
    told = {i: msgspec.structs.replace(task, error=said(i, task, log)) for i, task in list(failed.items())[:_MOST]}
    return msgspec.structs.replace(state, tasks={**state.tasks, **told}) if told else state


def _has_failed(task: TaskState) -> bool:
    return task.reason in _SAYS_LITTLE and task.status in (TaskStatus.FAILED, TaskStatus.PENDING)
