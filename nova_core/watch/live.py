"""A run whose engine runs in a thread of this process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping

from nova_core.command import OF_TERMINALS, Command, CommandKind, Reply
from nova_core.errors import NovaError, UncommittedError
from nova_core.orchestrator import Orchestrator
from nova_core.runs.outlook import Latest
from nova_core.runs.result import RunResult, Snapshot
from nova_core.runs.worktime import Span
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event
from nova_core.state.schema import ProjectState, RunState, TaskState
from nova_core.threads import start_thread
from nova_core.watch.history_reader import HistoryReader
from nova_core.watch.source import WAS_PAUSED, EngineState, Notice, Update, drain


class LiveSource:
    """Runs the engine in a thread of this process.

    `make` builds an engine: immediately, and again if a command reopens an ended run. Raises what `make` raises.
    `settle` gives later engines another setting for uncommitted files.
    `result` is the result of the last run, or `failure` its error; `stopped` is True if a person ended it here.
    """

    read_only = False
    owns_engine = True

    def __init__(self, make: Callable[[], Orchestrator], settle: Callable[[str], None] | None = None) -> None:
        self._make = make
        self._settle = settle
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
        self._gate = threading.Lock()
        self._takes = False  # the engine takes commands: it is made, and has not ended
        self._late: deque[Command] = deque()  # for an engine that begins, or has just ended
        self._past = HistoryReader(self.project)

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
        self.result, self.failure, self.error, self.stopped = None, None, "", False
        self._engine_changed = True
        self._thread = threading.Thread(target=self._run, args=(first, again), name="engine", daemon=True)
        start_thread(self._thread)

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
            self._open()
            self.result = self._orchestrator.run()
            self._shut()
            self.engine = EngineState.FINISHED
        except NovaError as error:
            self._fail(error, f"{error.message}" + (f" ({error.hint})" if error.hint else ""))
        except Exception as error:
            self._fail(error, f"internal error: {error!r}")
        self._engine_changed = True

    def _fail(self, failure: Exception, words: str) -> None:
        self._shut()
        self._late.clear()
        self.failure, self.error, self.engine = failure, words, EngineState.CRASHED

    def _open(self) -> None:
        """Let the engine take commands, first those that came while it was made."""
        with self._gate:
            self._takes = True
            for command in drain(self._late):
                self._post(command)

    def _shut(self) -> None:
        """The engine takes no more commands; `poll` sends those again that came too late for it."""
        with self._gate:
            self._takes = False
            self._late.extend(self._orchestrator.untaken())

    def _unpause(self) -> None:
        """Resume a paused run: starting an engine here means that it should run."""
        if self._orchestrator.store.run.paused:
            self._orchestrator.apply(Command(CommandKind.RESUME))
            if self._orchestrator.get_ready_tasks():
                self._notices.append(Notice(True, WAS_PAUSED))

    def _answer(self, reply: Reply) -> None:
        self._notices.append(Notice(reply.ok, reply.message))

    def _answer_failure(self, reply: Reply) -> None:
        if not reply.ok:
            self._answer(reply)

    def poll(self) -> Update:
        for command in drain(self._late) if self.engine is EngineState.FINISHED else ():
            self.send(command)
        events = drain(self._events)
        reset, self._reset = self._reset, False
        if self._orchestrator.cascade is not self.cascade:
            self.cascade, reset = self._orchestrator.cascade, True
        changed, self._engine_changed = self._engine_changed, False
        ids = frozenset(e.task for e in events if e.task is not None)
        return Update(ids, events, drain(self._notices), reset, changed)

    def send(self, command: Command) -> None:
        if self._thread is not None and self.engine is EngineState.RUNNING:
            self.stopped |= command.kind is CommandKind.STOP
            with self._gate:
                if self._takes:
                    self._post(command)
                else:
                    self._late.append(command)
        elif command.kind in (*OF_TERMINALS, CommandKind.STOP, CommandKind.JOBS, CommandKind.CANCEL, CommandKind.PAUSE):
            self._notices.append(Notice(False, "no engine running"))
        else:
            self._launch(command)

    def _post(self, command: Command) -> None:
        is_key = command.kind in OF_TERMINALS
        self._orchestrator.post(command, self._answer_failure if is_key else self._answer)

    @property
    def uncommitted(self) -> tuple[str, ...]:
        return self.failure.files if isinstance(self.failure, UncommittedError) else ()

    def go_on(self, uncommitted: str = "") -> None:
        if uncommitted and self._settle is not None:
            self._settle(uncommitted)
        if self.engine is not EngineState.RUNNING:
            self._launch(None)

    def attempts(self, task_id: str) -> list[AttemptRow]:
        return self._past.attempts(task_id)

    def spans(self) -> list[Span]:
        return self._past.spans(self.run.id)

    def latest(self) -> list[Latest]:
        return self._past.latest()

    def past(self, before: int, most: int) -> list[Event]:
        return self._past.events_before(before, most)

    def snapshot(self) -> Snapshot:
        """Returns the current state; safe from any thread."""
        return self._orchestrator.snapshot()

    def stop(self, *, kill: bool = False) -> None:
        """End the workers gracefully, or immediately with `kill`; the engine ends after them."""
        self.stopped = True
        self._orchestrator.stop(kill)

    def detach(self) -> None:
        """End the engine without its workers, and wait until it has written its state."""
        self._orchestrator.detach()
        self.join(10.0)

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the engine's thread; returns True if it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def close(self) -> None:
        if self._thread is None:
            self._orchestrator.close()
        self._past.close()
