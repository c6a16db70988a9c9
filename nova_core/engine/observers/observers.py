"""The observers of a run: milestones, hooks, status files for scripts, boxes in an imported plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nova_core.config import Config
from nova_core.config.hooks import HooksConfig
from nova_core.engine.observers.hooks import Hooks
from nova_core.engine.observers.milestones import Milestone, Milestones
from nova_core.engine.observers.observer import Observer
from nova_core.engine.observers.plan_ticker import PlanTicker
from nova_core.engine.observers.status_files import StatusFiles
from nova_core.files.disk import Disk
from nova_core.files.project import Project
from nova_core.model import is_safe_id
from nova_core.parser import Cascade
from nova_core.runs.result import RunResult
from nova_core.state.events import EventKind
from nova_core.state.store import Store


class Observers(Observer):
    """Passes the store's events to all observers. Observers change no task."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._all: list[Observer] = []
        self._turning: list[Observer] = []
        self._looking: list[Observer] = []
        self._has_begun = False

    def add(self, observer: Observer) -> None:
        """Add an observer; it receives events from now on."""
        self._all.append(observer)
        self._store.listeners += [one.see for one in self._those_with("see") if one is observer]
        self._turning = self._those_with("turn")
        self._looking = self._those_with("look")

    def _those_with(self, verb: str) -> list[Observer]:
        """Returns the observers that override a method; the others cost nothing, however often it is called."""
        return [one for one in self._all if getattr(type(one), verb) is not getattr(Observer, verb)]

    def warn(self, text: str) -> None:
        """Record a warning now, or as soon as the run begins."""
        if self._has_begun:
            self._store.record(EventKind.WARNING, None, text)
        else:
            self._store.warnings.append(text)

    def begin(self) -> None:
        for observer in self._all:
            observer.begin()
        self._has_begun = True

    def take_plan(self, cascade: Cascade) -> None:
        for observer in self._all:
            observer.take_plan(cascade)

    def turn(self) -> None:
        for observer in self._turning:
            observer.turn()

    def look(self) -> None:
        for observer in self._looking:
            observer.look()

    def finish(self, result: RunResult | None, hurry: Callable[[], bool]) -> None:
        for observer in self._all:
            observer.finish(result, hurry)

    def close(self) -> None:
        for observer in self._all:
            observer.close()


def usual_observers(
    project: Project, config: Config, cascade: Cascade, store: Store, disk: Disk, milestones: Iterable[Milestone]
) -> Observers:
    """Returns the observers that every run has, according to its settings."""
    observers = Observers(store)
    observers.add(Milestones(project, config, cascade, store, milestones, observers.warn))
    if config.tick:
        observers.add(PlanTicker(project, cascade, store, disk, observers.warn))
    if config.hooks != HooksConfig(timeout=config.hooks.timeout):
        observers.add(Hooks(project, cascade, store, config.hooks))
    if config.notify.command or config.notify.webhook:
        from nova_core.engine.observers.notifications import Notifications  # most projects have none

        observers.add(Notifications(project, cascade, store, config.notify))
    return observers


def keep_status_files(
    observers: Observers, project: Project, cascade: Cascade, store: Store, known: Iterable[str] | None, *, silent: bool
) -> None:
    """Keep status files where scripts look for them, if the plan is a folder of the Task Orchestration Protocol.

    They follow the state from here on, also while a command changes it without a run. `known` are the tasks of the
    state; the files of tasks that left the plan are deleted. None means a new run, which starts without such files.
    """
    if cascade.format != "protocol":
        return
    dag, tasks, run = cascade.dag, cascade.tasks, store.run.id
    ids = [i for i in map(dag.ids.__getitem__, dag.order) if tasks[i].workspace]
    gone = [i for i in known or () if i not in tasks and is_safe_id(i)]
    files = StatusFiles(project, [*gone, *ids], store, observers.warn)
    # The usual place moves earlier files aside; for another plan they may be those of a plan that runs now.
    if known is None and not project.key and files.put_aside(run) and not silent:
        observers.warn(f"workspace: earlier status files were moved to .nova/workspace/{run}")
    files.catch_up()
    observers.add(files)
