"""Who goes along with a run: milestones, hooks, status files for scripts, the boxes of a foreign plan."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nova_core.config import Config
from nova_core.engine.observers.hooks import Hooks
from nova_core.engine.observers.milestones import Milestone, MilestoneTracker, load_milestones
from nova_core.engine.observers.plan_ticker import Ticker
from nova_core.engine.observers.status_files import Workspace
from nova_core.errors import InputError
from nova_core.files.disk import Disk
from nova_core.files.project import Project
from nova_core.model import is_safe_id
from nova_core.parser import Cascade
from nova_core.state.events import Event, EventKind
from nova_core.state.store import Store


def read_milestones(project: Project, config: Config, cascade: Cascade) -> tuple[Milestone, ...]:
    """The milestones of a project. Raises `InputError`."""
    path = project.root / config.milestones if config.milestones else project.milestones_file
    return load_milestones(os.path.relpath(path), cascade, required=bool(config.milestones))


class Followers:
    """All of them, fed with the events of the store. They change no task, and none of them can stop a run."""

    def __init__(
        self, project: Project, config: Config, cascade: Cascade, store: Store, disk: Disk,
        milestones: tuple[Milestone, ...],
    ) -> None:  # fmt: skip
        self._project = project
        self._config = config
        self._cascade = cascade
        self._store = store
        self._begun = False
        self.hooks = Hooks(project, cascade, store, config.hooks)
        self._workspace: Workspace | None = None
        self._ticker = Ticker(project, store, disk) if config.tick else None
        self._milestones = MilestoneTracker(milestones, cascade, store.run.milestones, store.tasks)
        store.listeners.append(self._see)

    def keep_workspace(self, known: Iterable[str] | None, *, silent: bool) -> None:
        """Status files where scripts look for them, if the plan is a folder of the Task Orchestration Protocol.

        They follow the state from here on, also while a command changes it without a run. `known` are the tasks of the
        state, whose files go when the plan has them no longer; None means a new run, which starts without such files.
        """
        if self._cascade.format != "protocol":
            return
        dag, tasks, run = self._cascade.dag, self._cascade.tasks, self._store.run.id
        ids = [i for i in map(dag.ids.__getitem__, dag.order) if tasks[i].workspace]
        gone = [i for i in known or () if i not in tasks and is_safe_id(i)]
        self._workspace = Workspace(self._project, [*gone, *ids], self._store, self._warn)
        if known is None and self._workspace.put_aside(run) and not silent:
            self._warn(f"workspace: there were status files before; they are in .nova/workspace/{run}")
        self._workspace.begin()

    def begin(self) -> None:
        """The run begins: from here on hooks are told, and warnings are heard."""
        to_do = any(not task.settled for task in self._cascade.tasks.values())
        if self._ticker and to_do and not self._cascade.marks:
            self._warn("nothing will be ticked: this plan has no boxes for its tasks")
        self._begun = True
        self.hooks.listen()

    def take_plan(self, cascade: Cascade) -> None:
        """The plan was changed while it runs."""
        self._cascade = self.hooks.cascade = cascade
        if self._workspace:
            self._workspace.take_plan(cascade)
        fired = self._store.run.milestones
        try:
            milestones = read_milestones(self._project, self._config, cascade)
            self._milestones = MilestoneTracker(milestones, cascade, fired, self._store.tasks)
        except InputError as error:
            self._warn(f"{error.message}; the milestones stay as they were")

    def look(self) -> None:
        """Say what went wrong beside the loop, and tick what is due."""
        self.hooks.complain()
        self.tick()

    def tick(self) -> None:
        """Tick what is due."""
        if self._ticker:
            self._ticker.write(self._cascade)

    def fire_milestones(self) -> None:
        """Tell those that became due."""
        if self._store.rev == self._milestones.rev:
            return
        for milestone in self._milestones.due(self._store):
            fired = (*self._store.run.milestones, milestone.id)
            text = f"{milestone.name}: {milestone.message}"
            self._store.record(EventKind.MILESTONE, None, text, milestones=fired)

    def _see(self, event: Event) -> None:
        self._milestones.see(event)
        if self._workspace:
            self._workspace.see(event)
        if self._ticker:
            self._ticker.see(event)

    def _warn(self, text: str) -> None:
        """Tell it now, or as soon as somebody listens."""
        if self._begun:
            self._store.record(EventKind.WARNING, None, text)
        else:
            self._store.warnings.append(text)
