"""A run: its parts, and the objects that work on them."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from functools import partial
from typing import Any

import msgspec

from nova_core.agents.pricing import default_prices
from nova_core.clock import Clock
from nova_core.config import AGENT_IDLE, Config
from nova_core.engine.admission import Admission
from nova_core.engine.ahead import Ahead
from nova_core.engine.attempts.budget import Budget
from nova_core.engine.attempts.changed_files import ChangedFiles
from nova_core.engine.attempts.criteria import CriteriaRunner
from nova_core.engine.attempts.evidence import Evidence
from nova_core.engine.attempts.finish import Finisher
from nova_core.engine.attempts.inputs import MissingInputs
from nova_core.engine.attempts.job_slots import JobSlots, NoSlots, open_slots
from nova_core.engine.attempts.judge import Judge
from nova_core.engine.attempts.ledger import Ledger
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.engine.attempts.own_trees import OwnTrees
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.rate_limits import RateLimits
from nova_core.engine.attempts.retries import Retries
from nova_core.engine.attempts.starter import Starter
from nova_core.engine.belongings import Belongings
from nova_core.engine.command_handler import CommandHandler
from nova_core.engine.copies import part_from_original, reset_copied
from nova_core.engine.inbox_reader import InboxReader
from nova_core.engine.observers.milestones import read_milestones
from nova_core.engine.observers.observers import Observers, keep_status_files, usual_observers
from nova_core.engine.recovery import recover
from nova_core.engine.renewal import renew
from nova_core.engine.replan import PlanWatch, Replanner
from nova_core.engine.startup import Host, RunOptions, limits_of, put_aside, require_disk, take_place
from nova_core.engine.trees.trees import Helpers, Trees
from nova_core.errors import EnvironmentProblem
from nova_core.files.inbox import load_secret
from nova_core.files.lock import RunLock
from nova_core.files.project import Project
from nova_core.files.variants import unread
from nova_core.holder.safe_open import is_passing
from nova_core.importers import read_plan
from nova_core.launch.launcher import Launcher
from nova_core.launch.make_flags import without_jobserver
from nova_core.launch.warnings import cautions
from nova_core.model import NoteKind, Task
from nova_core.parser import Cascade
from nova_core.plan.board import Board
from nova_core.plan.left_out import left_out, left_out_line
from nova_core.plan.phases import unknown_phases, with_settings
from nova_core.plan.scheduler import weights
from nova_core.plan.sync import accept_plan, as_started
from nova_core.state.events import EventKind
from nova_core.state.run_clock import continued
from nova_core.state.schema import RunState, TaskStatus
from nova_core.state.store import Store
from nova_core.text import duration, number_of


class Run(msgspec.Struct, frozen=True):
    """One run of a plan. It holds the project's lock until it is closed; nothing starts before `begin`."""

    parts: Parts
    observers: Observers
    budget: Budget
    retries: Retries
    inputs: MissingInputs
    rate_limits: RateLimits
    finisher: Finisher
    criteria: CriteriaRunner
    starter: Starter
    attempts: Attempts
    admission: Admission
    ahead: Ahead
    commands: CommandHandler
    inbox: InboxReader
    replanner: Replanner
    belongings: Belongings
    trees: Trees
    resources: ExitStack

    def open_tasks(self) -> list[Task]:
        """Returns the selected tasks that are not completed, in plan order."""
        board = self.parts.board
        open_ids = (i for i in board.work if board.state(i).status is not TaskStatus.COMPLETED)
        return [board.task(i) for i in sorted(open_ids, key=board.dag.index.__getitem__)]

    def require_commands(self) -> None:
        """Raise `EnvironmentProblem` if a command or agent of a remaining task, or a price for a budget, is missing."""
        tasks, launcher = self.open_tasks(), self.parts.launcher
        launcher.require_commands(tasks, self.parts.board.cascade.path)
        launcher.require_prices(tasks, self.parts.prices)

    def begin(self, *, announced: bool) -> None:
        """Take over what an earlier engine left; `announced` is False if the run is only taken over to end it."""
        parts = self.parts
        self.inbox.begin()
        if announced:
            self.observers.begin()
            self._announce()
        rev = parts.store.rev
        if self.trees.has_begun:
            require_disk(parts.store, parts.store.commit())  # from where its branch begins
            self.trees.enter()
        self.rate_limits.forget_blocks()
        self.rate_limits.correct()
        left = parts.executor.recover()
        if not all(map(parts.launcher.agents_of, self.open_tasks())):  # each agent has a holder of its own
            self._prepare()
        found = recover(parts, self.starter, self.criteria, self.rate_limits, left)
        self.inbox.read()
        for report in found:
            self.attempts.handle(report)
        parts.board.asks = announced
        if parts.store.rev != rev or (announced and any(t.approval for t in parts.board.cascade.tasks.values())):
            parts.board.rebuild()
        parts.store.tick()
        require_disk(parts.store, not parts.store.disk_error)

    def _prepare(self) -> None:
        """Let the executor start early what shell jobs need; if the machine has nothing to spare, the first job waits.

        Raises `EnvironmentProblem` if it has, and if this process may have no more files: nobody else closes any.
        """
        try:
            self.parts.executor.prepare()
        except EnvironmentProblem as problem:
            cause = problem.__cause__
            if not is_passing(cause) or (isinstance(cause, OSError) and cause.errno == errno.EMFILE):
                raise

    def _announce(self) -> None:
        """Record the start of the run and its warnings."""
        parts, store, board = self.parts, self.parts.store, self.parts.board
        cascade, work = board.cascade, board.work
        open_tasks = (cascade.tasks[i] for i in work)
        lacking = (str(note) for note in cascade.notes if note.kind is NoteKind.UNRESOLVED)
        unknown = [*unread(parts.project.root), *unknown_phases(cascade, parts.config), *self._left_out()]
        prices = cautions(parts.config, open_tasks, parts.prices)
        for warning in (*store.warnings, *self.trees.warnings, *unknown, *lacking, *prices):
            store.record(EventKind.WARNING, None, warning)
        started = store.project.started_at or parts.clock.stamp()
        text = f"{cascade.name}: {number_of(len(work), 'task')}, {number_of(self.admission.jobs, 'worker')}"
        if parts.config.idle_timeout is None and any(map(parts.launcher.agents_of, self.open_tasks())):
            text += f"; an agent without output for {duration(AGENT_IDLE)} is stopped (idle_timeout)"
        if why := self.trees.why_not:
            text += f"; all work in the project's folder, not in trees of their own: {why}"
        of_run: dict[str, Any] = {
            "name": cascade.name,
            "started_at": started,
            "completed_at": None,
            "id": store.run.id,
            "clock": store.run.clock,
            "run_time": store.time(),
            "jobs": self.admission.jobs,
        }
        if (git := self.trees.new) is not None:
            of_run["git"] = git
        store.record(EventKind.RUN_STARTED, None, text, **of_run)

    def _left_out(self) -> list[str]:
        """A warning if selected tasks wait for tasks that are not selected."""
        board = self.parts.board
        line = left_out_line(left_out(board.cascade, board.selected, self.parts.store.tasks))
        return [line] if line else []

    def close(self) -> None:
        """Release all resources; running workers continue, and the next engine takes them over."""
        self.resources.close()


def open_run(plan: str, project: Project, config: Config, jobs: int, options: RunOptions, host: Host) -> Run:
    """Open the run of a plan in a project: locked, with its state updated to the plan.

    Raises `InputError`, `FileNotFoundError`, `RunLockedError`, `StateError` or `EnvironmentProblem`.
    """
    read = partial(_read, plan, config)
    watch = PlanWatch(plan, read, host.clock)
    latest = read()
    milestones = read_milestones(project, config, latest)
    resources = ExitStack()
    try:
        project, lock, origin = take_place(project, plan, latest, host.disk)
        resources.callback(lock.close)
        copied = part_from_original(project, origin) if origin else ""
        if options.fresh:
            put_aside(project, host.clock.now(), host.make_executor, config.grace)
        store = Store(project, host.disk, host.clock, background=host.background)
        resources.callback(store.close)
        store.load()
        if origin:
            store.warnings += filter(None, [copied])
            reset_copied(store, project, config)
        known, board = _load(os.path.relpath(plan, project.root), latest, store, config, options, host.clock)
        observers = usual_observers(project, config, board.cascade, store, host.disk, milestones)
        resources.callback(observers.close)
        keep_status_files(observers, project, board.cascade, store, known, silent=options.fresh)
        require_disk(store, store.found() if known is None else store.flush())
        store.tick()
        secret = load_secret(project.secret_file)
        slots = _slots(project, config, jobs, store)
        resources.callback(lambda: slots.close(len(board.running)))
        parts = _parts(project, config, board, secret, host, slots, jobs)
        resources.callback(parts.executor.close)
        store.writer.wake = parts.executor.wake
        resources.callback(store.settle)
        replanner = Replanner(parts, observers, watch, latest)
        return _assemble(parts, jobs, secret, lock, replanner, resources, host)
    except BaseException:
        resources.close()
        raise


def _read(plan: str, config: Config) -> Cascade:
    return with_settings(read_plan(plan, config.plan), config)


def _load(
    plan: str, latest: Cascade, store: Store, config: Config, options: RunOptions, clock: Clock
) -> tuple[list[str] | None, Board]:
    """Update the loaded store to the plan. Returns the ids the state had (None for a new run), and the board."""
    cascade = as_started(latest, store)
    known = list(store.tasks) if store.run.id else None
    if known is None:
        store.run = RunState(id=os.urandom(8).hex())
    store.run = msgspec.structs.replace(store.run, clock=continued(store.run, store.tasks.values(), clock))
    store.project = msgspec.structs.replace(store.project, name=cascade.name, cascade_file=plan)
    leaving = cascade.tasks.keys() - latest.tasks.keys()
    accept_plan(cascade, store, leaving)
    missed: frozenset[str] = frozenset()
    if options.renew:
        chosen, root = {*options.selection.ids(cascade)}, store.project_paths.root
        missed = renew(cascade, store, root, chosen, rerun_changed=options.rerun_changed)
    order = weights(cascade.dag, cascade.tasks, store.database.durations())
    board = Board(cascade, store, options.selection, limits_of(config, cascade), order)
    board.leaving = leaving
    board.missed = missed
    return known, board


def _slots(project: Project, config: Config, jobs: int, store: Store) -> JobSlots:
    """The slots of the workers; those of an earlier engine may still hold some."""
    if not config.jobserver:
        return NoSlots()
    running = sum(task.is_running for task in store.tasks.values())
    slots, warning = open_slots(project.nova_dir / "jobserver", os.environ, jobs, running)
    if warning:
        store.warnings.append(warning)
    return slots


def _parts(
    project: Project, config: Config, board: Board, secret: bytes, host: Host, slots: JobSlots, jobs: int
) -> Parts:
    store, cascade = board.store, board.cascade
    launcher = Launcher(project, config, cascade.name, store.run.id, secret, cascade.tasks)
    environment = slots.environment(launcher.base_environment(without_jobserver(os.environ)), jobs)
    executor = host.make_executor(project, store.run.id, environment)
    parts = Parts(
        project=project, config=config, store=store, board=board, launcher=launcher, executor=executor,
        prices={**default_prices(), **config.prices}, clock=host.clock, disk=host.disk, active={},
        logs=project.log_names(), slots=slots, trees=OwnTrees(),
    )  # fmt: skip
    store.held = parts.active
    return parts


def _assemble(
    parts: Parts, jobs: int, secret: bytes, lock: RunLock, replanner: Replanner, resources: ExitStack, host: Host
) -> Run:
    retries, budget, changed, inputs = Retries(parts), Budget(parts), ChangedFiles(parts), MissingInputs(parts)
    rate_limits = RateLimits(parts, retries)
    ledger = Ledger(parts, budget, changed)
    evidence = Evidence(parts)
    finisher = Finisher(parts, ledger, rate_limits, retries, budget, evidence)
    criteria = CriteriaRunner(parts, finisher)
    attempts = Attempts(parts, Judge(parts, rate_limits, budget), budget, ledger, criteria, finisher)
    admission = Admission(parts, jobs, budget, inputs, rate_limits, attempts)
    commands = CommandHandler(parts, attempts, rate_limits, admission, evidence)
    belongings = Belongings(parts, lock, secret)
    parts.store.restore = belongings.look
    starter = Starter(parts, rate_limits, changed, finisher)
    ahead = Ahead(parts, admission, starter)
    inbox = InboxReader(parts, secret, attempts, commands)
    inbox.settle = replanner.settle = ahead.recall
    trees = Trees(parts, Helpers(finisher, criteria, retries, evidence), host.gits, background=host.background)
    resources.callback(trees.close)
    return Run(
        parts=parts, observers=replanner.observers, budget=budget, retries=retries, inputs=inputs,
        rate_limits=rate_limits, finisher=finisher, criteria=criteria,
        starter=starter, attempts=attempts, admission=admission, ahead=ahead, commands=commands, inbox=inbox,
        replanner=replanner, belongings=belongings, trees=trees, resources=resources,
    )  # fmt: skip
