"""The input of a hook: a JSON object on standard input, and environment variables. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from nova_core.agents.outcome import Verdict
from nova_core.model import Task
from nova_core.runs.result import RunResult
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.text import clean, harmless_json, head_and_tail

_NAMES = {
    EventKind.RUN_STARTED: "started", EventKind.TASK_FAILED: "failed", EventKind.MILESTONE: "milestone",
    EventKind.TASK_WAITING: "waiting", EventKind.TASK_ASKED: "waiting", EventKind.RUN_PAUSED: "paused",
    EventKind.PROVIDER_PAUSED: "limited", EventKind.BUDGET_REACHED: "budget",
}  # fmt: skip
_ENDS = (EventKind.TASK_FAILED, EventKind.TASK_RETRYING)
MOST = 4000  # characters of a variable: with more than 128 KiB the hook could not start


def names_of(event: Event, verdict: str | None) -> tuple[str, ...]:
    """Returns the names under which `nova.yaml` knows the event: none for most, two if a task failed by asking.

    `verdict` is that of the agent's last attempt.
    """
    asked = event.kind in _ENDS and verdict == Verdict.ASKED
    name = _NAMES.get(event.kind)
    return (*(("asked",) if asked else ()), *((name,) if name else ()))


class RunWords(msgspec.Struct, frozen=True):
    """The run, as hooks receive it."""

    id: str
    name: str
    plan: str
    root: str


class TaskWords(msgspec.Struct, frozen=True):
    """The task of an event, as hooks receive it."""

    id: str
    name: str
    status: TaskStatus
    reason: str | None
    error: str | None
    attempt: int
    seconds: float
    agent: str | None
    model: str | None
    cost_usd: float | None
    log: str | None


class HookData(msgspec.Struct, frozen=True):
    """One event; fields that do not belong to it are None or empty."""

    event: str
    at: str
    message: str
    run: RunWords
    task: TaskWords | None = None
    blocked: tuple[str, ...] = ()
    milestone: str | None = None
    result: RunResult | None = None


def task_words(task_id: str, task: Task | None, state: TaskState, logs: str) -> TaskWords:
    """Returns a task as hooks receive it; `logs` is the path of the log folder."""
    return TaskWords(
        id=task_id, name=task.name if task else "", status=state.status, reason=state.reason, error=state.error,
        attempt=state.attempt, seconds=state.elapsed, agent=state.agent, model=state.model, cost_usd=state.cost_usd,
        log=f"{logs}/{state.log}" if state.log else None,
    )  # fmt: skip


def standard_input(data: HookData) -> bytes:
    """Returns one line of JSON without terminal control characters."""
    return harmless_json(msgspec.json.encode(data)) + b"\n"


def variables(data: HookData) -> dict[str, str]:
    """Returns every variable, empty if it does not apply to the event; each is one line of text."""
    task, result = data.task, data.result
    values: dict[str, Any] = {
        "NOVA_EVENT": data.event,
        "NOVA_MESSAGE": data.message,
        "NOVA_RUN_ID": data.run.id,
        "NOVA_PROJECT": data.run.name,
        "NOVA_PLAN": data.run.plan,
        "NOVA_TASK_ID": task and task.id,
        "NOVA_TASK_NAME": task and task.name,
        "NOVA_STATUS": task and task.status,
        "NOVA_REASON": task and task.reason,
        "NOVA_ERROR": task and task.error,
        "NOVA_ATTEMPT": task and task.attempt,
        "NOVA_LOG": task and task.log,
        "NOVA_BLOCKED_COUNT": result.blocked if result else len(data.blocked) if task else None,
        "NOVA_MILESTONE": data.milestone,
        "NOVA_EXIT_CODE": result and result.exit_code,
        "NOVA_OUTCOME": result and result.outcome,
        "NOVA_TOTAL": result and result.total,
        "NOVA_COMPLETED": result and result.completed,
        "NOVA_FAILED": result and result.failed,
        "NOVA_COST_USD": result and result.cost_usd,
    }
    return {name: "" if value is None else clean(head_and_tail(str(value), MOST)) for name, value in values.items()}
