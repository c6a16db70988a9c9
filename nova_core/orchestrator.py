"""The engine, from the plan to the result of its run: what is built for it, who may ask it for what."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from nova_core.agents.pricing import Price, default_prices
from nova_core.clock import Clock, iso
from nova_core.command import Command, CommandKind, Reply
from nova_core.config import Config, load_config
from nova_core.engine.active_workers import ActiveWorker, Turns
from nova_core.engine.admission import Brakes
from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.engine.command_handler import Desk
from nova_core.engine.inbox_reader import Mail
from nova_core.engine.loop import Loop
from nova_core.engine.observers.milestones import read_milestones
from nova_core.engine.observers.observers import keep_status_files, usual_observers
from nova_core.engine.plan_watch import PlanWatch
from nova_core.engine.recovery import accept_plan, recover
from nova_core.engine.replan import Growth
from nova_core.engine.startup import MakeExecutor, limits_of, local_executor, put_aside, require_same_plan, take_lock
from nova_core.errors import EnvironmentProblem, UsageError
from nova_core.executors.base import Executor
from nova_core.files.disk import Disk
from nova_core.files.inbox import Inbox, load_secret
from nova_core.files.project import Project
from nova_core.importers import read_plan
from nova_core.launch.launcher import Launcher
from nova_core.launch.warnings import cautions
from nova_core.model import NoteKind, Task
from nova_core.parser import Cascade
from nova_core.plan.board import Board
from nova_core.plan.phases import unknown_phases, with_settings
from nova_core.plan.scheduler import weights
from nova_core.plan.selection import Selection
from nova_core.plan.sync import as_started
from nova_core.runs.result import RunResult, Snapshot, summarize
from nova_core.state.events import EventKind
from nova_core.state.schema import RunState, TaskStatus
from nova_core.state.store import Listener, Store
from nova_core.text import number_of

_PATIENCE = 1.0  # seconds of a turn that waits for workers to end, or for the disk


class Orchestrator:
    """Runs a plan to its end, or step by step for those who drive it themselves.

    `cascade_file` is the plan; `state_file`'s folder is the project: logs, settings and `.nova` are beside it, tasks
    run in it. Raises `InputError` (a plan or settings that cannot be used; `FileNotFoundError` if missing),
    `RunLockedError` (another engine is alive), `StateError` or `EnvironmentProblem`.
    """

    def __init__(
        self,
        cascade_file: str | os.PathLike[str],
        state_file: str | os.PathLike[str] = "cascade_state.json",
        max_workers: int = 3,
        *,
        config: Config | None = None,
        selection: Selection | None = None,
        fresh: bool = False,
        rerun_changed: bool = False,
        disk: Disk | None = None,
        clock: Clock | None = None,
        make_executor: MakeExecutor = local_executor,
    ) -> None:
        state_path = Path(state_file)
        self.project = Project(state_path.parent, state_path.name)
        self.config = config or load_config(None, environ=os.environ, root=self.project.root)
        self._clock = clock or Clock()
        self._plan = os.fspath(cascade_file)
        self._watch = PlanWatch(self._plan, self._read_plan, self._clock)
        self.cascade = self._read_plan()
        milestones = read_milestones(self.project, self.config, self.cascade)
        self.max_workers = max_workers
        self._disk = disk or Disk()
        self._make_executor = make_executor
        self._lock = take_lock(self.project)
        if fresh:
            put_aside(self.project, self._clock.now(), make_executor, self.config.grace)
        self.store = Store(self.project, self._disk, self._clock)
        self.attempts: Attempts | None = None
        self.active: dict[str, Attempt] = {}
        self._executor: Executor | None = None
        self.turns = Turns()
        try:
            known = self._load(selection or Selection(), rerun_changed)
            project, plan, store = self.project, self.cascade, self.store
            self.observers = usual_observers(project, self.config, plan, store, self._disk, milestones)
            keep_status_files(self.observers, project, plan, store, known, silent=fresh)
            self._require_disk(self.store.flush())
        except BaseException:
            self.close()
            raise
        self._loop: Loop | None = None
        self._posted: deque[tuple[Command, Callable[[Reply], object] | None]] = deque()
        self._brakes = Brakes(self.config, self.store, self._clock)
        self._detached = False

    def _read_plan(self) -> Cascade:
        return with_settings(read_plan(self._plan, self.config.plan), self.config)

    def _load(self, selection: Selection, rerun_changed: bool) -> list[str] | None:
        """Bring store and plan together; the tasks the state had before, None for a new run."""
        store = self.store
        store.load()
        plan = os.path.relpath(self._plan, self.project.root)
        require_same_plan(store, self.cascade, plan)
        self._latest, self.cascade = self.cascade, as_started(self.cascade, store)
        known = list(store.tasks) if store.run.id else None
        if known is None:
            store.run = RunState(id=os.urandom(8).hex())
        store.project = msgspec.structs.replace(store.project, name=self.cascade.name, cascade_file=plan)
        accept_plan(self.cascade, store, rerun_changed=rerun_changed)
        order = weights(self.cascade.dag, self.cascade.tasks, store.database.durations())
        self.board = Board(self.cascade, store, selection, limits_of(self.config, self.cascade), order)
        self.board.leaving = self.cascade.tasks.keys() - self._latest.tasks.keys()
        return known

    def _follow_plan(self, cascade: Cascade) -> None:
        """The plan was changed while it runs."""
        self.cascade = cascade
        self.observers.take_plan(cascade)

    def _require_disk(self, done: bool) -> None:
        if not done:
            hint = "free some space, or see that the folder is writable"
            raise EnvironmentProblem(f"the state cannot be written: {self.store.disk_error}", hint=hint)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every event, on the engine's thread."""
        self.store.listeners.append(listener)

    def post(self, command: Command, answer: Callable[[Reply], object] | None = None) -> None:
        """Ask the engine for something; safe from any thread. `answer` is called on the engine's thread."""
        self._posted.append((command, answer))
        self._wake()

    def stop(self, kill: bool = False) -> None:
        """End the run: start nothing more and end the workers gracefully; again, or with `kill`: at once.

        Safe in a signal handler. What was interrupted will run again in the next run.
        """
        self._brakes.stops += 2 if kill else 1
        self._wake()

    def detach(self) -> None:
        """Leave the run: the workers go on, and the next engine takes them over; safe from any thread."""
        self._detached = True
        self._wake()

    def _wake(self) -> None:
        if self._executor is not None:
            self._executor.wake()

    def snapshot(self) -> Snapshot:
        """What is so right now, immutable; safe from any thread."""
        return Snapshot.of(self.cascade, self.store.snapshot(), self.max_workers, self._clock.now())

    @property
    def active_workers(self) -> Mapping[str, ActiveWorker]:
        """The workers in flight right now, by task id."""
        return {task_id: ActiveWorker(self, attempt) for task_id, attempt in self.active.copy().items()}

    def get_ready_tasks(self) -> list[str]:
        """Ids that are pending with all dependencies completed, in plan order, as the state file has it now."""
        self.board.merge_outside()
        return self.board.ready()

    def start_worker(self, task_id: str) -> ActiveWorker:
        """Start one task now, whatever the limits. Raises `UsageError` if it is not ready."""
        if task_id not in self.get_ready_tasks():
            raise UsageError(f"{task_id} is not ready to start", hint=f"`nova why {task_id}` tells what it waits for")
        with self.turns.taken():
            self._begin()
            assert self.attempts is not None
            self.board.take(task_id)
            return ActiveWorker(self, self.attempts.start(task_id))

    def monitor_workers(self, timeout: float = 0.0) -> None:
        """Take in what happened to the running workers, waiting up to `timeout` seconds for something to happen."""
        with self.turns.taken():
            self._begin().turn(timeout, start=False)
            self.store.flush()

    def get_status_summary(self) -> dict[str, int]:
        """Counts: total_tasks, completed, failed, in_progress, pending, active_workers."""
        self.board.merge_outside()
        counts = dict.fromkeys(("completed", "failed", "in_progress", "pending"), 0)
        tasks = [task for task in self.cascade.tasks.values() if not task.gate]
        for task in tasks:
            counts[self.board.state(task.id).status.value] += 1
        return {"total_tasks": len(tasks), **counts, "active_workers": len(self.active)}

    def run(self, check_interval: float = 2.0, max_iterations: int | None = None) -> RunResult:
        """Run until nothing more can start and nothing runs; never sleeps longer than `check_interval` seconds.

        An exit wakes it at once. Workers go on when `max_iterations` turns are over, or Ctrl-C breaks it off.
        """
        self._started = self._clock.monotonic()
        with self.turns.taken(), closing(self):
            loop = self._begin()
            turns = 0
            while not (self._detached or loop.is_over()) and (max_iterations is None or turns < max_iterations):
                loop.turn(check_interval)
                turns += 1
            return self._finish(loop)

    def apply(self, command: Command) -> Reply:
        """Carry out a command now, on the calling thread; with an engine running, `post` it instead."""
        if command.kind is CommandKind.JOBS:
            return self._set_jobs(command.text)
        if command.kind is CommandKind.STOP:
            self.stop(command.kill)
            return Reply(True, "stopping")
        return Desk(self.board, self.attempts).apply(command)

    def cancel_without_engine(self, command: Command) -> Reply:
        """End workers that an engine left behind when it died, and wait until they are gone."""
        loop = self._begin(launch=False)
        reply = self.apply(command)
        while any(task_id in self.active for task_id in command.ids or self.active):
            loop.turn(_PATIENCE, start=False)
        self.store.flush()
        return reply

    def see_to(self, command: Command) -> None:
        """Take a turn, for a command that was posted; once closed, end its workers with another engine on the run."""
        if self._executor is not None:
            self.monitor_workers(_PATIENCE)
            return
        files = self._plan, self.project.state_file
        with closing(Orchestrator(*files, config=self.config, make_executor=self._make_executor)) as other:
            other.cancel_without_engine(command)
        for task_id in command.ids:
            self.active.pop(task_id, None)

    def close(self) -> None:
        """Let go of the run; workers that are alive go on, and the next engine takes them over."""
        if self._executor is not None:
            self._executor.close()
            self._executor = None
        if hasattr(self, "observers"):
            self.observers.close()
        if hasattr(self, "store"):
            self.store.close()
        self._lock.close()

    def _begin(self, launch: bool = True) -> Loop:
        """Take over what an earlier engine left; with `launch`, open the run."""
        if self._loop is not None:
            return self._loop
        secret = load_secret(self.project.secret_file)
        launcher = Launcher(self.project, self.config, self.cascade.name, self.store.run.id, secret, self.cascade.tasks)
        if launch:
            self.require_commands()
            launcher.prepare(self._open_tasks())
        environment = launcher.base_environment(os.environ)
        executor = self._executor = self._make_executor(self.project, self.store.run.id, environment)
        prices = {**default_prices(), **self.config.prices}
        attempts = self.attempts = Attempts(
            self.project, self.board, executor, launcher, self.config, prices, self._clock, self._disk
        )
        self.store.held = self.active = attempts.active
        growth = Growth(self.board, launcher, self.config, self._watch, self._latest, self._follow_plan)
        mail = Mail(Inbox(self.project.inbox_dir, self._disk), self.store, attempts, secret, self.apply)
        self._loop = Loop(
            self.board, executor, attempts, mail, growth, self.observers, self._brakes, self._clock,
            workers=lambda: self.max_workers, obey=self._obey_posted,
        )  # fmt: skip
        if launch:
            self.observers.begin()
            self._announce(prices)
        attempts.quotas.forget_blocks()
        left = executor.recover()
        executor.prepare()
        found = recover(self.board, attempts, executor, left)
        mail.read()
        for report in found:
            attempts.handle(report)
        self.board.rebuild()
        self._require_disk(self.store.flush())
        return self._loop

    def require_commands(self) -> None:
        """Raise `EnvironmentProblem` if what the tasks run that are left is not there; `run` does so first of all."""
        launcher = Launcher(self.project, self.config, self.cascade.name, "", b"", ())
        launcher.require_commands(self._open_tasks(), self.cascade.path)

    def _open_tasks(self) -> list[Task]:
        open_ids = (i for i in self.board.work if self.board.state(i).status is not TaskStatus.COMPLETED)
        return [self.cascade.tasks[i] for i in sorted(open_ids, key=self.cascade.dag.index.__getitem__)]

    def _announce(self, prices: Mapping[str, Price]) -> None:
        """Say that the run begins, and what to know of it."""
        store = self.store
        open_tasks = (self.cascade.tasks[i] for i in self.board.work)
        lacking = (str(note) for note in self.cascade.notes if note.kind is NoteKind.UNRESOLVED)
        unknown = unknown_phases(self.cascade, self.config)
        for warning in (*store.warnings, *unknown, *lacking, *cautions(self.config, open_tasks, prices)):
            store.record(EventKind.WARNING, None, warning)
        started = store.project.started_at or iso(self._clock.now())
        tasks, workers = number_of(len(self.board.work), "task"), number_of(self.max_workers, "worker")
        text = f"{self.cascade.name}: {tasks}, {workers}"
        of_run = {"name": self.cascade.name, "started_at": started, "completed_at": None, "id": store.run.id}
        store.record(EventKind.RUN_STARTED, None, text, **of_run)

    def _obey_posted(self) -> None:
        while self._posted:
            command, answer = self._posted.popleft()
            reply = self.apply(command)
            if answer is not None:
                answer(reply)

    def _set_jobs(self, text: str) -> Reply:
        if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text)):
            return Reply(False, f"not a number of workers: {text[:80]}")
        self.max_workers = int(text)
        return Reply(True, number_of(self.max_workers, "worker"))

    def _finish(self, loop: Loop) -> RunResult:
        store = self.store
        self.observers.turn()
        self.observers.look()
        result = summarize(
            self.board.counted, store.snapshot(), self._clock.monotonic() - self._started, self._clock.now(),
            stopped=bool(loop.stopping), over_budget=self._brakes.over_budget,
        )  # fmt: skip
        done = all(self.board.state(i).status is TaskStatus.COMPLETED for i in self.cascade.tasks)
        over = iso(self._clock.now()) if done else None
        left = {"handed_over": True} if self._detached else {}
        store.record(EventKind.RUN_ENDED, None, result.line(), completed_at=over, **left)
        while not store.flush() and not self._brakes.disk_is_hopeless():
            loop.turn(_PATIENCE, start=False)
        self._require_disk(not store.disk_error)
        before = self._brakes.stops, self._detached
        self.observers.finish(None if before[1] else result, lambda: (self._brakes.stops, self._detached) != before)
        return result


if __name__ == "__main__":  # as a program it is a face, and may know the others: `nova run` without the interface
    from nova_core.cli.app import run_cli

    about = "Run the plan and print its progress, as `nova run --no-ui` does."
    sys.exit(run_cli(["--no-ui", *sys.argv[1:]], "python -m nova_core.orchestrator", "run", about))
