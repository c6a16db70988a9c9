"""What programs or people wrote into the state file while no engine ran: found by comparing it with the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nova_core.files.disk import Disk
from nova_core.files.plain_file import read_plain
from nova_core.state.database import Database
from nova_core.state.events import Event
from nova_core.state.schema import NEW, State, TaskState, patched

_SHORT = 1 << 10  # bytes
# The published fields, those that `StateManager` can set; the plan alone restores the others without an event.
_PUBLISHED = (*TaskState.__struct_fields__[:11], "elapsed")


class LeftVersion:
    """Which version of the state file the last engine left, kept in the file `path`; best effort."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk

    def is_version(self, signature: object) -> bool:
        """Returns True if the last engine left this version; False if that is unknown."""
        try:
            return read_plain(self._path, _SHORT) == repr(signature).encode()
        except OSError:
            return False

    def keep(self, signature: object) -> None:
        """Remember the version that this engine leaves."""
        with suppress(OSError):
            self._disk.replace(self._path, repr(signature).encode(), sync=False)


def edits_of(state: State, database: Database) -> dict[str, dict[str, Any]]:
    """Returns what was written into the state file between runs, by task."""
    return edits(replayed(e for e in database.events_since(0) if e.rev <= state.rev), state.tasks)


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


def difference(old: TaskState, new: TaskState) -> dict[str, Any]:
    """Returns the patch that makes the new state of the old one. Pure."""
    return {f: getattr(new, f) for f in TaskState.__struct_fields__ if getattr(new, f) != getattr(old, f)}
