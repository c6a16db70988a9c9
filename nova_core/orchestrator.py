"""The engine as a library: runs a plan to its end, or step by step, and carries out commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from nova_core.clock import Clock
from nova_core.command import Command, Reply
from nova_core.config import Config, load_config
from nova_core.engine.active_workers import ActiveWorker, Turns
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.loop import Loop
from nova_core.engine.observers.observers import Observers
from nova_core.engine.run import open_run
from nova_core.engine.startup import Host, RunOptions
from nova_core.errors import UsageError
from nova_core.files.project import Project
from nova_core.parser import Cascade
from nova_core.plan.board import Board
from nova_core.runs.result import RunResult, Snapshot
from nova_core.state.store import Listener, Store

_PATIENCE = 1.0  # seconds of a turn that waits for workers to end


class Orchestrator:
    """Runs a plan to its end, or step by step for a program that drives it.

    `cascade_file` is the plan. The folder of `state_file` is the project: logs, settings and `.nova` are in it, and
    tasks run in it. If `cascade_state.json` belongs to another plan, this one has a place in `.nova/plans`. Raises
    `InputError` (the plan or the settings cannot be used; `FileNotFoundError` if missing), `RunLockedError` (another
    engine is running), `StateError` or `EnvironmentProblem`.
    """

    def __init__(
        self,
        cascade_file: str | os.PathLike[str],
        state_file: str | os.PathLike[str] = "cascade_state.json",
        max_workers: int = 3,
        *,
        config: Config | None = None,
        options: RunOptions | None = None,
        host: Host | None = None,
    ) -> None:
        project = Project.of_state_file(Path(state_file))
        self.config = config or load_config(None, environ=os.environ, root=project.root)
        self._plan = os.fspath(cascade_file)
        self._host = host or Host()
        options = options or RunOptions()
        self._run = open_run(self._plan, project, self.config, max_workers, options, self._host)
        self._loop = Loop(self._run, attended=options.attended)
        self._is_closed = False
        self.turns = Turns()

    @property
    def cascade(self) -> Cascade:
        """The current plan."""
        return self.board.cascade

    @property
    def project(self) -> Project:
        """The project, at the place of the plan."""
        return self._run.parts.project

    @property
    def board(self) -> Board:
        """The board, which knows what could start now."""
        return self._run.parts.board

    @property
    def store(self) -> Store:
        """The store, which holds the state of the run."""
        return self._run.parts.store

    @property
    def is_closed(self) -> bool:
        """True once the run is released."""
        return self._is_closed

    @property
    def clock(self) -> Clock:
        """The clock of the run."""
        return self._host.clock

    @property
    def observers(self) -> Observers:
        """The observers of the run; more may be added."""
        return self._run.observers

    @property
    def active(self) -> dict[str, Attempt]:
        """The running attempts, by task id."""
        return self._run.parts.active

    @property
    def max_workers(self) -> int:
        """The highest number of tasks that run at once."""
        return self._run.admission.jobs

    @max_workers.setter
    def max_workers(self, number: int) -> None:
        self._run.admission.jobs = number

    # from any thread

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every event, on the engine's thread."""
        self.store.listeners.append(listener)

    def post(self, command: Command, answer: Callable[[Reply], object] | None = None) -> None:
        """Post a command to the engine; safe from any thread. `answer` is called on the engine's thread."""
        self._run.commands.posted.append((command, answer))
        self._wake()

    def untaken(self) -> list[Command]:
        """Takes back the posted commands that no turn has carried out; on the engine's thread, after `run`."""
        posted, untaken = self._run.commands.posted, []
        while posted:
            untaken.append(posted.popleft()[0])
        return untaken

    def stop(self, kill: bool = False) -> None:
        """End the run: start no tasks and end the workers gracefully; the second time, or with `kill`, immediately.

        Safe in a signal handler. Interrupted tasks run again in the next run.
        """
        self._run.admission.stop(kill)
        self._wake()

    def detach(self) -> None:
        """Leave the run: workers continue, and the next engine takes them over; safe from any thread."""
        self._loop.detached = True
        self._wake()

    def _wake(self) -> None:
        if not self._is_closed:
            self._run.parts.executor.wake()

    def snapshot(self) -> Snapshot:
        """Returns the current state, immutable; safe from any thread."""
        return Snapshot.of(self.cascade, self.store.snapshot(), self.max_workers, self.store.time())

    # step by step

    @property
    def active_workers(self) -> Mapping[str, ActiveWorker]:
        """The running workers, by task id."""
        return {task_id: ActiveWorker(self, attempt) for task_id, attempt in self.active.copy().items()}

    def get_ready_tasks(self) -> list[str]:
        """Returns the pending tasks whose dependencies are completed, in plan order, from the current state file."""
        self.store.settle()
        self.board.merge_outside()
        return self.board.ready()

    def start_worker(self, task_id: str) -> ActiveWorker:
        """Start one task now, regardless of limits. Raises `UsageError` if it is not ready."""
        if task_id not in self.get_ready_tasks():
            raise UsageError(f"{task_id} is not ready to start", hint=f"see `nova why {task_id}`")
        with self.turns.taken():
            self._begin()
            self._run.ahead.recall()
            self.board.take(task_id)
            attempt = self._run.starter.start(task_id)
            self.store.commit()
            return ActiveWorker(self, attempt)

    def monitor_workers(self, timeout: float = 0.0) -> None:
        """Handle what happened to the running workers, waiting up to `timeout` seconds for something to happen."""
        with self.turns.taken():
            self._begin().turn(timeout, start=False)
            self.store.flush()

    def _begin(self) -> Loop:
        self._loop.begin()
        return self._loop

    def get_status_summary(self) -> dict[str, int]:
        """Returns the counts total_tasks, completed, failed, in_progress, pending, active_workers."""
        self.store.settle()
        self.board.merge_outside()
        counts = dict.fromkeys(("completed", "failed", "in_progress", "pending"), 0)
        tasks = [task for task in self.cascade.tasks.values() if not task.gate]
        for task in tasks:
            counts[self.board.state(task.id).status.value] += 1
        return {"total_tasks": len(tasks), **counts, "active_workers": len(self.active)}

    # the run

    def require_commands(self) -> None:
        """Raise `EnvironmentProblem` if a command or agent of a remaining task is missing; `run` checks this first."""
        self._run.require_commands()

    def run(self, check_interval: float = 2.0, max_iterations: int | None = None) -> RunResult:
        """Run until no task runs and no more can start; a turn sleeps at most `check_interval` seconds.

        The end of a worker wakes it immediately. Workers continue after `max_iterations` turns, or if Ctrl-C interrupts
        the run.
        """
        with self.turns.taken(), closing(self):
            return self._loop.run(check_interval, max_iterations)

    def apply(self, command: Command) -> Reply:
        """Carry out a command now, on the calling thread; while an engine runs, use `post` instead."""
        self._run.ahead.recall()  # a listener may call this while a run is on
        return self._run.commands.apply(command)

    def cancel_without_engine(self, command: Command) -> Reply:
        """End workers that a dead engine left behind, and wait until they are gone."""
        self._loop.begin(announced=False)
        reply = self.apply(command)
        while any(task_id in self.active for task_id in command.ids or self.active):
            self._loop.turn(_PATIENCE, start=False)
        self.store.flush()
        return reply

    def see_to(self, command: Command) -> None:
        """Take a turn for a posted command; once closed, end the command's workers with a second engine on the run."""
        if not self._is_closed:
            self.monitor_workers(_PATIENCE)
            return
        files = self._plan, self.project.state_file
        only_ends = RunOptions(renew=False)
        with closing(Orchestrator(*files, config=self.config, options=only_ends, host=self._host)) as other:
            other.cancel_without_engine(command)
        for task_id in command.ids:
            self.active.pop(task_id, None)

    def close(self) -> None:
        """Release the run; workers continue, and the next engine takes them over."""
        self._is_closed = True
        self._run.close()


if __name__ == "__main__":  # run as a program, it may import the command line: `nova run` without the interface
    from nova_core.cli.app import run_cli

    about = "Run the plan and print its progress, as `nova run --no-ui` does."
    sys.exit(run_cli(["--no-ui", *sys.argv[1:]], "python -m nova_core.orchestrator", "run", about))
