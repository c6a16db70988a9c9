"""The progress of a task, computed from its events: those of a tracker, or those of a run. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, get_type_hints

import msgspec

from nova_core.model import TokenUsage
from nova_core.state.events import Event, EventKind

MOST_EVENTS = 1_000  # kept per task; the fields include the effect of older ones
_MOST_CRITERIA = 1_000
_LOGS = 10
_UI_LOGS = 5
_MAX_COST = 10.00  # US dollars that a panel shows as the limit if none is set


class EventType(StrEnum):
    """The kinds of events of an execution."""

    START = "start"
    ACTION = "action"
    PROGRESS = "progress"
    COMPLETE = "complete"
    ERROR = "error"


class Status(StrEnum):
    """The status of an execution; these words predate Nova, whose state file says `completed`."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"


class ExecutionEvent(msgspec.Struct, frozen=True):
    """One event of a task.

    `timestamp` is ISO 8601 UTC, `event_type` one of `EventType`; `details` holds changed fields of `TaskProgress` and
    more.
    """

    timestamp: str
    event_type: str
    message: str = ""
    details: dict[str, Any] = {}
    task_id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns the event as plain values for JSON."""
        return _plain(self)


class CriterionProgress(msgspec.Struct, frozen=True):
    """One criterion of a task. `evidence` says why it counts as met; `command` checks it, if there is one."""

    text: str
    verified: bool = False
    evidence: str = ""
    command: str | None = None


class TaskProgress(msgspec.Struct, frozen=True):
    """The progress of one task.

    Times are ISO 8601 UTC. `iteration` counts the rounds of an agent, or the attempts of a run; `max_iterations` is 0
    without a limit. `cost_estimate` and `max_cost` are in US dollars, None if unknown; `estimated` means that cost and
    tokens are uncertain. Only the last 1,000 `events` are kept.
    """

    task_id: str
    agent_id: str = ""
    status: str = Status.PENDING
    iteration: int = 0
    max_iterations: int = 20
    progress_percent: int = 0
    name: str = ""
    criteria: tuple[CriterionProgress, ...] = ()
    files_created: tuple[str, ...] = ()
    files_modified: tuple[str, ...] = ()
    cost_estimate: float | None = None
    max_cost: float | None = None
    estimated: bool = False
    model: str | None = None
    token_usage: TokenUsage = TokenUsage()
    current_step: str | None = None
    error: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    events: tuple[ExecutionEvent, ...] = ()

    @property
    def criteria_total(self) -> int:
        """The number of criteria."""
        return len(self.criteria)

    @property
    def criteria_verified(self) -> int:
        """The number of criteria that are met."""
        return sum(criterion.verified for criterion in self.criteria)

    @property
    def last_event(self) -> ExecutionEvent | None:
        """The last event, None if there is none."""
        return self.events[-1] if self.events else None

    def to_dict(self) -> dict[str, Any]:
        """Returns every field by name as plain values, and again under the names that browser programs use.

        Those programs need numbers: `cost` is 0.0 while `cost_estimate` is None, `maxCost` 10.00 without a `max_cost`.
        """
        fields = _plain(self)
        return {
            **fields, "criteria_verified": self.criteria_verified, "criteria_total": self.criteria_total,
            "taskId": self.task_id, "agentId": self.agent_id, "maxIterations": self.max_iterations,
            "progress": self.progress_percent, "criteriaVerified": self.criteria_verified,
            "criteriaTotal": self.criteria_total, "filesCreated": fields["files_created"],
            "filesModified": fields["files_modified"], **self._costs(), "logs": self._logs(_LOGS),
            "startedAt": self.started_at, "completedAt": self.completed_at,
        }  # fmt: skip

    def to_graph_ui(self) -> dict[str, Any]:
        """Returns a graph node (`id`, `label`, `type`, `data`) with the panel of the agent that works on it.

        `cost` and `maxCost` are numbers, as in `to_dict`.
        """
        marks = ("pending", "pass")
        return {
            "id": self.task_id, "label": self.name or self.task_id, "type": "task",
            "sessionId": f"sess_{self.task_id}", "status": str(self.status), "progress": self.progress_percent,
            "iteration": self.iteration, "maxIterations": self.max_iterations,
            **self._costs(),
            "criteria": [{"text": c.text, "status": marks[c.verified]} for c in self.criteria],
            "logs": self._logs(_UI_LOGS),
            "data": {
                "agent": self.agent_id, "step": self.current_step, "error": self.error,
                "filesCreated": list(self.files_created), "filesModified": list(self.files_modified),
                "startedAt": self.started_at, "completedAt": self.completed_at,
            },
        }  # fmt: skip

    def _costs(self) -> dict[str, float]:
        return {"cost": self.cost_estimate or 0.0, "maxCost": _MAX_COST if self.max_cost is None else self.max_cost}

    def _logs(self, most: int) -> list[dict[str, str]]:
        return [{"time": event.timestamp[11:19], "message": event.message} for event in self.events[-most:]]


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    """Returns the value as decoded from JSON: lists, not tuples."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return found


# What an event may set directly; files and criteria have rules of their own.
_SETTABLE = {
    name: kind
    for name, kind in get_type_hints(TaskProgress).items()
    if name not in ("task_id", "events", "files_created", "files_modified")
}


def applied(progress: TaskProgress | None, event: ExecutionEvent) -> TaskProgress | None:
    """Returns the progress after the event; None until an event starts the task.

    Besides fields of `TaskProgress` the details may hold: `criterion` (an index from 0) with `verified` and `evidence`;
    `criteria_met` and `reported` (numbers from 1: checked by a command, and claimed by the worker); `files_created` and
    `files_modified`, which are added, and `files_changed`, which lists all changed files.
    """
    starts = event.event_type == EventType.START
    if starts or (progress is None and event.event_type == EventType.COMPLETE):
        before = progress or TaskProgress(event.task_id)
        progress = TaskProgress(event.task_id, name=before.name, events=before.events)
    if progress is None:
        return None
    details = event.details
    fields = {name: msgspec.convert(details[name], _SETTABLE[name]) for name in details.keys() & _SETTABLE.keys()}
    fields["events"] = (*progress.events, event)[-MOST_EVENTS:]
    progress = msgspec.structs.replace(progress, **fields)
    return _with_criteria(_with_files(progress, details), details)


def _with_files(progress: TaskProgress, details: dict[str, Any]) -> TaskProgress:
    created = tuple(dict.fromkeys((*progress.files_created, *details.get("files_created", ()))))
    modified = (*progress.files_modified, *details.get("files_modified", ()), *details.get("files_changed", ()))
    modified = tuple(dict.fromkeys(path for path in modified if path not in created))
    if (created, modified) == (progress.files_created, progress.files_modified):
        return progress
    return msgspec.structs.replace(progress, files_created=created, files_modified=modified)


def _with_criteria(progress: TaskProgress, details: dict[str, Any]) -> TaskProgress:
    if isinstance(index := details.get("criterion"), int):
        holds, why = bool(details.get("verified", True)), str(details.get("evidence", ""))
        told = _marked(progress, index, holds, why)
        return told if told is progress else msgspec.structs.replace(told, progress_percent=_share(told))
    before = progress
    for number in details.get("criteria_met", ())[:_MOST_CRITERIA]:
        progress = _marked(_padded(progress, number), number - 1, True, "its command succeeds")
    number = details.get("reported")
    # A worker's claim does not replace the command that checks a criterion.
    if isinstance(number, int) and 0 < number <= progress.criteria_total and not progress.criteria[number - 1].command:
        progress = _marked(progress, number - 1, True, "reported by its worker")
    if progress is before:
        return progress
    # A run checks criteria after the work: the first one must not lower the percentage the worker reported.
    return msgspec.structs.replace(progress, progress_percent=max(progress.progress_percent, _share(progress)))


def _share(progress: TaskProgress) -> int:
    """Returns the percentage of criteria that are met."""
    return 100 * progress.criteria_verified // progress.criteria_total


def _padded(progress: TaskProgress, number: int) -> TaskProgress:
    """Adds criteria up to `number`: the history of an older Nova does not have their texts."""
    missing = range(progress.criteria_total + 1, min(number, _MOST_CRITERIA) + 1)
    more = tuple(CriterionProgress(f"Criterion {n}") for n in missing)
    return msgspec.structs.replace(progress, criteria=(*progress.criteria, *more)) if more else progress


def _marked(progress: TaskProgress, index: int, verified: bool, evidence: str) -> TaskProgress:
    """Returns the progress with one criterion set to met or not met."""
    if not 0 <= index < progress.criteria_total:
        return progress
    criteria = list(progress.criteria)
    criteria[index] = msgspec.structs.replace(criteria[index], verified=verified, evidence=evidence)
    return msgspec.structs.replace(progress, criteria=tuple(criteria))


# The events of a run

_KINDS = {
    EventKind.TASK_STARTED: EventType.START,
    EventKind.TASK_ADOPTED: EventType.PROGRESS,
    EventKind.TASK_PROGRESS: EventType.PROGRESS,
    EventKind.TASK_VERIFYING: EventType.PROGRESS,
    EventKind.TASK_WAITING: EventType.PROGRESS,
    EventKind.TASK_ASKED: EventType.PROGRESS,
    EventKind.TASK_SAID: EventType.PROGRESS,
    EventKind.TASK_TYPED: EventType.PROGRESS,
    EventKind.TASK_HELD: EventType.PROGRESS,
    EventKind.TASK_TAKEN: EventType.PROGRESS,
    EventKind.TASK_QUEUED: EventType.PROGRESS,
    EventKind.TASK_MERGING: EventType.PROGRESS,
    EventKind.TASK_RESET: EventType.PROGRESS,
    EventKind.TASK_CHANGED: EventType.PROGRESS,
    EventKind.WARNING: EventType.ERROR,
    EventKind.TASK_RETRYING: EventType.ERROR,
    EventKind.TASK_COMPLETED: EventType.COMPLETE,
    EventKind.TASK_FAILED: EventType.COMPLETE,
}
# The fields of an execution by the names a run uses.
RUN_WORDS = {
    "status": "status", "agent": "agent_id", "attempt": "iteration", "progress": "progress_percent", "name": "name",
    "criteria": "criteria", "criteria_met": "criteria_met", "files_changed": "files_changed", "model": "model",
    "cost_usd": "cost_estimate", "estimated": "estimated", "token_usage": "token_usage",
    "current_step": "current_step", "error": "error", "started_at": "started_at",
}  # fmt: skip
_NEVER_NONE = ("agent_id", "progress_percent")


def of_run(event: Event) -> ExecutionEvent | None:
    """Returns a run's event as an event of its task's execution; None for bookkeeping and for the run as a whole."""
    kind = _KINDS.get(event.kind)
    if event.task is None or kind is None:
        return None
    patch: dict[str, Any] = msgspec.to_builtins(event.patch)
    details = {RUN_WORDS[word]: value for word, value in patch.items() if word in RUN_WORDS}
    details = {word: value for word, value in details.items() if value is not None or word not in _NEVER_NONE}
    if details.get("status") == "completed":
        details["status"] = Status.COMPLETE.value
    if event.kind in (EventKind.TASK_ADOPTED, EventKind.TASK_CHANGED):
        kind = _kind_of_change(event.kind, patch)
    details |= _of_report(patch.get("report") or {})
    if kind is EventType.START:
        begun = {"status": Status.IN_PROGRESS.value, "started_at": event.at}
        details = {**begun, **details, "max_iterations": 0}
    elif kind is EventType.COMPLETE:
        details["completed_at"] = patch.get("completed_at") or event.at
        details |= {"progress_percent": 100} if details.get("status") == Status.COMPLETE else {}
    elif details.get("action") or details.get("files_created") or details.get("files_modified"):
        kind = EventType.ACTION
    return ExecutionEvent(event.at, kind.value, event.message, details, event.task)


def _kind_of_change(kind: EventKind, patch: dict[str, Any]) -> EventType:
    """Returns the kind of a change from outside: a start (an attempt missing from the state), an end, or progress."""
    if kind is EventKind.TASK_ADOPTED:
        return EventType.START if "attempt" in patch else EventType.PROGRESS
    return EventType.COMPLETE if patch.get("status") in ("completed", "failed") else EventType.PROGRESS


def _of_report(report: dict[str, Any]) -> dict[str, Any]:
    """Returns the details of a worker's report: its output is a created file, any other file a modified one."""
    told = {"action": report.get("action"), "reported": report.get("criterion"), "question": report.get("question")}
    output = report.get("output")
    told["files_created"] = [output] if output else None
    told["files_modified"] = [path for path in report.get("files", ()) if path != output]
    return {word: value for word, value in told.items() if value}
