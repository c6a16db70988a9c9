"""Ticks the boxes of finished tasks in the plan they came from, while the plan runs."""

from __future__ import annotations

from pathlib import Path

from nova_core.files.disk import Disk
from nova_core.files.project import Project
from nova_core.parser import Cascade
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus
from nova_core.state.store import Store


class Ticker:
    """Feed it events with `see`; `write` ticks what was completed since, file by file. A file that it cannot write is
    told once, and tried again with the next task."""

    def __init__(self, project: Project, store: Store, disk: Disk) -> None:
        self._project = project
        self._store = store
        self._disk = disk
        self._due = True  # an engine that was killed may have left some
        self._told: set[str] = set()

    def see(self, event: Event) -> None:
        """Something happened."""
        self._due |= event.kind is EventKind.TASK_COMPLETED

    def write(self, cascade: Cascade) -> None:
        """Tick what is due."""
        if not self._due or not cascade.marks:
            return
        self._due = False
        from nova_core.importers.tick import tick_file

        tasks = self._store.tasks
        done = {i for i, state in tasks.items() if state.status is TaskStatus.COMPLETED and not state.skipped}
        for path in dict.fromkeys(mark.path for mark in cascade.marks):
            marks = [mark for mark in cascade.marks if mark.path == path]
            try:
                ticked = tick_file(Path(path), marks, done, root=self._project.root, disk=self._disk)
                problem = f"no box is found any more for {', '.join(ticked.missed[0].ids)}" if ticked.missed else ""
            except (OSError, ValueError) as error:
                problem = str(error)
            if problem and problem not in self._told:
                self._told.add(problem)
                self._store.record(EventKind.WARNING, None, f"{path}: not ticked: {problem}")
