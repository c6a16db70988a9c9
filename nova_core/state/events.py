"""The events of a run: each contains the fields it changed, so the state can be rebuilt from them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class EventKind(StrEnum):
    """The kinds of events, as they appear in `nova run --json`, `nova.db` and the events list."""

    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"
    RUN_PAUSED = "run_paused"
    RUN_RESUMED = "run_resumed"
    WORKERS_CHANGED = "workers_changed"
    PLAN_CHANGED = "plan_changed"
    TASK_STARTED = "task_started"
    TASK_RUNNING = "task_running"
    TASK_ADOPTED = "task_adopted"
    TASK_PROGRESS = "task_progress"
    TASK_VERIFYING = "task_verifying"
    TASK_ASKED = "task_asked"
    TASK_SAID = "task_said"
    TASK_TYPED = "task_typed"
    TASK_WAITING = "task_waiting"
    TASK_HELD = "task_held"
    TASK_TAKEN = "task_taken"
    TASK_QUEUED = "task_queued"
    TASK_MERGING = "task_merging"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    TASK_RETRYING = "task_retrying"
    TASK_BLOCKED = "task_blocked"
    TASK_RESET = "task_reset"
    TASK_CHANGED = "task_changed"
    RUN_LANDING = "run_landing"
    RUN_LANDED = "run_landed"
    MILESTONE = "milestone"
    BUDGET_REACHED = "budget_reached"
    PROVIDER_PAUSED = "provider_paused"
    PROVIDER_RESUMED = "provider_resumed"
    PROVIDER_USAGE = "provider_usage"
    WARNING = "warning"


class Event(msgspec.Struct, frozen=True):
    """One event. `at` is ISO 8601 UTC; `patch` holds the changed fields of the task (of the run, if `task` is None)."""

    rev: int
    at: str
    kind: EventKind
    task: str | None = None
    message: str = ""
    patch: dict[str, Any] = {}
