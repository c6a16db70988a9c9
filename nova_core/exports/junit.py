"""The result of a run as JUnit XML, which CI systems show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import fsum
from typing import Protocol
from xml.sax.saxutils import escape, quoteattr

from nova_core.clock import iso, seconds
from nova_core.model import Task
from nova_core.runs.rollup import told
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.text import clean

# XML 1.0, production 2 (Char): no other control character or surrogate may appear, not even as a character reference.
_ILLEGAL = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


class Plan(Protocol):
    """The parts of a cascade that the report needs."""

    @property
    def name(self) -> str:
        """The project's name."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Tasks in plan order."""


def junit_xml(
    cascade: Plan, states: Mapping[str, TaskState], tail: Callable[[str], Iterable[str]], started: str | None = None
) -> str:
    """Return the report: a test case per task, and per gate that failed.

    `tail(task_id)` gives the last log lines of a failed task. A completed task is a passed test, a failed one a
    failure; a task that did not run or was skipped is a skipped test. `started` is the start of the run, by default
    that of its first task. The report fits Jenkins' schema, and also Ant's, which requires more and allows no counts
    outside of the suite.
    """
    told_of = told(cascade.tasks, states)
    cases = [_case(cascade.tasks[i], state, tail) for i, state in told_of.items()]
    known = told_of.values()
    failed = sum(state.status is TaskStatus.FAILED for state in known)
    skipped = sum(_is_skipped(state) for state in known)
    total = fsum(state.elapsed for state in known)
    first = started or min((state.started_at for state in known if state.started_at), default=None)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        f'<testsuite name={_attribute(clean(cascade.name).strip() or "plan")} package="" id="0" hostname="localhost"'
        f' timestamp="{_timestamp(first)}" tests="{len(known)}" failures="{failed}" errors="0" skipped="{skipped}"'
        f' time="{total:.3f}">\n<properties/>\n'
        + "".join(cases)
        + "<system-out/>\n<system-err/>\n</testsuite>\n</testsuites>\n"
    )


def _timestamp(stamp: str | None) -> str:
    """UTC without its zone, as the schema requires; another program may have written the state."""
    try:
        return iso(seconds(stamp or ""))[:19]
    except (ValueError, OverflowError, OSError):
        return iso(0.0)[:19]


def _case(task: Task, state: TaskState, tail: Callable[[str], Iterable[str]]) -> str:
    place = ".".join(part.replace(".", "_") for part in (task.branch, task.group) if part) or "tasks"
    attributes = f'classname={_attribute(place)} name={_attribute(f"{task.id} {task.name}")} time="{state.elapsed:.3f}"'
    body = _body(state, task.id, tail)
    return f"<testcase {attributes}>{body}</testcase>\n" if body else f"<testcase {attributes}/>\n"


def _body(state: TaskState, task_id: str, tail: Callable[[str], Iterable[str]]) -> str:
    if state.status is TaskStatus.FAILED:
        reason = _attribute(state.reason or "failed")
        lines = "\n".join([state.error or "failed", *tail(task_id)])
        return f"<failure type={reason} message={_attribute(state.error or 'failed')}>{_text(lines)}</failure>"
    if _is_skipped(state):
        return f"<skipped message={_attribute(_why_skipped(state))}/>"
    return ""


def _is_skipped(state: TaskState) -> bool:
    return state.skipped or state.status in (TaskStatus.PENDING, TaskStatus.IN_PROGRESS)


def _why_skipped(state: TaskState) -> str:
    if state.skipped:
        return state.settled or "skipped"
    if state.blocked_by:
        return f"blocked by {', '.join(state.blocked_by)}"
    if state.missing:
        return f"blocked: missing {', '.join(state.missing)}"
    if state.awaits_approval:
        return "needs approval"
    if state.is_merging:
        return "waits for its merge"
    if state.is_unchecked:
        return "to be checked by the next run"
    return "still running" if state.status is TaskStatus.IN_PROGRESS else "not started"


def _text(text: str) -> str:
    return escape(re.sub(_ILLEGAL, "\ufffd", clean(text, newlines=True)))


def _attribute(text: str) -> str:
    return quoteattr(re.sub(_ILLEGAL, "\ufffd", clean(text)))
