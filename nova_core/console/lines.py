"""One event in one line of plain text; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nova_core.model import Task
from nova_core.state.events import Event, EventKind
from nova_core.text import clean, cut, duration

WORDS = {
    EventKind.RUN_STARTED: "run started",
    EventKind.RUN_ENDED: "run ended",
    EventKind.RUN_PAUSED: "paused: nothing new is started",
    EventKind.RUN_RESUMED: "resumed",
    EventKind.PLAN_CHANGED: "plan changed",
    EventKind.TASK_STARTED: "started",
    EventKind.TASK_ADOPTED: "taken over",
    EventKind.TASK_PROGRESS: "step",
    EventKind.TASK_VERIFYING: "verifying",
    EventKind.TASK_WAITING: "waiting",
    EventKind.TASK_HELD: "held",
    EventKind.TASK_COMPLETED: "completed",
    EventKind.TASK_FAILED: "FAILED",
    EventKind.TASK_RETRYING: "retrying",
    EventKind.TASK_BLOCKED: "blocked",
    EventKind.TASK_RESET: "reset",
    EventKind.MILESTONE: "milestone",
    EventKind.BUDGET_REACHED: "budget reached",
    EventKind.PROVIDER_PAUSED: "provider paused",
    EventKind.PROVIDER_RESUMED: "provider resumed",
    EventKind.WARNING: "warning",
}
FINISHED = frozenset({EventKind.TASK_COMPLETED, EventKind.TASK_FAILED, EventKind.TASK_RETRYING, EventKind.TASK_BLOCKED})


class LocalClock:
    """Turns ISO 8601 UTC into `HH:MM:SS` of the local zone; most events share their second with the one before."""

    def __init__(self) -> None:
        self._second = ""
        self._shown = ""

    def __call__(self, at: str) -> str:
        if at[:19] != self._second:
            from datetime import datetime

            self._second = at[:19]
            try:
                self._shown = datetime.fromisoformat(self._second + "+00:00").astimezone().strftime("%H:%M:%S")
            except ValueError:
                self._shown = "--:--:--"
        return self._shown


def event_line(event: Event, tasks: Mapping[str, Task], clock: LocalClock) -> str | None:
    """The line for `event`, safe for a terminal; None for events that are of no interest to a reader."""
    word = word_of(event)
    if word is None:
        return None
    detail = detail_of(event, tasks)
    if detail is None:
        return None
    head = f"{clock(event.at)} {clean(event.task)} {word}" if event.task else f"{clock(event.at)} {word}"
    return f"{head}{detail}"


def word_of(event: Event) -> str | None:
    """What happened, in a word or two."""
    if event.kind is EventKind.TASK_BLOCKED and not event.patch.get("blocked_by"):
        return "no longer blocked"
    if event.kind is EventKind.TASK_FAILED and event.patch.get("reason") == "cancelled":
        return "cancelled"
    return WORDS.get(event.kind)


def detail_of(event: Event, tasks: Mapping[str, Task]) -> str | None:
    """What follows the word, with its separator; None when the whole line is not worth printing."""
    patch = event.patch
    if event.kind is EventKind.TASK_STARTED:
        task = tasks.get(event.task or "")
        attempt = patch.get("attempt", 1)
        again = f" (attempt {attempt})" if attempt != 1 else ""
        return f"{again}  {cut(clean(task.name))}" if task else again
    if event.kind is EventKind.TASK_COMPLETED:
        return completed_detail(event)
    if event.kind is EventKind.TASK_FAILED:
        return failed_detail(event)
    if event.kind is EventKind.TASK_PROGRESS:
        step = patch.get("current_step")
        return f": {clean(str(step))}" if step else None
    if event.kind is EventKind.TASK_BLOCKED:
        causes = patch.get("blocked_by")
        return " by " + clean(", ".join(map(str, causes))) if causes else ""
    return said(event)


def completed_detail(event: Event) -> str:
    """How long the task took, or that nobody ran it."""
    if event.patch.get("skipped"):
        return " (skipped)"
    elapsed = event.patch.get("elapsed")
    return f" in {duration(elapsed)}" if isinstance(elapsed, int | float) else said(event)


def said(event: Event) -> str:
    """The event's own message; the task or the word it begins with is on the line already."""
    text = event.message.removeprefix(f"{event.task} ").removeprefix("the plan changed: ")
    return f": {clean(text)}" if text else ""


def failed_detail(event: Event) -> str:
    """The reason and the error of a failure, each once; that it was cancelled is on the line already."""
    if event.patch.get("reason") == "cancelled":
        return ""
    said = failure_text(event.patch.get("reason"), event.patch.get("error") or event.message)
    return (f": {said}" if said else "") + blocks_text(event)


def blocks_text(event: Event) -> str:
    """How many tasks wait in vain for the one that failed."""
    count = event.patch.get("blocks")
    return f"; blocks {count:,} task{'s' if count > 1 else ''}" if isinstance(count, int) and count > 0 else ""


def failure_text(reason: Any, error: Any) -> str:
    """`reason: error` in one clean line, without saying the same twice."""
    words, text = clean(str(reason or "")).replace("_", " "), clean(str(error or ""))
    if not words or words in text.lower():
        return text
    return f"{words}: {text}" if text else words
