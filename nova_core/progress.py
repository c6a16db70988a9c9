"""The progress of tasks as a library: reported by the code that executes them, or read from the history of a run."""

from __future__ import annotations

import heapq
import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nova_core.clock import Clock, iso
from nova_core.state.database import Database
from nova_core.state.events import Event
from nova_core.state.task_progress import (
    CriterionProgress,
    EventType,
    ExecutionEvent,
    Status,
    TaskProgress,
    applied,
    of_run,
)
from nova_core.text import clean, cut

__all__ = ["CriterionProgress", "EventType", "ExecutionEvent", "ProgressTracker", "Status", "TaskProgress"]

Told = tuple[int, ExecutionEvent]  # keyed by its number in the database
Listener = Callable[[TaskProgress], object]
_CREATING = ("write", "create")
_CHANGING = ("edit", "modify", "update")


class ProgressTracker:
    """Keeps the progress of tasks and notifies listeners. Safe from many threads at once.

    `db` is a `Database` or the path of one, and every change is on disk before it counts; None keeps everything in
    memory. With the `nova.db` of a project, the tracker also has the tasks that runs executed there, up to the last
    event on disk. Each change is one event: `progress.last_event`. For a task that was not started, a method changes
    nothing and returns None.

    Raises `EnvironmentProblem` if the database cannot be opened, `OSError` if it cannot store a change; the change then
    does not count.
    """

    def __init__(self, db: Database | str | os.PathLike[str] | None = None, clock: Clock | None = None) -> None:
        self._own = None if db is None or isinstance(db, Database) else Database(Path(db))
        self.db = db if isinstance(db, Database) else self._own
        self._clock = clock or Clock()
        self._tasks: dict[str, TaskProgress] = {}
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        self._rev = self._number = 0  # numbers of the last run event and the last tracker event in `_tasks`
        with self._lock:
            self._catch_up()

    def close(self) -> None:
        """Close the database if this tracker opened it."""
        if self._own is not None:
            self._own.close()

    # changes

    def start_task(
        self, task_id: str, agent_id: str = "", criteria_total: int | Sequence[str] = 0, *,
        name: str = "", description: str = "", criteria: Sequence[str] = (), acceptance_criteria: Sequence[str] = (),
        max_iterations: int = 20, max_cost: float | None = None, agent: str = "", **extra: Any,
    ) -> TaskProgress:  # fmt: skip
        """Start or restart a task. `criteria_total` is a number of criteria or their texts; `max_cost` is US dollars.

        Other keyword arguments are kept in the details of the event and must be plain values.
        """
        texts = criteria or acceptance_criteria or _texts(criteria_total)
        details = {
            **extra, "status": Status.IN_PROGRESS.value, "agent_id": agent_id or agent,
            "criteria": [{"text": text} for text in texts], "max_iterations": max_iterations, "max_cost": max_cost,
        }  # fmt: skip
        if name or description:
            details["name"] = name or description
        found = self._tell(task_id, EventType.START, "Task execution started", details, starts=True)
        assert found is not None
        return found

    def update_iteration(self, task_id: str, iteration: int, max_iterations: int | None = None) -> TaskProgress | None:
        """Record that another iteration of the agent begins."""
        details = {"iteration": iteration} | ({} if max_iterations is None else {"max_iterations": max_iterations})
        return self._tell(task_id, EventType.PROGRESS, f"Iteration {iteration}", details)

    def update_progress(
        self, task_id: str, percent: float | None = None, *, progress: float | None = None, step: str | None = None,
        message: str | None = None,
    ) -> TaskProgress | None:  # fmt: skip
        """Record how much of the task is done (0 to 100) and the current step."""
        percent = progress if percent is None else percent
        details: dict[str, Any] = {}
        if percent is not None:
            details["progress_percent"] = max(0, min(100, int(percent)))
        if step is not None:
            details["current_step"] = step
        text = message or step or f"{percent or 0:g} %"
        return self._tell(task_id, EventType.PROGRESS, text, details)

    def verify_criterion(
        self, task_id: str, criterion: int | str, verified: bool = True, evidence: str = ""
    ) -> TaskProgress | None:
        """Record that a criterion, given by its index from 0 or its text, holds or (`verified=False`) does not.

        Each criterion counts once, and the share of those that hold becomes the progress, replacing any reported
        before. In order, index `i` makes `i + 1` verified: 0 and 1 of four are 2, and 50 %. Out of order nothing is
        assumed: index 2 alone makes 1 verified, and 25 %, until the others follow.

        Raises `ValueError` if the task has no such criterion.
        """
        known = self.get_progress(task_id)
        if known is None:
            return None
        index = _index_of(criterion, known)
        text = f"Criterion {index + 1} {'verified' if verified else 'failed'}"
        details = {"criterion": index, "verified": verified, "evidence": evidence}
        return self._tell(task_id, EventType.PROGRESS, text, details)

    def log_action(
        self, task_id: str, action: str, target: str | Mapping[str, Any] = "", success: bool = True, *,
        details: Mapping[str, Any] | str | None = None, files_created: Iterable[str] = (),
        files_modified: Iterable[str] = (),
    ) -> TaskProgress | None:  # fmt: skip
        """Record an action of the agent on `target`; a target that it wrote or edited counts among the task's files."""
        if isinstance(target, Mapping):
            target, details = "", target
        created, modified = list(files_created), list(files_modified)
        if target and success:
            created += [target] if action in _CREATING else []
            modified += [target] if action in _CHANGING else []
        more = dict(details) if isinstance(details, Mapping) else {"text": details} if details else {}
        told = {"action": action, "target": target, "success": success, "info": more}
        text = f"{'✓' if success else '✗'} {action}" + (f": {target}" if target else "")
        files = {"files_created": created, "files_modified": modified}
        return self._tell(task_id, EventType.ACTION, text, {**told, **files})

    def log_error(self, task_id: str, error: object) -> TaskProgress | None:
        """Record an error; the task continues."""
        return self._tell(task_id, EventType.ERROR, f"ERROR: {error}", {"error": str(error)})

    def complete_task(
        self, task_id: str, success: bool = True, *, result: str | None = None, summary: str | None = None
    ) -> TaskProgress | None:
        """Record the end of the task; success sets its progress to 100 %."""
        said = result or summary
        details: dict[str, Any] = {"status": (Status.COMPLETE if success else Status.FAILED).value}
        details |= {"completed_at": self._now(), "current_step": None}
        details |= {"progress_percent": 100, "error": None} if success else {"error": said} if said else {}
        text = f"Task {'completed successfully' if success else 'failed'}" + (f": {said}" if said else "")
        return self._tell(task_id, EventType.COMPLETE, text, details)

    def take(self, event: Event) -> None:
        """Take an event of a run from an engine in this process: `engine.subscribe(tracker.take)`.

        Listeners are notified. The event is not stored: the engine does that.
        """
        with self._lock:
            told = self._take(event) if event.rev > self._rev else None
        if told is not None:
            self._notify(told)

    # state

    def get_progress(self, task_id: str) -> TaskProgress | None:
        """The task's progress; None if the task was never started."""
        with self._lock:
            self._catch_up()
            return self._tasks.get(task_id)

    def get_all_active(self) -> list[TaskProgress]:
        """The tasks that are in progress, in the order they were first started."""
        with self._lock:
            self._catch_up()
            return [task for task in self._tasks.values() if task.status == Status.IN_PROGRESS]

    # listeners

    def add_listener(self, callback: Listener) -> None:
        """Call `callback` with the task after each change, on the thread that made the change.

        An exception from it is logged, in one line, and changes nothing.

        No lock is held during the call: the callback may use the tracker, and may get two simultaneous changes in any
        order.
        """
        self._listeners.append(callback)

    def remove_listener(self, callback: Listener) -> None:
        """Stop calling `callback`; no error if it was not added."""
        if callback in self._listeners:
            self._listeners.remove(callback)

    def _notify(self, progress: TaskProgress) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(progress)
            except Exception as error:  # a listener's error is not the task's
                logging.getLogger(__name__).error("%s", _failure_of(listener, error))

    # storage

    def _now(self) -> str:
        return iso(self._clock.now())

    def _tell(
        self, task_id: str, kind: EventType, message: str, details: dict[str, Any], *, starts: bool = False
    ) -> TaskProgress | None:
        with self._lock:
            self._catch_up()
            if not starts and task_id not in self._tasks:
                return None
            now = self._now()
            details = {**details, "started_at": now} if starts else details
            event = ExecutionEvent(now, kind.value, message, details, task_id)
            if self.db is None:
                self._fold(event)
            else:
                self.db.tell(event)
                self._catch_up()
            found = self._tasks[task_id]
        self._notify(found)
        return found

    def _catch_up(self) -> None:
        """Read new events from disk, including those of other processes, in the order they happened."""
        if self.db is None:
            return
        runs: Iterator[Event | Told] = self.db.events_since(self._rev)
        told: Iterator[Event | Told] = self.db.told_since(self._number)
        for item in heapq.merge(runs, told, key=_when):
            if isinstance(item, Event):
                self._take(item)
            else:
                self._number, event = item
                self._fold(event)

    def _take(self, event: Event) -> TaskProgress | None:
        self._rev = event.rev
        told = of_run(event)
        return self._fold(told) if told is not None else None

    def _fold(self, event: ExecutionEvent) -> TaskProgress | None:
        found = applied(self._tasks.get(event.task_id), event)
        if found is not None:
            self._tasks[event.task_id] = found
        return found


def _failure_of(listener: Listener, error: Exception) -> str:
    """One line: the listener that failed, where and why."""
    name = getattr(listener, "__qualname__", type(listener).__name__)
    place = traceback.extract_tb(error.__traceback__)[-1]
    why = cut(clean(" ".join(f"{type(error).__name__}: {error}".split())))
    return f"the listener {name} failed at {place.filename}:{place.lineno}: {why}"


def _texts(criteria: int | Sequence[str]) -> Sequence[str]:
    return [f"Criterion {n}" for n in range(1, criteria + 1)] if isinstance(criteria, int) else criteria


def _when(item: Event | Told) -> str:
    return item.at if isinstance(item, Event) else item[1].timestamp


def _index_of(criterion: int | str, progress: TaskProgress) -> int:
    texts = [known.text for known in progress.criteria]
    if isinstance(criterion, int) and 0 <= criterion < len(texts):
        return criterion
    if isinstance(criterion, str) and criterion in texts:
        return texts.index(criterion)
    raise ValueError(f"{progress.task_id} has {len(texts)} criteria, but not {criterion!r}")
