"""Milestones of `milestones.yaml`: reading them, and finding those that are due."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import msgspec

from nova_core.config import Config
from nova_core.engine.observers.observer import Observer
from nova_core.errors import InputError, InputNotFoundError
from nova_core.files.project import Project
from nova_core.files.typed_yaml import (
    Field,
    Reader,
    above_zero,
    did_you_mean,
    kind_of,
    list_of,
    one_of,
    plain,
    read_argument,
    read_number,
    read_text,
    struct,
)
from nova_core.files.variants import existing
from nova_core.files.yaml_file import Keys, load_yaml
from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.state.store import Store


class TriggerType(StrEnum):
    """The kinds of triggers."""

    ALL_TASKS_COMPLETED = "all_tasks_completed"
    PERCENTAGE_COMPLETE = "percentage_complete"
    ANY_TASK_FAILED = "any_task_failed"
    BRANCH_COMPLETED = "branch_completed"
    GROUP_COMPLETED = "group_completed"
    COST_REACHED = "cost_reached"


class Trigger(msgspec.Struct, frozen=True):
    """When a milestone is due; `type` decides which fields apply. `threshold` is in percent, `usd` in US dollars."""

    type: TriggerType
    tasks: tuple[str, ...] = ()
    threshold: float = 0.0
    branch: str | None = None
    group: str | None = None
    usd: float = 0.0


class Milestone(msgspec.Struct, frozen=True):
    """A milestone, reported once per run."""

    id: str
    trigger: Trigger
    name: str = ""
    message: str = ""


class _HasTasks(Protocol):
    """The part of a cascade that milestones need."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Tasks by id."""


class _HasRev(Protocol):
    """The part of the run's state that milestones need: its tasks, and the number of its last event."""

    @property
    def rev(self) -> int:
        """Grows with every change."""

    @property
    def tasks(self) -> Mapping[str, TaskState]:
        """The state of each task."""


def read_milestones(project: Project, config: Config, cascade: Cascade) -> tuple[Milestone, ...]:
    """Read the milestones of a project. Raises `InputError`."""
    path = project.root / config.milestones if config.milestones else existing(project.milestones_file)
    return load_milestones(os.path.relpath(path), cascade, required=bool(config.milestones))


def load_milestones(path: str | Path, cascade: _HasTasks, *, required: bool = False) -> tuple[Milestone, ...]:
    """Read the milestones of a plan; none if the file is missing, unless it is `required`.

    Raises `InputError` with every mistake, including tasks, branches and groups that the plan does not have.
    """
    try:
        document = load_yaml(path)
    except InputNotFoundError:
        if required:
            raise
        return ()
    reader = Reader(document, "docs/milestones.md")
    milestone = struct(_milestone, _fields(cascade.tasks.values()), "id", "trigger")
    found: tuple[Milestone, ...] = reader.mapping((), document.data, {"milestones": list_of(milestone)}).get(
        "milestones", ()
    )
    _refuse_duplicates(reader, document.data)
    if reader.problems:
        raise InputError(sorted(reader.problems, key=lambda problem: problem.line))
    return found


def _milestone(**fields: Any) -> Milestone:
    return Milestone(**{"name": fields["id"], **fields})


def _fields(tasks: Iterable[Task]) -> dict[str, Field]:
    tasks = list(tasks)
    task = one_of("task", [t.id for t in tasks])
    branch = one_of("branch", list(dict.fromkeys(t.branch for t in tasks if t.branch)))
    group = one_of("group", list(dict.fromkeys(t.group for t in tasks if t.group)))
    amount = plain(above_zero(read_number))
    triggers: dict[str, dict[str, Field]] = {
        TriggerType.ALL_TASKS_COMPLETED: {"tasks": list_of(task)},
        TriggerType.PERCENTAGE_COMPLETE: {"threshold": plain(_read_percentage)},
        TriggerType.ANY_TASK_FAILED: {},
        TriggerType.BRANCH_COMPLETED: {"branch": branch},
        TriggerType.GROUP_COMPLETED: {"group": group},
        TriggerType.COST_REACHED: {"usd": amount},
    }
    return {
        "id": plain(read_text),
        "name": plain(read_text),
        "message": plain(read_argument),
        "trigger": lambda reader, keys, data: _read_trigger(reader, keys, data, triggers),
    }


def _read_trigger(reader: Reader, keys: Keys, data: object, triggers: Mapping[str, Mapping[str, Field]]) -> Any:
    if not isinstance(data, dict) or "type" not in data:
        reader.fail(keys, "`type` is missing", f"choose one of {', '.join(triggers)}")
        return None
    kind = data["type"]
    if not isinstance(kind, str) or kind not in triggers:
        reader.fail((*keys, "type"), f"unknown trigger {kind_of(kind)}", did_you_mean(str(kind), triggers))
        return None
    fields = triggers[kind]
    trigger = struct(Trigger, {"type": plain(TriggerType), **fields}, *fields)(reader, keys, data)
    if trigger is not None and "tasks" in fields and not trigger.tasks:
        reader.fail((*keys, "tasks"), "must name at least one task")
        return None
    return trigger


def _read_percentage(value: object) -> float:
    text = read_text(value).strip().removesuffix("%")
    percentage: float = above_zero(read_number)(text)
    if percentage > 100:
        raise ValueError("must not be more than 100")
    return percentage


def _refuse_duplicates(reader: Reader, data: object) -> None:
    items = data.get("milestones") if isinstance(data, dict) else None
    first: dict[object, int] = {}
    for i, item in enumerate(items if isinstance(items, list) else ()):
        name = item.get("id") if isinstance(item, dict) else None
        if not isinstance(name, str):
            continue
        keys: Keys = ("milestones", i, "id")
        line = first.setdefault(name, reader.document.line_of(keys))
        if i and line != reader.document.line_of(keys):
            reader.fail(keys, f"{kind_of(name)} is used twice, first on line {line}", "give each milestone its own id")


class MilestoneTracker:
    """Finds the milestones that are due, each once; `fired` are the ids already reported in this run.

    If `see` gets every event of the store, `due` does not look at the tasks; after missed events it counts them again.
    `rev` is the number of the last event that `due` has checked.
    """

    def __init__(
        self,
        milestones: Iterable[Milestone],
        cascade: _HasTasks,
        fired: Collection[str] = (),
        tasks: Mapping[str, TaskState] | None = None,
    ) -> None:
        self.rev = -1
        self._waiting = [m for m in milestones if m.id not in fired]
        self._plan = cascade.tasks
        self._members = {m.id: members_of(m.trigger, cascade.tasks.values()) for m in self._waiting}
        self._watched: dict[str, list[set[str]]] = {}
        self._seen = -1
        if self._waiting:
            self._recount(tasks or {})

    def see(self, event: Event) -> None:
        """Apply the next event of the store."""
        if not self._waiting:
            return
        if event.rev != self._seen + 1 or event.patch.get("removed"):
            self._seen = -2  # an event was missed: `due` will count again
            return
        self._seen = event.rev
        if event.task is not None and event.task in self._plan:
            status = event.patch.get("status")
            if status is not None:
                self._set_status(event.task, status)
            if "cost_usd" in event.patch:
                self._set_cost(event.task, event.patch["cost_usd"])

    def due(self, store: _HasRev) -> list[Milestone]:
        """Returns the milestones that became due, in file order; each is returned once."""
        if self._waiting and store.rev != self._seen:
            self._recount(store.tasks)
        self._seen = self.rev = store.rev
        due = [m for m in self._waiting if self._is_due(m)]
        if due:
            self._waiting = [m for m in self._waiting if m not in due]
        return due

    def _recount(self, tasks: Mapping[str, TaskState]) -> None:
        """Count everything from the state of all tasks: O(tasks)."""
        self._work = {i for i, task in self._plan.items() if not task.gate}
        self._status: dict[str, str] = {}
        self._costs: dict[str, float] = {}
        self._completed = self._failed = 0
        self._cost = 0.0
        self._left = {m.id: set(self._members[m.id]) for m in self._waiting}
        self._watched = {}
        for left in self._left.values():
            for task_id in left:
                self._watched.setdefault(task_id, []).append(left)
        for task_id in self._plan:
            state = tasks.get(task_id)
            if state is not None:
                self._set_status(task_id, state.status)
                self._set_cost(task_id, state.cost_usd)

    def _set_status(self, task_id: str, status: str) -> None:
        old = self._status.get(task_id)
        self._status[task_id] = status
        if task_id in self._work:
            self._completed += (status == TaskStatus.COMPLETED) - (old == TaskStatus.COMPLETED)
        self._failed += (status == TaskStatus.FAILED) - (old == TaskStatus.FAILED)
        for left in self._watched.get(task_id, ()):
            if status == TaskStatus.COMPLETED:
                left.discard(task_id)
            else:
                left.add(task_id)

    def _set_cost(self, task_id: str, usd: float | None) -> None:
        self._cost += (usd or 0.0) - self._costs.get(task_id, 0.0)
        self._costs[task_id] = usd or 0.0

    def _is_due(self, milestone: Milestone) -> bool:
        trigger = milestone.trigger
        if trigger.type is TriggerType.PERCENTAGE_COMPLETE:
            return bool(self._work) and 100.0 * self._completed >= trigger.threshold * len(self._work)
        if trigger.type is TriggerType.ANY_TASK_FAILED:
            return self._failed > 0
        if trigger.type is TriggerType.COST_REACHED:
            return self._cost >= trigger.usd
        return not self._left[milestone.id]


class Milestones(Observer):
    """Records the milestones that became due, after each turn of the loop."""

    def __init__(
        self, project: Project, config: Config, cascade: Cascade, store: Store, milestones: Iterable[Milestone],
        warn: Callable[[str], object],
    ) -> None:  # fmt: skip
        self._project = project
        self._config = config
        self._store = store
        self._warn = warn
        self._tracker = MilestoneTracker(milestones, cascade, store.run.milestones, store.tasks)

    def see(self, event: Event) -> None:
        self._tracker.see(event)

    def take_plan(self, cascade: Cascade) -> None:
        """Read the file again: it may name tasks that are new in the plan."""
        try:
            milestones = read_milestones(self._project, self._config, cascade)
            self._tracker = MilestoneTracker(milestones, cascade, self._store.run.milestones, self._store.tasks)
        except InputError as error:
            self._warn(f"{error.message}; the milestones are unchanged")

    def turn(self) -> None:
        """Record the milestones that became due."""
        if self._store.rev == self._tracker.rev:
            return
        for milestone in self._tracker.due(self._store):
            fired = (*self._store.run.milestones, milestone.id)
            text = f"{milestone.name}: {milestone.message}"
            self._store.record(EventKind.MILESTONE, None, text, milestones=fired)


def members_of(trigger: Trigger, tasks: Iterable[Task]) -> tuple[str, ...]:
    """Returns the tasks that must all be completed."""
    if trigger.type is TriggerType.BRANCH_COMPLETED:
        return tuple(task.id for task in tasks if task.branch == trigger.branch and not task.gate)
    if trigger.type is TriggerType.GROUP_COMPLETED:
        return tuple(task.id for task in tasks if task.group == trigger.group and not task.gate)
    return trigger.tasks
