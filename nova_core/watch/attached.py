"""A run followed through its files, whatever process runs its engine."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Mapping

from nova_core.command import OF_TERMINALS, Command, CommandKind
from nova_core.config import Config
from nova_core.engine.replan import signature
from nova_core.errors import EnvironmentProblem, NovaError
from nova_core.files.lock import engine_alive
from nova_core.files.project import Project
from nova_core.importers import read_plan
from nova_core.parser import Cascade
from nova_core.plan.leaving import leaving, with_leaving
from nova_core.plan.phases import with_settings
from nova_core.runs.outlook import Latest
from nova_core.runs.worktime import Span
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event, EventKind
from nova_core.state.manager import StateManager
from nova_core.state.schema import NEW, ProjectState, RunState, State, TaskState, patched
from nova_core.watch.history_reader import HistoryReader
from nova_core.watch.source import LOOKING, WAS_PAUSED, EngineState, Notice, Update, drain
from nova_core.watch.typist import Typist

_LOOK = 1.0  # seconds between checks of the lock, and of the state file of a run without an engine
_TO_RUN = (CommandKind.RETRY, CommandKind.SKIP, CommandKind.APPROVE)


class AttachedSource:
    """Follows a run by its files: the state once, then the events. With `control`, it can send commands to the engine.

    Raises `EnvironmentProblem` if the project has no run, `InputError` if its plan cannot be read.
    """

    owns_engine = False

    def __init__(self, project: Project, config: Config, *, control: bool = False) -> None:
        self.project = project
        self.config = config
        self.read_only = not control
        self.error = ""
        self.uncommitted: tuple[str, ...] = ()
        self._manager = StateManager(project.state_file)
        self._state = self._load()
        self.engine = EngineState.GONE
        self._past = HistoryReader(project)
        self._tasks: dict[str, TaskState] = {}
        self._take(self._state)
        self.cascade = self._read_plan()
        self._notices: deque[Notice] = deque()
        self._next_look = 0.0
        self._starting = False
        self._typist, self._orders = Typist(self._deliver), Typist(self._deliver)

    def _load(self) -> State:
        try:
            return self._manager.adopt()
        except FileNotFoundError:
            raise EnvironmentProblem(
                f"{self.project.root}: no plan has been run here", hint="start a plan with `nova run`"
            ) from None

    @property
    def _plan_file(self) -> str:
        return str(self.project.root / self._state.project.cascade_file)

    def _read_plan(self) -> Cascade:
        self._version = signature(self._plan_file)
        plan = with_settings(read_plan(self._plan_file, self.config.plan), self.config)
        gone = leaving(plan, self._tasks)
        return with_leaving(plan, gone, self._past.started(gone)) if gone else plan

    def _take(self, state: State) -> None:
        self._tasks = dict(state.tasks)
        self._run, self._project_state, self._rev = state.run, state.project, state.rev

    @property
    def tasks(self) -> Mapping[str, TaskState]:
        return self._tasks

    @property
    def run(self) -> RunState:
        return self._run

    @property
    def project_state(self) -> ProjectState:
        return self._project_state

    @property
    def jobs(self) -> int:
        return self._run.jobs if self.engine is EngineState.RUNNING else 0

    @property
    def rev(self) -> int:
        return self._rev

    def start(self) -> None:
        self._look()

    def poll(self) -> Update:
        before, reset = self.engine, False
        if time.monotonic() >= self._next_look:
            reset = self._look()
        events = self._past.events_since(self._rev)
        for event in events:
            self._apply(event)
        if any(event.kind is EventKind.PLAN_CHANGED for event in events):
            self._read_again()
        ids = frozenset(e.task for e in events if e.task is not None)
        return Update(ids, events, drain(self._notices), reset, self.engine != before)

    def _look(self) -> bool:
        """Check for an engine and, without one, for an edited state; returns True if everything may have changed."""
        self._next_look = time.monotonic() + _LOOK
        alive = engine_alive(self.project.lock_file) is not None
        self.engine = EngineState.RUNNING if alive else EngineState.GONE
        if alive:  # it says when it has taken a changed plan
            return False
        replanned = signature(self._plan_file) != self._version and self._read_again()
        if not self._manager.changed_outside():
            return replanned
        with contextlib.suppress(NovaError, FileNotFoundError):
            state = self._manager.adopt()
            if state.run.id != self._run.id or state.rev >= self._rev:
                self._take(state)
                return True
        return replanned

    def _read_again(self) -> bool:
        """Returns True if the changed plan could be read."""
        with contextlib.suppress(NovaError):  # it is being written: the next change is noticed again
            self.cascade = self._read_plan()
            return True
        return False

    def _apply(self, event: Event) -> None:
        self._rev = event.rev
        if event.task is None:
            self._run = patched(self._run, event.patch, True)
            self._project_state = patched(self._project_state, event.patch, True)
        elif event.patch.get("removed"):
            self._tasks.pop(event.task, None)
        else:
            self._tasks[event.task] = patched(self._tasks.get(event.task, NEW), event.patch, True)

    @property
    def was_stopped(self) -> bool:
        return False

    def say(self, text: str) -> None:
        """Show a text with the next `poll`."""
        self._notices.append(Notice(True, text))

    def send(self, command: Command) -> None:
        if self.read_only:
            self._notices.append(Notice(False, LOOKING))
            return
        (self._typist if command.kind in OF_TERMINALS else self._orders).send(command)

    def _deliver(self, command: Command) -> None:
        from nova_core.files.inbox import send_command
        from nova_core.watch.offline import apply_offline

        try:
            alive = engine_alive(self.project.lock_file) is not None
            reply = send_command(self.project, command) if alive else apply_offline(self.project, command)
            ok, text = (reply.ok, reply.message) if reply else (False, "the engine did not answer")
            idle = ok and not alive and command.kind in _TO_RUN and not self._starting
            if not (ok and command.kind in OF_TERMINALS):
                self._notices.append(Notice(ok, text, idle))
        except (NovaError, OSError) as error:
            self._notices.append(Notice(False, str(error)))
        except Exception as error:  # the commands after it are delivered all the same
            self._notices.append(Notice(False, f"internal error: {error!r}"))

    def go_on(self, uncommitted: str = "") -> None:
        if self.read_only:
            self._notices.append(Notice(False, LOOKING))
        elif not self._starting:
            self._starting = True
            threading.Thread(target=self._start_engine, daemon=True).start()

    def _start_engine(self) -> None:
        """Start an engine in the background, as `nova run --detach` does."""
        from nova_core.watch.background import start_engine
        from nova_core.watch.offline import apply_offline

        try:
            goes_on = WAS_PAUSED if self._run.paused else "the run continues"
            if self._run.paused:
                apply_offline(self.project, Command(CommandKind.RESUME))
            _, _, said = start_engine(self.project, ("run", "--no-ui", "--", self._project_state.cascade_file))
            self._notices.append(Notice(not said, said.partition("\n")[0] or f"{goes_on} in the background"))
        except (NovaError, OSError) as error:
            self._notices.append(Notice(False, str(error)))
        self._next_look, self._starting = 0.0, False

    def attempts(self, task_id: str) -> list[AttemptRow]:
        return self._past.attempts(task_id)

    def spans(self) -> list[Span]:
        return self._past.spans(self._run.id)

    def latest(self) -> list[Latest]:
        return self._past.latest()

    def past(self, before: int, most: int) -> list[Event]:
        return self._past.events_before(before, most)

    def close(self) -> None:
        self._past.close()
