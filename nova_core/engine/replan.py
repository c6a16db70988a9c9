"""Plan changes during a run: new tasks are added, running tasks keep their text, done tasks stay done."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection

from nova_core.clock import Clock
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.observers.observers import Observers
from nova_core.engine.renewal import edited_done
from nova_core.engine.startup import limits_of
from nova_core.errors import InputError, NovaError, Problem
from nova_core.parser import Cascade
from nova_core.plan.changes import fingerprint
from nova_core.plan.leaving import grown
from nova_core.plan.scheduler import weights
from nova_core.plan.sync import accept_plan
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_core.text import number_of

_LOOK = 0.1  # seconds between two checks
_MOST = 5  # edited tasks that a warning names
_SHARE = 50  # spend at most a fiftieth of the time on checks

Signature = tuple[tuple[str, int, int, int], ...]


def signature(path: str) -> Signature:
    """Identifies a version of a plan: name, mtime, size and inode of its file, or of each file in its folder."""
    names = [path]
    if os.path.isdir(path):
        found_in = ((at, name) for at, _, files in os.walk(path) for name in files)
        names = [os.path.join(at, name) for at, name in found_in if name.endswith((".md", ".yml", ".yaml"))]
    elif path.endswith(".jsonl"):  # Beads may keep dependencies in a separate file
        names.append(os.path.join(os.path.dirname(path), "dependencies.jsonl"))
    found = []
    for name in sorted(names):
        try:
            status = os.stat(name)
        except OSError:
            continue
        found.append((name, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


class PlanWatch:
    """Watches the plan's file or folder, and reads it in a thread when it has changed and is stable.

    `read` reads the plan; 100,000 lines take a second, and the engine must not stop meanwhile.
    """

    def __init__(self, path: str, read: Callable[[], Cascade], clock: Clock) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._known = self._seen = signature(path)
        self._pause = 0  # checks to skip: 10,000 files take several milliseconds
        self._thread: threading.Thread | None = None
        self._found: Cascade | NovaError | None = None

    def look(self) -> Cascade | NovaError | None:
        """Returns the new plan, or why it cannot be used, once; None if unchanged. Two checks must agree first."""
        if self._thread is not None:
            if self._thread.is_alive():
                return None
            self._thread = None
            found, self._found = self._found, None
            return found
        if self._pause:
            self._pause -= 1
            return None
        began = self._clock.monotonic()
        now = signature(self._path)
        self._pause = int((self._clock.monotonic() - began) * _SHARE / _LOOK)
        rests, self._seen = now == self._seen, now
        if now == self._known or not now or not rests:
            return None
        thread = threading.Thread(target=self._take, name="plan", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread to spare: the next look tries again
            thread.start()
            self._known, self._thread = now, thread
        return None

    def last_look(self) -> Cascade | NovaError | None:
        """Returns the same when the run is about to end: the current files are read at once."""
        if self._thread is not None:
            self._thread.join()
            return self.look()
        now = signature(self._path)
        if now == self._known or not now:
            return None
        self._known = self._seen = now
        self._take()
        found, self._found = self._found, None
        return found

    def _take(self) -> None:
        try:
            self._found = self._read()
        except NovaError as error:
            self._found = error
        except (OSError, RecursionError, MemoryError) as error:
            self._found = InputError([Problem(self._path, 0, f"cannot be read: {error}")])


class Replanner:
    """Applies a changed plan between two turns of the engine. A plan that cannot be used is reported once and ignored.

    `latest` is the plan as last read.
    """

    def __init__(self, parts: Parts, observers: Observers, watch: PlanWatch, latest: Cascade) -> None:
        self._parts = parts
        self._board = parts.board
        self._store = parts.store
        self.observers = observers
        self._latest = latest
        self._found: Cascade | NovaError | None = None  # a new plan, until it may be taken
        self.watch = watch
        self.settle: Callable[[], bool] = lambda: True  # called before a plan is taken; False: not now

    def look(self, *, last: bool = False) -> bool:
        """Returns True if a new plan was applied; set `last` if the run would end otherwise."""
        found = self.watch.last_look() if last else self.watch.look()
        if found is None and self._found is None and self._has_left():
            found = self._latest
        self._found = self._found if found is None else found
        if self._found is None or not self.settle():
            return False
        found, self._found = self._found, None
        try:
            if isinstance(found, NovaError):
                raise found
            self._take(found)
        except NovaError as error:
            hint = f" ({error.hint})" if error.hint else ""
            text = f"{error.message}{hint}; the run continues with the previous plan"
            self._store.record(EventKind.WARNING, None, text)
            return False
        return True

    def _has_left(self) -> bool:
        """Returns True if a running task that was removed from the plan has ended: it can be removed now."""
        states = self._store.tasks
        return any(states[i].status is not TaskStatus.IN_PROGRESS for i in self._board.leaving if i in states)

    def _take(self, new: Cascade) -> None:
        running = {i for i, state in self._store.tasks.items() if state.status is TaskStatus.IN_PROGRESS}
        plan = grown(self._board.cascade.tasks, new, running)
        self._board.selection.ids(plan)  # raises before anything has changed
        known = self._store.tasks
        added = (task for task in plan.tasks.values() if task.id not in known and not task.settled)
        self._parts.launcher.require_commands(added, plan.path)
        leaving = plan.tasks.keys() - new.tasks.keys()
        accept_plan(plan, self._store, leaving)
        self._name_edited(plan)
        self._name_leaving(leaving, new)
        order = weights(plan.dag, plan.tasks, self._store.database.durations())
        self._board.take_plan(plan, limits_of(self._parts.config, plan), order)
        self._board.leaving = leaving
        self._latest = new
        self._parts.launcher.take_plan(plan.tasks)
        self.observers.take_plan(plan)

    def _name_leaving(self, leaving: Collection[str], new: Cascade) -> None:
        """Report running tasks whose rows are gone, or are back: the state of the task does not change with that."""
        before = self._board.leaving
        for ids, what in (
            ([i for i in leaving if i not in before], "was removed from the plan; it stays until its worker has ended"),
            ([i for i in before if i in new.tasks], "is back in the plan"),
        ):
            for task_id in sorted(ids):
                self._store.record(EventKind.PLAN_CHANGED, task_id, f"{task_id} {what}")

    def _name_edited(self, plan: Cascade) -> None:
        """Warn that done tasks whose text has changed just now do not run again by themselves."""
        old, states = self._board.cascade.tasks, self._store.tasks
        edited = edited_done(plan, states)
        ids = [i for i in edited if i in old and fingerprint(old[i]) == states[i].fingerprint]
        if ids:
            shown = f"{', '.join(ids[:_MOST])}{', ...' if len(ids) > _MOST else ''}"
            were = "was" if len(ids) == 1 else "were"
            text = f"{number_of(len(ids), 'done task')} {were} edited: {shown}; let them run again with nova retry"
            self._store.record(EventKind.WARNING, None, text)
