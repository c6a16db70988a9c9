"""The list of events: milestones, failures and others worth showing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from textual.content import Content

from nova_core.console.lines import LocalClock, detail_of, word_of
from nova_core.model import Task
from nova_core.runs.words import Shown
from nova_core.state.events import Event, EventKind
from nova_tui.glyphs import MUTED, TITLE, WARNING, chars, glyph, style_of
from nova_tui.views.line import Lazy, fit, line, plain


class Only(StrEnum):
    """Which events are shown."""

    ALL = "all"
    MILESTONES = "milestones"
    PROBLEMS = "problems"


_WARNINGS = {EventKind.WARNING, EventKind.BUDGET_REACHED, EventKind.PROVIDER_PAUSED}
_PROBLEMS = {EventKind.TASK_FAILED, EventKind.TASK_RETRYING, *_WARNINGS}
_SHOWN = {
    EventKind.TASK_STARTED: Shown.RUNNING,
    EventKind.TASK_ADOPTED: Shown.RUNNING,
    EventKind.TASK_COMPLETED: Shown.COMPLETED,
    EventKind.TASK_FAILED: Shown.FAILED,
    EventKind.TASK_RETRYING: Shown.RETRYING,
    EventKind.TASK_ASKED: Shown.ASKS,
    EventKind.TASK_WAITING: Shown.APPROVAL,
    EventKind.TASK_HELD: Shown.RETRYING,
    EventKind.TASK_BLOCKED: Shown.BLOCKED,
    EventKind.TASK_RESET: Shown.READY,
    EventKind.TASK_VERIFYING: Shown.VERIFYING,
    EventKind.TASK_QUEUED: Shown.MERGING,
    EventKind.TASK_MERGING: Shown.MERGING,
}


def chosen(events: Iterable[Event], only: Only) -> list[Event]:
    """The events that pass a filter."""
    if only is Only.MILESTONES:
        return [e for e in events if e.kind is EventKind.MILESTONE]
    return [e for e in events if only is Only.ALL or e.kind in _PROBLEMS]


def mark(event: Event) -> tuple[str, str]:
    """The event's glyph and its style."""
    shown = _SHOWN.get(event.kind)
    if event.kind is EventKind.TASK_HELD and event.patch.get("missing"):
        shown = Shown.BLOCKED
    if shown is not None:
        skipped = shown is Shown.COMPLETED and event.patch.get("skipped")
        cancelled = shown is Shown.FAILED and event.patch.get("reason") == "cancelled"
        shown = Shown.SKIPPED if skipped else Shown.CANCELLED if cancelled else shown
        return glyph(shown), style_of(shown)
    if event.kind is EventKind.MILESTONE:
        return chars().star, WARNING
    if event.kind in _WARNINGS:
        return "!", WARNING
    return chars().run, MUTED


def draw(event: Event, tasks: Mapping[str, Task], at: LocalClock, width: int) -> Content:
    """One event as a line."""
    word = word_of(event) or event.kind.value.replace("_", " ")
    told = plain(detail_of(event, tasks)).removeprefix(":").strip()
    style = TITLE if event.kind in (EventKind.MILESTONE, EventKind.TASK_FAILED) else ""
    who = fit(event.task or "", 8) if width >= 60 else plain(event.task)
    words = f"{fit(word, 14)} {told}" if told and width >= 60 else word if width >= 60 else f" {word} {told}"
    return line(" ", (at(event.at), MUTED), " ", mark(event), " ", who, " ", (words.rstrip(), style), width=width)


def lines(events: Sequence[Event], tasks: Mapping[str, Task], width: int) -> Sequence[Content]:
    """The events, oldest first, drawn on access."""
    at = LocalClock()
    return Lazy(len(events), lambda i: draw(events[i], tasks, at, width))


def title(shown: int, only: Only, width: int) -> Content:
    """The title, with the number of events and the filter."""
    what = {Only.ALL: "all", Only.MILESTONES: "milestones, reached and pending", Only.PROBLEMS: "problems only"}[only]
    return line((" Events", TITLE), f"  {shown:,}  ", (f"{what}; f changes that", MUTED), width=width)
