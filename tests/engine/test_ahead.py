"""Jobs handed ahead of a free slot: none starts after something has changed; until it starts it counts as waiting."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engines import drop, make_engine, report
from fakes import FakeClock, FakeExecutor
from hypothesis import given
from hypothesis import strategies as st

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.executors.base import Ended, EndReason, Job, News
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus


def quick(job: Job) -> Ended:
    """The job ended well, after a millisecond."""
    return Ended(job.key, EndReason.EXIT, code=0, elapsed=0.001)


class Watched(FakeExecutor):
    """Asks `look(job)` whenever a job starts, and notes how many were ever handed ahead at once."""

    def __init__(self, outcome: Any = quick) -> None:
        super().__init__(FakeClock(), outcome)
        self.engine: Orchestrator | None = None
        self.most_waiting = 0
        self.handed = 0
        self.ever: set[str] = set()

    def hand_ahead(self, job: Job, slots: int) -> None:
        super().hand_ahead(job, slots)
        self.handed += 1
        self.ever.add(job.key)
        self.most_waiting = max(self.most_waiting, len(self.waiting))

    def submit(self, job: Job) -> None:
        assert self.engine is not None
        run, task_id = self.engine._run, job.key.partition("@")[0]
        assert not run.parts.store.run.paused, f"{job.key} started while the run was paused"
        assert not self.engine._loop.stopping, f"{job.key} started after the run was stopped"
        state = run.parts.store.tasks[task_id]
        expected = TaskStatus.PENDING if job.key in run.ahead.tasks else TaskStatus.IN_PROGRESS
        assert state.status is expected, f"{job.key} started although it is {state.status}"
        assert not run.parts.board.unmet(task_id)
        super().submit(job)
        assert len(self.running) <= run.admission.jobs, f"{job.key} started without a free slot"


def watched(
    folder: Path, rows: list[tuple[str, str]], outcome: Any = quick, **options: Any
) -> tuple[Orchestrator, Watched]:
    """An engine, and its executor, which looks at every start."""
    executor = Watched(outcome)
    engine, _ = make_engine(folder, rows, executor=executor, **options)
    executor.engine = engine
    return engine, executor


def wide(number: int) -> list[tuple[str, str]]:
    return [(f"T{i}", "-") for i in range(number)]


def test_short_tasks_are_handed_ahead(tmp_path: Path) -> None:
    """After a few short tasks many wait in the holder, and all are done in order, each once."""
    engine, executor = watched(tmp_path, wide(100))
    assert engine.run().completed == 100
    assert executor.handed > 80
    assert 16 <= executor.most_waiting <= 34
    assert [job.key for job in executor.jobs] == [f"T{i}@1" for i in range(100)]
    assert executor.most_running == 2


def test_a_task_handed_ahead_has_not_started(tmp_path: Path) -> None:
    """Its start is recorded when the holder reports it, before its end, with the time of the report's start."""
    engine, _ = watched(tmp_path, wide(40))
    order: list[tuple[str, str | None]] = []
    engine.subscribe(lambda event: order.append((event.kind.value, event.task)))
    engine.run()
    for i in range(40):
        mine = [kind for kind, task in order if task == f"T{i}"]
        assert mine == [EventKind.TASK_STARTED.value, EventKind.TASK_COMPLETED.value]


def test_a_report_that_was_read_late_does_not_move_the_start(tmp_path: Path) -> None:
    """An attempt began no later than its holder says, however late the engine reads of it."""
    executor: Watched
    began: dict[str, float] = {}

    def late(job: Job) -> Ended:
        now = executor.clock.now()
        if job.key in engine._run.ahead.tasks:
            began[job.key.partition("@")[0]] = now
        executor.clock.advance(0.25)  # until the engine reads it
        return Ended(job.key, EndReason.EXIT, code=0, elapsed=0.001, started_at=now)

    engine, executor = watched(tmp_path, wide(30), late)
    engine.run()
    ahead = engine.store.time() - executor.clock.now()  # the run's clock
    assert began
    for task_id, at in began.items():
        assert (engine.store.tasks[task_id].began or 0.0) <= at + ahead + 0.002


def frozen_at(folder: Path, task_id: str) -> tuple[Orchestrator, Watched, list[str]]:
    """An engine whose holder freezes when the task is done, while others wait in it; and the warnings of the run."""
    engine, executor = watched(folder, wide(60))
    warnings: list[str] = []

    def look(event: Event) -> None:
        if event.kind is EventKind.WARNING:
            warnings.append(event.message)
        elif event.kind is EventKind.TASK_COMPLETED and event.task == task_id:
            executor.is_frozen = True

    engine.subscribe(look)
    return engine, executor, warnings


def test_a_frozen_holder_is_waited_for(tmp_path: Path) -> None:
    """This is said once, after ten seconds; when the holder continues, so does the run, and no task runs twice."""
    engine, executor, warnings = frozen_at(tmp_path, "T30")
    began = executor.clock.monotonic()
    thaw = partial(setattr, executor, "is_frozen", False)
    wait = executor.wait

    def wait_or_thaw(timeout: float | None) -> list[News]:
        if executor.is_frozen and executor.clock.monotonic() - began > 60:
            thaw()
        return wait(timeout)

    executor.wait = wait_or_thaw  # type: ignore[method-assign]
    assert engine.run().completed == 60
    assert warnings == ["the holder does not answer: no new tasks start until it does; resume it"]
    assert sorted(job.key for job in executor.jobs) == sorted(f"T{i}@1" for i in range(60))


def test_a_stop_does_not_wait_for_a_frozen_holder(tmp_path: Path) -> None:
    """The next run takes over what it holds."""
    engine, executor, warnings = frozen_at(tmp_path, "T30")
    wait = executor.wait

    def wait_and_stop(timeout: float | None) -> list[News]:
        if executor.is_frozen:
            engine.stop()
        return wait(timeout)

    executor.wait = wait_and_stop  # type: ignore[method-assign]
    result = engine.run()
    assert (result.exit_code, result.completed >= 31, warnings) == (4, True, [])
    following = FakeExecutor(FakeClock())
    following.found = [quick(job) for job in executor.jobs if job.key not in executor.released]
    engine, _ = make_engine(tmp_path, executor=following)
    assert engine.run().completed == 60
    both = [job.key for job in (*executor.jobs, *following.jobs)]
    assert sorted(both) == sorted(f"T{i}@1" for i in range(60))


NOT_HANDED = {"Outputs": "out.txt", "Locks": "db", "Model": "opus", "Success Criteria": "`true`", "Approval": "before"}


@pytest.mark.parametrize("column", NOT_HANDED)
def test_tasks_that_need_more_than_a_slot_are_not_handed_ahead(tmp_path: Path, column: str) -> None:
    """The engine starts them itself, also between others, and nothing is handed ahead beside one that runs."""
    extra = {column: {f"T{i}": NOT_HANDED[column] for i in range(20, 60, 5)}}
    engine, executor = watched(tmp_path, wide(60), extra=extra)
    engine.run()
    assert executor.handed
    assert not {f"T{i}@1" for i in range(20, 60, 5)} & executor.ever


def test_long_tasks_are_not_handed_ahead(tmp_path: Path) -> None:
    """A task that took longer gains nothing by it, and the next ones are chosen when they start."""
    engine, executor = watched(tmp_path, wide(30), lambda job: Ended(job.key, EndReason.EXIT, code=0, elapsed=0.5))
    assert engine.run().completed == 30
    assert executor.handed == 0


def test_nothing_starts_after_a_failure_that_ends_the_run(tmp_path: Path) -> None:
    """With fail_fast, what was handed ahead when the task failed never starts."""

    def outcome(job: Job) -> Ended:
        return Ended(job.key, EndReason.EXIT, code=1 if job.key == "T50@1" else 0, elapsed=0.001)

    engine, executor = watched(tmp_path, wide(100), outcome, config=Config(fail_fast=True, retries=0))
    engine.run()
    started = [job.key for job in executor.jobs]
    assert executor.handed
    assert "T50@1" in started
    assert len(started) <= 52, "only what ran beside it"
    states = engine.store.tasks
    assert all(states[f"T{i}"].status is TaskStatus.PENDING for i in range(52, 100))


def test_a_report_of_a_worker_that_the_engine_does_not_know_yet_is_taken(tmp_path: Path) -> None:
    """A task that was handed ahead may report at once: the engine learns first that it runs."""
    said: list[str] = []
    reported: list[str] = []

    def outcome(job: Job) -> Ended | None:
        if job.key == "T30@1" and not reported:
            reported.append(job.key)
            report(engine, "T30", step="at work")
            return None
        return quick(job)

    engine, _ = watched(tmp_path, wide(60), outcome)
    engine.subscribe(lambda event: said.append(event.message))
    engine.run()
    assert any("at work" in text for text in said)
    assert not any("rejected" in text for text in said)


COMMANDS = st.sampled_from(["pause", "resume", "cancel", "skip", "retry", "jobs", "stop", "message", "edit"])


@given(seed=st.integers(0, 10**9), commands=st.lists(st.tuples(st.integers(0, 60), COMMANDS), max_size=12))
def test_nothing_starts_after_it_was_withdrawn(
    tmp_path_factory: Any, seed: int, commands: list[tuple[int, str]]
) -> None:
    """Whatever comes at whatever moment: no task starts twice, without a slot, before what it needs, or against it."""
    folder, chance = tmp_path_factory.mktemp("ahead"), random.Random(seed)
    number = chance.randint(20, 60)
    rows = [(f"T{i}", f"T{chance.randrange(i)}" if i and chance.random() < 0.3 else "-") for i in range(number)]

    def outcome(job: Job) -> Ended | None:
        if chance.random() < 0.2:
            return None  # it still runs
        return Ended(
            job.key, EndReason.EXIT, code=int(chance.random() < 0.02), elapsed=chance.choice((0.001, 0.001, 0.4))
        )

    engine, executor = watched(folder, rows, outcome, config=Config(retries=1, retry_delay=0.01))
    wait, due, turns = executor.wait, sorted(commands), [0]

    def waiting(timeout: float | None) -> Any:
        turns[0] += 1
        while due and due[0][0] <= turns[0]:
            _do(engine, due.pop(0)[1], chance, number)
        if turns[0] > 2_000:
            engine.stop()
        return wait(timeout)

    executor.wait = waiting  # type: ignore[method-assign]
    apply = engine._run.commands.apply

    def applied(command: Command) -> Any:
        assert not executor.waiting, "nothing is handed ahead while a command is carried out"
        assert not executor.untold, "all that runs is known"
        return apply(command)

    engine._run.commands.apply = applied  # type: ignore[method-assign]
    engine.run()
    assert not executor.waiting
    assert not engine._run.ahead.tasks
    assert len({job.key for job in executor.jobs}) == len(executor.jobs)


def _do(engine: Orchestrator, what: str, chance: random.Random, number: int) -> None:
    ids = tuple(f"T{i}" for i in chance.sample(range(number), 3))
    if what == "message":
        drop(engine, b"{}")
    elif what == "stop":
        engine.stop()
    elif what == "jobs":
        engine.post(Command(CommandKind.JOBS, text=str(chance.randint(1, 5))))
    elif what == "edit":
        engine.project.root.joinpath("CASCADE.md").touch()
    elif what in ("pause", "resume"):
        engine.post(Command(CommandKind(what)))
        if what == "pause":
            engine.post(Command(CommandKind.RESUME))
    else:
        engine.post(Command(CommandKind(what), ids))
