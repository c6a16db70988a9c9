"""Ticks the boxes of finished tasks in the imported plan while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nova_core.engine.observers.observer import Observer
from nova_core.files.disk import Disk
from nova_core.files.project import Project
from nova_core.model import Mark
from nova_core.parser import Cascade
from nova_core.plan.changes import fingerprint, same_words
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.state.store import Store


class PlanTicker(Observer):
    """Ticks completed tasks, file by file. A failed write is reported once, and retried after the next task."""

    def __init__(
        self, project: Project, cascade: Cascade, store: Store, disk: Disk, warn: Callable[[str], object]
    ) -> None:
        self._project = project
        self._cascade = cascade
        self._store = store
        self._disk = disk
        self._warn = warn
        self._due = True  # a killed engine may have left boxes unticked
        self._told: set[str] = set()

    def begin(self) -> None:
        to_do = any(not task.settled and not task.gate for task in self._cascade.tasks.values())
        if to_do and not self._cascade.marks:
            self._warn("no boxes will be ticked: this plan has none for its tasks")

    def see(self, event: Event) -> None:
        self._due |= event.kind is EventKind.TASK_COMPLETED

    def take_plan(self, cascade: Cascade) -> None:
        self._cascade = cascade

    def look(self) -> None:
        marks = self._cascade.marks
        if not self._due or not marks:
            return
        self._due = False
        done = {i for i, state in self._store.tasks.items() if self._is_done(i, state)}
        for path in dict.fromkeys(mark.path for mark in marks):
            problem = self._tick(path, [mark for mark in marks if mark.path == path], done)
            if problem and problem not in self._told:
                self._told.add(problem)
                self._warn(f"{path}: not ticked: {problem}")

    def _is_done(self, task_id: str, state: TaskState) -> bool:
        """Returns True if what the plan now says was done: a task whose text was replaced since then is not."""
        if state.status is not TaskStatus.COMPLETED or state.skipped:
            return False
        task = self._cascade.tasks.get(task_id)
        return task is None or state.fingerprint is None or same_words(state.fingerprint, fingerprint(task))

    def _tick(self, path: str, marks: Sequence[Mark], done: set[str]) -> str:
        """Tick the boxes of one file; returns what went wrong, empty if nothing."""
        from nova_core.importers.tick import tick_file

        try:
            ticked = tick_file(Path(path), marks, done, root=self._project.root, disk=self._disk)
        except (OSError, ValueError) as error:
            return str(error)
        return f"no box found for {', '.join(ticked.missed[0].ids)}" if ticked.missed else ""
