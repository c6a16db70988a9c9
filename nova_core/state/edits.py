"""What programs or people wrote into the state file while no engine ran: found by comparing it with the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nova_core.state.events import Event
from nova_core.state.schema import NEW, TaskState, patched

# The published fields, those that `StateManager` can set; the plan alone restores the others without an event.
_PUBLISHED = (*TaskState.__struct_fields__[:11], "elapsed")


def replayed(events: Iterable[Event]) -> dict[str, TaskState]:
    """Returns the tasks as these events left them."""
    tasks: dict[str, TaskState] = {}
    for event in events:
        if event.task is None or not event.patch:
            continue
        if event.patch.get("removed"):
            tasks.pop(event.task, None)
        else:
            tasks[event.task] = patched(tasks.get(event.task, NEW), event.patch, True)
    return tasks


def edits(known: Mapping[str, TaskState], found: Mapping[str, TaskState]) -> dict[str, dict[str, Any]]:
    """Returns the fields of each task that no event has set; `known` are the tasks as the events left them. Pure.

    A task that the plan marks as done has no event either.
    """
    patches = {}
    for task_id, task in found.items():
        before = known.get(task_id, NEW)
        patch = {name: getattr(task, name) for name in _PUBLISHED if getattr(task, name) != getattr(before, name)}
        if patch and not task.settled:
            patches[task_id] = patch
    return patches
