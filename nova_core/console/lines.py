"""Formats an event as one line of plain text. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nova_core.model import Task
from nova_core.runs.words import CONFLICT, LOST, RATE_LIMITED, RunWord, Shown, by, failure_text
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Reason
from nova_core.text import clean, cut, duration, number_of

WORDS = {
    EventKind.RUN_STARTED: "run started",
    EventKind.RUN_ENDED: "run ended",
    EventKind.RUN_PAUSED: f"{RunWord.PAUSED}: running tasks continue; no new tasks will start",
    EventKind.RUN_RESUMED: "resumed",
    EventKind.WORKERS_CHANGED: "workers",
    EventKind.PLAN_CHANGED: "plan changed",
    EventKind.TASK_STARTED: "started",
    EventKind.TASK_ADOPTED: "taken over",
    EventKind.TASK_PROGRESS: "step",
    EventKind.TASK_VERIFYING: Shown.VERIFYING.value,
    EventKind.TASK_MERGING: Shown.MERGING.value,
    EventKind.TASK_ASKED: Shown.ASKS.value,
    EventKind.TASK_SAID: "says",
    EventKind.TASK_TYPED: "typed",
    EventKind.TASK_WAITING: Shown.APPROVAL.value,
    EventKind.TASK_HELD: Shown.BLOCKED.value,
    EventKind.TASK_COMPLETED: Shown.COMPLETED.value,
    EventKind.TASK_FAILED: Shown.FAILED.value,
    EventKind.TASK_RETRYING: Shown.RETRYING.value,
    EventKind.TASK_BLOCKED: Shown.BLOCKED.value,
    EventKind.TASK_RESET: "reset",
    EventKind.MILESTONE: "milestone",
    EventKind.BUDGET_REACHED: "budget reached",
    EventKind.PROVIDER_PAUSED: RATE_LIMITED,
    EventKind.PROVIDER_RESUMED: "no longer rate limited",
    EventKind.WARNING: "warning",
}
STYLES = {
    EventKind.TASK_COMPLETED: "green",
    EventKind.TASK_FAILED: "red",
    EventKind.TASK_RETRYING: "yellow",
    EventKind.TASK_BLOCKED: "yellow",
    EventKind.TASK_WAITING: "yellow",
    EventKind.TASK_ASKED: "yellow",
    EventKind.MILESTONE: "bold",
    EventKind.BUDGET_REACHED: "yellow",
    EventKind.PROVIDER_PAUSED: "yellow",
    EventKind.WARNING: "yellow",
    EventKind.RUN_PAUSED: "yellow",
    EventKind.RUN_RESUMED: "",
    EventKind.PLAN_CHANGED: "",
    EventKind.TASK_ADOPTED: "",
}
"""Colours of the events that a live view prints."""
_ENDS = {Reason.CANCELLED: Shown.CANCELLED.value, Reason.LOST: LOST, Reason.MERGE_CONFLICT: CONFLICT}
_MESSAGES = (EventKind.TASK_ADOPTED, EventKind.TASK_RESET, EventKind.RUN_LANDED)  # say all there is
_OF_PROVIDERS = (EventKind.PROVIDER_PAUSED, EventKind.PROVIDER_RESUMED)
FINISHED = frozenset({EventKind.TASK_COMPLETED, EventKind.TASK_FAILED, EventKind.TASK_RETRYING, EventKind.TASK_BLOCKED})


class LocalClock:
    """Converts ISO 8601 UTC to local `HH:MM:SS`; cached, as most events share a second with the previous event."""

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
    """The line for `event`, safe for a terminal; None if the event is not shown."""
    if event.kind in _MESSAGES:
        return f"{clock(event.at)} {clean(event.message or event.task or '')}"
    word = word_of(event)
    if word is None:
        return None
    detail = detail_of(event, tasks)
    if detail is None:
        return None
    head = f"{clock(event.at)} {clean(event.task)} {word}" if event.task else f"{clock(event.at)} {word}"
    return f"{head}{detail}"


def word_of(event: Event) -> str | None:
    """One or two words for the event."""
    if event.kind is EventKind.TASK_BLOCKED and not event.patch.get("blocked_by"):
        return "no longer blocked"
    if event.kind is EventKind.TASK_FAILED and event.patch.get("reason") in _ENDS:
        return _ENDS[event.patch["reason"]]
    if event.kind is EventKind.TASK_COMPLETED and event.patch.get("skipped"):
        return Shown.SKIPPED.value
    if event.kind is EventKind.TASK_HELD and not event.patch.get("missing"):
        return RATE_LIMITED if event.patch.get("waits_for") else Shown.RETRYING.value
    return WORDS.get(event.kind)


def detail_of(event: Event, tasks: Mapping[str, Task]) -> str | None:
    """The text after the word, with its separator; None if the event is not shown."""
    patch = event.patch
    if event.kind is EventKind.TASK_STARTED:
        task = tasks.get(event.task or "")
        attempt = patch.get("attempt", 1)
        again = f" (attempt {attempt})" if attempt != 1 else ""
        return f"{again}  {cut(clean(task.name))}" if task and task.name != task.id else again
    if event.kind is EventKind.TASK_COMPLETED:
        return completed_detail(event)
    if event.kind is EventKind.TASK_FAILED:
        return failed_detail(event)
    if event.kind is EventKind.TASK_MERGING:
        return ""
    if event.kind is EventKind.TASK_PROGRESS:
        step = patch.get("current_step")
        return f": {clean(str(step))}" if step else None
    if event.kind is EventKind.TASK_TYPED:
        return typed_detail(patch.get("typed"))
    if event.kind is EventKind.TASK_BLOCKED:
        causes = patch.get("blocked_by")
        return f" {by(list(map(str, causes)))}" if causes else ""
    return said(event)


def typed_detail(typed: Any) -> str:
    """What somebody typed: ` y (ada)`; its length where the terminal did not show it."""
    found = typed if isinstance(typed, dict) else {}
    text, who = found.get("text"), clean(str(found.get("who", "")))
    said = clean(str(text)) or "Enter" if text is not None else f"{found.get('bytes', '?')} bytes, not shown"
    return f": {cut(said)} ({who})"


def completed_detail(event: Event) -> str:
    """How long the task took."""
    if event.patch.get("skipped"):
        return ""
    elapsed = event.patch.get("elapsed")
    return f" in {duration(elapsed)}" if isinstance(elapsed, int | float) else said(event)


def said(event: Event) -> str:
    """The event's message without the task and the word, which the line already shows."""
    text = event.message.removeprefix(f"{event.task} ").removeprefix(f"{event.task}: ")
    text = text.removeprefix("the plan changed: ")
    word = word_of(event) or ""
    if event.kind in _OF_PROVIDERS:  # `rate limited: claude for 40s`, not `rate limited: claude rate limited for 40s`
        text = " ".join(text.replace(word, "", 1).split())
    if text.startswith(word):
        return clean(text.removeprefix(word))
    return f": {clean(text)}" if text else ""


def failed_detail(event: Event) -> str:
    """The reason and error of a failure, each once; the line's word already says `cancelled`, `lost` and `conflict`."""
    if event.patch.get("reason") == Reason.CANCELLED:
        return ""
    reason = None if event.patch.get("reason") in _ENDS else event.patch.get("reason")
    said = failure_text(reason, event.patch.get("error") or event.message)
    return (f": {said}" if said else "") + blocks_text(event)


def blocks_text(event: Event) -> str:
    """How many tasks the failed one blocks."""
    count = event.patch.get("blocks")
    return f"; blocks {number_of(count, 'task')}" if isinstance(count, int) and count > 0 else ""
