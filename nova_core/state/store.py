"""The state of a run in memory: changes are events, committed in groups and published as the state file."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from nova_core.clock import Clock
from nova_core.errors import NewerStateError, StateError
from nova_core.files.disk import Disk
from nova_core.files.project import Project
from nova_core.state.database import AttemptRow, Database
from nova_core.state.edits import LeftVersion, difference, edits_of
from nova_core.state.events import Event, EventKind
from nova_core.state.manager import StateManager
from nova_core.state.run_clock import run_time
from nova_core.state.schema import NEW, OF_THE_END, ProjectState, RunState, State, TaskState, patched
from nova_core.state.writer import Batch, Writer, Written
from nova_core.text import storable

_COMMIT_AFTER = 0.1  # seconds to collect events before a commit; measured: 0.3 ms per commit, 5 us per event
_SHARE = 20  # publish for at most a twentieth of the time
_RETRY = 1.0  # seconds between attempts while the disk cannot be written

Listener = Callable[[Event], None]
Recorded = Callable[[bool], object]
Published = Callable[[], object]


class Store:
    """Holds tasks, project and run in memory; only the engine's thread changes it.

    Events are written before the state file, and both contain `rev`, so either can be updated after a crash. With
    `background`, `tick` has another thread write them, one batch after the other, so that nothing waits for the disk
    but what asks to (`when_recorded`, `when_published`). `disk_error` is set while the disk cannot be written; nothing
    is lost meanwhile, and no task should start.
    """

    def __init__(
        self, project: Project, disk: Disk | None = None, clock: Clock | None = None, *, background: bool = False
    ) -> None:
        self.project_paths = project
        self._clock = clock or Clock()
        self._disk = disk or Disk()
        self.manager = StateManager(project.state_file, self._disk)
        self._left = LeftVersion(project.nova_dir / "left", self._disk)
        self.database = Database(project.database, self._disk, create_later=True)
        self.writer = Writer(self.database, self.manager, self._clock)
        self._background = background
        self.project = ProjectState()
        self.run = RunState()
        self.tasks: dict[str, TaskState] = {}
        self.rev = 0
        self.listeners: list[Listener] = []
        self.warnings: list[str] = []
        self.disk_error: str | None = None
        self.held: Container[str] = ()  # tasks whose end only the engine decides
        self.restore: Callable[[], bool] = bool  # creates deleted files again; returns True if there were any
        self.merged = False  # another program's changes were merged; what recomputes from the tasks resets it
        self._events: list[Event] = []
        self._attempts: list[AttemptRow] = []
        self._changed: set[str] | None = set()
        self._dirty = False
        self._next_commit = self._next_publish = 0.0
        self._recorded: list[Recorded] = []
        self._published: list[Published] = []
        self._in_flight: tuple[list[Recorded], list[Published]] = [], []  # what waits for the batch being written

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
        edited = {} if self._left.is_version(self.manager.signature) else edits_of(state, self.database)
        for event in self.database.events_since(self.rev):
            self._apply(event, from_json=True)
            self.rev, self._dirty = event.rev, True
            edited.pop(event.task or "", None)
        for task_id, patch in edited.items():
            self._record_outside(task_id, patch)
        self._changed = None

    def _record_outside(self, task_id: str, patch: dict[str, Any]) -> None:
        self.record(EventKind.TASK_CHANGED, task_id, f"{task_id} was changed by another program", **patch)

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

    def time(self) -> float:
        """Now on the run's clock."""
        return run_time(self.run, self._clock)

    # change

    def record(self, kind: EventKind, task: str | None = None, message: str = "", **patch: Any) -> Event:
        """Record an event: apply its patch, keep it for the next commit, call the listeners."""
        self.rev += 1
        event = Event(self.rev, self._clock.stamp(), kind, task, storable(message), patch)
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
        if event.task is None or "used_up" in event.patch or "git" in event.patch:  # no field is in both
            self.run = patched(self.run, event.patch, from_json)
        if event.task is None:
            self.project = patched(self.project, event.patch, from_json)
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

    def when_recorded(self, action: Recorded) -> None:
        """Call `action(True)` once the events recorded so far are on disk, `action(False)` if they cannot be."""
        self._recorded.append(action)

    def when_published(self, action: Published) -> None:
        """Call `action` once everything recorded so far is in the state file on disk."""
        self._published.append(action)

    def tick(self) -> None:
        """Handle what is written, and begin to write what is due."""
        if self.writer.is_busy:
            self._settle(self.writer.written())
        if self.writer.is_busy or not (self._dirty or self._recorded):
            return
        now = self._clock.monotonic()
        if self._events and not self._next_commit:
            self._next_commit = now + _COMMIT_AFTER
        publishes = self._dirty and self._next_publish <= now
        if publishes or self._is_awaited or (self._next_commit and self._next_commit <= now):
            self._start(publishes=publishes, background=self._background)
            if not self._background:
                self._settle(self.writer.written())

    def next_tick(self) -> float | None:
        """Returns seconds until `tick` has work to do, None if there is none, or if the writer will wake the engine."""
        if self.writer.is_busy or not (self._dirty or self._recorded):
            return None
        if self._is_awaited:
            return 0.0
        due = min(self._next_commit or self._next_publish, self._next_publish)
        return max(0.0, due - self._clock.monotonic())

    @property
    def _is_awaited(self) -> bool:
        """True if something waits for the disk, which works."""
        return bool(self._recorded) and self.disk_error is None

    def commit(self) -> bool:
        """Write the recorded events now, and wait; returns False if the disk cannot be written."""
        return self._write_now(publishes=False)

    def flush(self) -> bool:
        """Write events and state now, and wait; returns False if the disk cannot be written."""
        return self._write_now(publishes=True)

    def finish(self) -> bool:
        """Does what `flush` does, at the end of a run: meanwhile it prepares the history for being closed."""
        if not self.commit():
            return False
        self._start(publishes=True, background=self._background)
        self.database.checkpoint()
        written = self.writer.written(wait=True)
        return self._settle(written) and (bool(written and written.published) or self.flush())

    def settle(self) -> None:
        """Wait until nothing is being written."""
        self._settle(self.writer.written(wait=True))

    def found(self) -> bool:
        """Write the first state file of a new run: a kill must not lose the run's id. Nothing has started yet.

        It has no events, so it claims none; it need not survive a power cut. Returns False if it cannot be written.
        """
        try:
            self.manager.publish(State(project=self.project, run=self.run, tasks=self.tasks.copy()), None, sync=False)
            self._changed = set()
        except OSError as error:
            self.refuse(error)
        return self.disk_error is None

    def _write_now(self, *, publishes: bool) -> bool:
        self.settle()
        while True:
            self._start(publishes=publishes, background=False)
            written = self.writer.written()
            if not self._settle(written):
                return False
            if written and (written.published if publishes else written.recorded):
                return True

    def _start(self, *, publishes: bool, background: bool) -> None:
        """Begin to write what is recorded so far; what is recorded from now on belongs to the next batch."""
        state, changed = None, None
        if publishes:
            state = self.snapshot()
            changed = None if self._changed is None else frozenset(self._changed)
            self._changed, self._dirty = set(), False
        batch = Batch(tuple(self._events), tuple(self._attempts), state, changed)
        self._events, self._attempts, self._next_commit = [], [], 0.0
        self._in_flight = self._recorded, self._published if publishes else []
        self._recorded = []
        if publishes:
            self._published = []
        self.writer.start(batch, background=background)

    def _settle(self, written: Written | None) -> bool:
        """Keep what a batch could not write, then call the actions that waited; returns False if something is left."""
        if written is None:
            return True
        (recorded, published), self._in_flight = self._in_flight, ([], [])
        if not written.published:
            self._keep(written)
            self._published = published + self._published
        works = self._judge(written)
        for action in recorded:
            action(written.recorded)
        for then in published if written.published else ():
            then()
        return works

    def _judge(self, written: Written) -> bool:
        """Remember whether the disk works, and returns it; merges what another program wrote."""
        error = written.error
        if error is None and written.batch.state is not None and not written.published:
            try:
                self.merge_outside()
                self._next_publish = 0.0
            except OSError as problem:
                error = problem
        if isinstance(error, OSError):
            if self.restore():  # files were deleted, and are there again: the next batch has what this one had
                self._next_publish = 0.0
                return True
            self.refuse(error)
        elif error is not None:
            raise error
        elif written.published:
            self.disk_error = None
            self._next_publish = self._clock.monotonic() + _SHARE * written.seconds
        return error is None

    def _keep(self, written: Written) -> None:
        """Keep what a batch did not write for the next one."""
        batch = written.batch
        if not written.recorded:
            self._events = [*batch.events, *self._events]
            self._attempts = [*batch.attempts, *self._attempts]
        if batch.state is not None:
            self._dirty = True
            if self._changed is not None:
                self._changed = None if batch.changed is None else self._changed | batch.changed

    def restore_files(self) -> None:
        """Give history and state their files again after these were deleted: nothing in them is lost."""
        if not self.database.is_named():
            self.database.restore()
        self._changed, self._dirty, self._next_publish = None, True, 0.0

    def refuse(self, error: OSError) -> None:
        """Handle a write error: warn once, start no task, try again soon."""
        first = self.disk_error is None
        self.disk_error = str(error)
        self._dirty = True
        self._next_commit = self._next_publish = self._clock.monotonic() + _RETRY
        if first:
            text = f"cannot write the state: {error}; no new tasks will start until this works again"
            self.record(EventKind.WARNING, None, text)

    # other writers

    def changed_outside(self) -> bool:
        """Returns True if another program changed the state file; unknown, so False, while it is being written."""
        return not self.writer.is_busy and self.manager.changed_outside()

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
                patch = difference(before.get(task_id, NEW), task)
                if task_id in self.held:
                    patch = {name: value for name, value in patch.items() if name not in OF_THE_END}
                self._record_outside(task_id, patch)
                self.merged = True
        self._changed, self._dirty = None, True  # whatever it wrote, the next file is ours

    def close(self) -> None:
        """Close the files, after what is being written."""
        self.writer.written(wait=True)
        if not self._dirty:
            self._left.keep(self.manager.signature)
        self.database.close()
