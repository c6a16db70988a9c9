"""Where the screens get a run from, and whom they tell what to do: an engine in this process, or any run's files."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.database import AttemptRow, Database
from nova_core.errors import EnvironmentProblem, NovaError
from nova_core.events import Event, EventKind
from nova_core.lock import engine_alive
from nova_core.orchestrator import Orchestrator
from nova_core.parser import Cascade, parse_cascade
from nova_core.project import Project
from nova_core.record import ProjectState, RunState, State, TaskState, patched
from nova_core.result import RunResult, Snapshot
from nova_core.state import StateManager
from nova_core.worktime import Span

_LOOK = 1.0  # seconds between looks at the lock and at the state file of a run without an engine
_TO_RUN = (CommandKind.RETRY, CommandKind.SKIP, CommandKind.APPROVE)
LOOKING = "looking only: C takes control"
_WAS_PAUSED = "the run was paused: it goes on"
_NEW = TaskState()
_T = TypeVar("_T")


class EngineState(StrEnum):
    """What drives the run."""

    RUNNING = "running"
    FINISHED = "finished"
    GONE = "gone"
    CRASHED = "crashed"


class Notice(msgspec.Struct, frozen=True):
    """The answer to a command, in one line."""

    ok: bool
    text: str


class Update(msgspec.Struct, frozen=True):
    """What is new since the last look; `changed` are ids of tasks, `reset` says that everything may have changed."""

    changed: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()
    notices: tuple[Notice, ...] = ()
    reset: bool = False
    engine_changed: bool = False


class Source(Protocol):
    """A run to look at. All calls are made on the UI thread and return at once; values are frozen."""

    cascade: Cascade
    project: Project
    config: Config
    read_only: bool
    engine: EngineState
    error: str

    @property
    def tasks(self) -> Mapping[str, TaskState]:
        """What is known of each task, by id."""

    @property
    def run(self) -> RunState:
        """The run's own record."""

    @property
    def project_state(self) -> ProjectState:
        """The project's own record."""

    @property
    def jobs(self) -> int:
        """Most workers at once; 0 if that is not known."""

    @property
    def rev(self) -> int:
        """Number of the last event taken in."""

    def start(self) -> None:
        """Begin to run, or to follow."""

    def poll(self) -> Update:
        """What is new since the last call."""

    @property
    def was_stopped(self) -> bool:
        """Whether somebody here ended the run."""

    def send(self, command: Command) -> None:
        """Ask for something; the answer is a notice of a later `poll`."""

    def go_on(self) -> None:
        """Have an engine run what is left, where none is at work."""

    def attempts(self, task_id: str) -> list[AttemptRow]:
        """The attempts of a task that are over, oldest first."""

    def spans(self) -> list[Span]:
        """Task, end and seconds of every attempt of the run that is over."""

    def past(self, before: int, most: int) -> list[Event]:
        """The last notable events before number `before`, oldest first."""

    def close(self) -> None:
        """Let go of the run without changing it."""


class LiveSource:
    """Runs the engine in a thread of this process. `make` builds one: at once, and again when a command revives an
    ended run. Raises what `make` raises. `result` is what the last run came to, `failure` what it ended with instead,
    `stopped` whether somebody here ended it.
    """

    read_only = False

    def __init__(self, make: Callable[[], Orchestrator]) -> None:
        self._make = make
        self._orchestrator = make()
        self.cascade = self._orchestrator.cascade
        self.project = self._orchestrator.project
        self.config = self._orchestrator.config
        self.engine = EngineState.RUNNING
        self.error = ""
        self.result: RunResult | None = None
        self.failure: Exception | None = None
        self.stopped = False
        self._events: deque[Event] = deque()
        self._notices: deque[Notice] = deque()
        self._reset = self._engine_changed = False
        self._thread: threading.Thread | None = None
        self._history: Database | None = None

    @property
    def tasks(self) -> Mapping[str, TaskState]:
        return self._orchestrator.store.tasks

    @property
    def run(self) -> RunState:
        return self._orchestrator.store.run

    @property
    def project_state(self) -> ProjectState:
        return self._orchestrator.store.project

    @property
    def jobs(self) -> int:
        return self._orchestrator.max_workers

    @property
    def rev(self) -> int:
        return self._orchestrator.store.rev

    def start(self) -> None:
        self._launch(None)

    @property
    def was_stopped(self) -> bool:
        return self.stopped

    def _launch(self, first: Command | None) -> None:
        again = self._thread is not None
        self.engine = EngineState.RUNNING
        self.result, self.failure, self.stopped = None, None, False
        self._engine_changed = True
        self._thread = threading.Thread(target=self._run, args=(first, again), name="engine", daemon=True)
        self._thread.start()

    def _run(self, first: Command | None, again: bool) -> None:
        """The engine's thread, from its start to its end; a crash becomes a line on the screen."""
        try:
            if again:
                self._orchestrator = self._make()
                self._reset = True
            if first is not None:
                self._answer(self._orchestrator.apply(first))
            self._unpause()
            self._orchestrator.subscribe(self._events.append)
            self.result = self._orchestrator.run()
            self.engine = EngineState.FINISHED
        except NovaError as error:
            self.failure = error
            self.error = f"{error.message}" + (f" ({error.hint})" if error.hint else "")
            self.engine = EngineState.CRASHED
        except Exception as error:
            self.failure = error
            self.error, self.engine = f"internal error: {error!r}", EngineState.CRASHED
        self._engine_changed = True

    def _unpause(self) -> None:
        """Whoever starts an engine here wants it to run: a pause that is older than the engine is over."""
        if self._orchestrator.store.run.paused:
            self._orchestrator.apply(Command(CommandKind.RESUME))
            if self._orchestrator.get_ready_tasks():
                self._notices.append(Notice(True, _WAS_PAUSED))

    def _answer(self, reply: object) -> None:
        self._notices.append(Notice(bool(getattr(reply, "ok", False)), str(getattr(reply, "message", reply))))

    def poll(self) -> Update:
        events = _drain(self._events)
        reset, self._reset = self._reset, False
        changed, self._engine_changed = self._engine_changed, False
        ids = frozenset(e.task for e in events if e.task is not None)
        return Update(ids, events, _drain(self._notices), reset, changed)

    def send(self, command: Command) -> None:
        if self._thread is not None and self._thread.is_alive():
            self.stopped |= command.kind is CommandKind.STOP
            self._orchestrator.post(command, self._answer)
        elif command.kind in (CommandKind.STOP, CommandKind.JOBS, CommandKind.CANCEL, CommandKind.PAUSE):
            self._notices.append(Notice(False, "nothing is running"))
        else:
            self._launch(command)

    def go_on(self) -> None:
        if self.engine is not EngineState.RUNNING:
            self._launch(None)

    def attempts(self, task_id: str) -> list[AttemptRow]:
        self._history = self._history or _open_history(self.project)
        return self._history.attempts(task_id) if self._history else []

    def spans(self) -> list[Span]:
        self._history = self._history or _open_history(self.project)
        return self._history.spans(self.run.id) if self._history else []

    def past(self, before: int, most: int) -> list[Event]:
        self._history = self._history or _open_history(self.project)
        return self._history.events_before(before, most, _QUIET) if self._history else []

    def snapshot(self) -> Snapshot:
        """What is so right now; safe from any thread."""
        return self._orchestrator.snapshot()

    def stop(self, *, kill: bool = False) -> None:
        """End the workers gracefully, or at once; the engine ends when they have."""
        self.stopped = True
        self._orchestrator.stop(kill)

    def detach(self) -> None:
        """Let the engine go while its workers live on, and wait until it has written everything down."""
        self._orchestrator.detach()
        self.join(10.0)

    def join(self, timeout: float) -> bool:
        """Wait for the engine's thread; True if it is over."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def close(self) -> None:
        if self._thread is None:
            self._orchestrator.close()
        if self._history:
            self._history.close()


class AttachedSource:
    """Follows a run by its files: the state once, then the events. With `control`, commands go to its engine's inbox.

    Raises `EnvironmentProblem` if nothing has run in the project, `InputError` if its plan cannot be read.
    """

    def __init__(self, project: Project, config: Config, *, control: bool = False) -> None:
        self.project = project
        self.config = config
        self.read_only = not control
        self.error = ""
        self._manager = StateManager(project.state_file)
        self._state = self._load()
        self.cascade = parse_cascade(project.root / self._state.project.cascade_file)
        self.engine = EngineState.GONE
        self._history: Database | None = None
        self._tasks: dict[str, TaskState] = {}
        self._take(self._state)
        self._notices: deque[Notice] = deque()
        self._next_look = 0.0
        self._starting = False

    def _load(self) -> State:
        try:
            return self._manager.adopt()
        except FileNotFoundError:
            raise EnvironmentProblem(
                f"{self.project.root}: nothing has run here", hint="`nova run` starts a plan"
            ) from None

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
        return 0

    @property
    def rev(self) -> int:
        return self._rev

    def start(self) -> None:
        self._look()

    def poll(self) -> Update:
        before, reset = self.engine, False
        if time.monotonic() >= self._next_look:
            reset = self._look()
        events = self._follow()
        for event in events:
            self._apply(event)
        ids = frozenset(e.task for e in events if e.task is not None)
        return Update(ids, events, _drain(self._notices), reset, self.engine != before)

    def _look(self) -> bool:
        """See whether an engine is there and, if none is, whether somebody edited the state; True if all is new."""
        self._next_look = time.monotonic() + _LOOK
        alive = engine_alive(self.project.lock_file) is not None
        self.engine = EngineState.RUNNING if alive else EngineState.GONE
        if self._history is None:
            self._history = _open_history(self.project)
        if alive or not self._manager.changed_outside():
            return False
        with contextlib.suppress(NovaError, FileNotFoundError):
            state = self._manager.adopt()
            if state.run.id != self._run.id or state.rev >= self._rev:
                self._take(state)
                return True
        return False

    def _follow(self) -> tuple[Event, ...]:
        if self._history is None:
            return ()
        with contextlib.suppress(Exception):  # a history that was put aside is opened anew at the next look
            return tuple(self._history.events_since(self._rev))
        self._history = None
        return ()

    def _apply(self, event: Event) -> None:
        self._rev = event.rev
        if event.task is None:
            self._run = patched(self._run, event.patch, True)
            self._project_state = patched(self._project_state, event.patch, True)
        elif event.patch.get("removed"):
            self._tasks.pop(event.task, None)
        else:
            self._tasks[event.task] = patched(self._tasks.get(event.task, _NEW), event.patch, True)

    @property
    def was_stopped(self) -> bool:
        return False

    def say(self, text: str) -> None:
        """Tell the person something with the next `poll`."""
        self._notices.append(Notice(True, text))

    def send(self, command: Command) -> None:
        if self.read_only:
            self._notices.append(Notice(False, LOOKING))
            return
        threading.Thread(target=self._deliver, args=(command,), daemon=True).start()

    def _deliver(self, command: Command) -> None:
        from nova_core.desk import apply_offline
        from nova_core.inbox import send_command

        try:
            alive = engine_alive(self.project.lock_file) is not None
            reply = send_command(self.project.inbox_dir, command) if alive else apply_offline(self.project, command)
            text = reply.message if reply else "the engine did not answer"
            if reply and reply.ok and not alive and command.kind in _TO_RUN and not self._starting:
                text += "; nothing runs: p goes on"
            self._notices.append(Notice(bool(reply and reply.ok), text))
        except (NovaError, OSError) as error:
            self._notices.append(Notice(False, str(error)))

    def go_on(self) -> None:
        if self.read_only:
            self._notices.append(Notice(False, LOOKING))
        elif not self._starting:
            self._starting = True
            threading.Thread(target=self._start_engine, daemon=True).start()

    def _start_engine(self) -> None:
        """An engine in the background, as `nova run --detach` starts it."""
        from nova_core.cli.detach import start_engine
        from nova_core.desk import apply_offline

        try:
            goes_on = _WAS_PAUSED if self._run.paused else "goes on"
            if self._run.paused:
                apply_offline(self.project, Command(CommandKind.RESUME))
            _, _, said = start_engine(self.project, ("run", "--no-ui", "--", self._project_state.cascade_file))
            self._notices.append(Notice(not said, said.partition("\n")[0] or f"{goes_on}, in the background"))
        except (NovaError, OSError) as error:
            self._notices.append(Notice(False, str(error)))
        self._next_look, self._starting = 0.0, False

    def attempts(self, task_id: str) -> list[AttemptRow]:
        return self._history.attempts(task_id) if self._history else []

    def spans(self) -> list[Span]:
        self._history = self._history or _open_history(self.project)
        return self._history.spans(self._run.id) if self._history else []

    def past(self, before: int, most: int) -> list[Event]:
        return self._history.events_before(before, most, _QUIET) if self._history else []

    def close(self) -> None:
        if self._history:
            self._history.close()


def go_on_line(plan: str) -> str:
    """What to type to go on with the run of a plan."""
    return "nova run" if plan in ("", "CASCADE.md") else f"nova run {shlex.quote(plan)}"


def _open_history(project: Project) -> Database | None:
    with contextlib.suppress(EnvironmentProblem):
        return Database(project.database, read_only=True)
    return None


def _drain(queue: deque[_T]) -> tuple[_T, ...]:
    items = []
    with contextlib.suppress(IndexError):
        while True:
            items.append(queue.popleft())
    return tuple(items)


def notable(events: Iterable[Event]) -> list[Event]:
    """The events a person wants in a list: not the bookkeeping."""
    return [e for e in events if e.kind not in _QUIET]


_QUIET = {EventKind.TASK_PROGRESS, EventKind.TASK_RUNNING, EventKind.TASK_VERIFYING, EventKind.TASK_BLOCKED}
