"""The state of a run in memory: changes are events, committed in groups and published as the state file."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from nova_core.clock import Clock
from nova_core.errors import NewerStateError, StateError
from nova_core.files.disk import Disk
from nova_core.files.project import Project
from nova_core.state.database import AttemptRow, Database
from nova_core.state.events import Event, EventKind
from nova_core.state.manager import StateManager
from nova_core.state.schema import NEW, OF_THE_END, ProjectState, RunState, State, TaskState, patched

_COMMIT_AFTER = 0.1  # seconds to collect events before a commit; measured: 0.3 ms per commit, 5 us per event
_SHARE = 20  # publish for at most a twentieth of the time
_RETRY = 1.0  # seconds between attempts while the disk cannot be written

Listener = Callable[[Event], None]


class Store:
    """Holds tasks, project and run in memory; only the engine writes to it.

    Events are written before the state file, and both contain `rev`, so either can be updated after a crash.
    `disk_error` is set while the disk cannot be written; nothing is lost meanwhile, and no task should start.
    """

    def __init__(self, project: Project, disk: Disk | None = None, clock: Clock | None = None) -> None:
        self.project_paths = project
        self._clock = clock or Clock()
        self._disk = disk or Disk()
        self.manager = StateManager(project.state_file, self._disk)
        self.database = Database(project.database, self._disk)
        self.project = ProjectState()
        self.run = RunState()
        self.tasks: dict[str, TaskState] = {}
        self.rev = 0
        self.listeners: list[Listener] = []
        self.warnings: list[str] = []
        self.disk_error: str | None = None
        self.held: Container[str] = ()  # tasks whose end only the engine decides
        self.merged = False  # another program's changes were merged; what recomputes from the tasks resets it
        self._events: list[Event] = []
        self._attempts: list[AttemptRow] = []
        self._changed: set[str] | None = set()
        self._dirty = False
        self._next_commit = self._next_publish = 0.0
        self._published: list[Callable[[], None]] = []

    # start

    def load(self) -> None:
        """Read the state file; rebuild it from the events if it is damaged or behind.

        Raises `StateError` if it is from a newer Nova, or damaged without events to rebuild it from.
        """
        try:
            state = self.manager.adopt()
        except NewerStateError:
            raise
        except StateError:
            state = self._rebuild()
        self.project, self.run, self.tasks, self.rev = state.project, state.run, dict(state.tasks), state.rev
        for event in self.database.events_since(self.rev):
            self._apply(event, from_json=True)
            self.rev = event.rev
            self._dirty = True
        self._changed = None

    def _rebuild(self) -> State:
        """Rename the damaged file and return an empty state; `load` then applies all events."""
        if not self.database.last_rev():
            self.manager.load()  # raises the error again
        self.warnings.append(self._keep_aside())
        return self.manager.adopt()

    def _keep_aside(self) -> str:
        path = self.project_paths.state_file
        stamp = self._clock.stamp().replace(":", "").replace("-", "")[:15]
        aside = path.with_name(f"{path.name}.corrupt-{stamp}")
        self._disk.rename(path, aside)
        return f"{path.name} was damaged: kept as {aside.name}, rebuilt from the events"

    # change

    def record(self, kind: EventKind, task: str | None = None, message: str = "", **patch: Any) -> Event:
        """Record an event: apply its patch, keep it for the next commit, call the listeners."""
        self.rev += 1
        event = Event(self.rev, self._clock.stamp(), kind, task, message, patch)
        self._apply(event)
        self._events.append(event)
        self._mark(task)
        for listener in self.listeners:
            listener(event)
        return event

    def add_attempt(self, row: AttemptRow) -> None:
        """Keep a finished attempt for the history."""
        self._attempts.append(row)

    def add_tasks(self, tasks: dict[str, TaskState]) -> None:
        """Use the plan's tasks, in its order; a task that only waits needs no event, because the plan restores it."""
        if list(tasks) != list(self.tasks) or any(tasks[i] is not t for i, t in self.tasks.items()):
            self.tasks = tasks
            self._changed, self._dirty = None, True

    def remove(self, task: str) -> None:
        """Remove a task that is no longer in the plan; its history stays."""
        self.record(EventKind.PLAN_CHANGED, task, f"{task} is no longer in the plan", removed=True)

    def _apply(self, event: Event, from_json: bool = False) -> None:
        if event.task is None:
            if event.patch:
                self.project = patched(self.project, event.patch, from_json)
                self.run = patched(self.run, event.patch, from_json)
        elif event.patch.get("removed"):
            self.tasks.pop(event.task, None)
            self._changed = None
        elif event.patch:
            self.tasks[event.task] = patched(self.tasks.get(event.task, NEW), event.patch, from_json)

    def _mark(self, task: str | None) -> None:
        self._dirty = True
        if task is not None and self._changed is not None:
            self._changed.add(task)

    # disk

    def snapshot(self) -> State:
        """Returns the current state; safe from any thread (copying the dict is atomic, its values are frozen)."""
        return State(rev=self.rev, project=self.project, run=self.run, tasks=self.tasks.copy())

    def when_published(self, action: Callable[[], None]) -> None:
        """Call `action` once everything recorded so far is in the state file on disk."""
        self._published.append(action)

    def tick(self) -> None:
        """Commit and publish what is due."""
        if not self._dirty:
            return
        now = self._clock.monotonic()
        if self._events and not self._next_commit:
            self._next_commit = now + _COMMIT_AFTER
        if self._next_publish <= now:
            self.flush()
        elif self._next_commit and self._next_commit <= now:
            self._try(self._commit)

    def next_tick(self) -> float | None:
        """Returns seconds until `tick` has work to do, None if there is none."""
        if not self._dirty:
            return None
        due = min(self._next_commit or self._next_publish, self._next_publish)
        return max(0.0, due - self._clock.monotonic())

    def commit(self) -> bool:
        """Write the recorded events to disk now; returns False if the disk cannot be written."""
        return self._try(self._commit)

    def flush(self) -> bool:
        """Write events and state to disk now; returns False if the disk cannot be written."""
        return self._try(self._publish)

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except OSError as error:
            self.refuse(error)
            return False
        return True

    def refuse(self, error: OSError) -> None:
        """Handle a write error: warn once, start no task, try again soon."""
        first = self.disk_error is None
        self.disk_error = str(error)
        self._dirty = True
        self._next_commit = self._next_publish = self._clock.monotonic() + _RETRY
        if first:
            text = f"cannot write the state: {error}; no new tasks will start until this works again"
            self.record(EventKind.WARNING, None, text)

    def _commit(self) -> None:
        if self._events or self._attempts:
            self.database.commit(self._events, self._attempts)
            self._events, self._attempts = [], []
        self._next_commit = 0.0

    def _publish(self) -> None:
        self._commit()
        start = self._clock.monotonic()
        while not self.manager.publish(self.rev, self.project, self.run, self.tasks, self._changed):
            self.merge_outside()
            self._commit()
        self._changed, self._dirty, self.disk_error = set(), False, None
        now = self._clock.monotonic()
        self._next_publish = now + _SHARE * (now - start)
        actions, self._published = self._published, []
        for action in actions:
            action()

    # other writers

    def merge_outside(self) -> None:
        """Merge what another program wrote through `StateManager`, except the end of tasks that are `held`."""
        before = self.manager.last_known().tasks
        try:
            found = self.manager.adopt()
        except StateError:
            self.record(EventKind.WARNING, None, self._keep_aside())
            found = self.manager.adopt()
        for task_id, task in found.tasks.items():
            if task != before.get(task_id):
                patch = _difference(before.get(task_id, NEW), task)
                if task_id in self.held:
                    patch = {name: value for name, value in patch.items() if name not in OF_THE_END}
                self.record(EventKind.TASK_CHANGED, task_id, f"{task_id} was changed by another program", **patch)
                self.merged = True
        self._changed, self._dirty = None, True  # whatever it wrote, the next file is ours

    def close(self) -> None:
        """Close the files."""
        self.database.close()


def _difference(old: TaskState, new: TaskState) -> dict[str, Any]:
    return {f: getattr(new, f) for f in TaskState.__struct_fields__ if getattr(new, f) != getattr(old, f)}
