"""The disk fails, or Nova dies, at the n-th change, for n = 1, 2, 3 ... until a run passes (SQLite's method)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from engines import make_engine
from fakes import FakeClock, FakeExecutor, FaultyDisk, JumpingClock, no_space

from nova_core.command import Command, CommandKind
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, EndReason, Job, Report
from nova_core.orchestrator import Orchestrator
from nova_core.state import StateManager
from nova_core.state.schema import TaskStatus

PLAN = [("A", "-"), ("B", "A"), ("C", "A"), ("D", "B, C")]


class Died(BaseException):
    """Stands for a kill: nothing in Nova catches it."""


def die() -> None:
    raise Died


class World:
    """What outlives an engine: which jobs started, how they ended, and the holder's records until they are released."""

    def __init__(self, failing: Iterable[str] = (), clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.began: list[str] = []
        self.records: dict[str, Ended] = {}
        self.failing = set(failing)

    def executor(self) -> FakeExecutor:
        return WorldExecutor(self)


class WorldExecutor(FakeExecutor):
    def __init__(self, world: World) -> None:
        super().__init__(world.clock, self._end)
        self.world = world
        self.found: list[Report] = list(world.records.values())

    def _end(self, job: Job) -> Ended:
        return self.world.records[job.key]

    def submit(self, job: Job) -> None:
        super().submit(job)
        assert job.key not in self.world.began, f"{job.key} was started twice"
        self.world.began.append(job.key)
        code = 1 if job.key in self.world.failing else 0
        now = self.clock.now  # what a holder's stamps show; it measures the seconds
        self.world.records[job.key] = Ended(
            job.key, EndReason.EXIT, code=code, pid=1, started_at=now(), ended_at=now(), elapsed=2.0
        )

    def release(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.world.records.pop(key, None)


def open_engine(
    folder: Path, world: World, disk: FaultyDisk | None = None, *, background: bool = False
) -> Orchestrator:
    """An engine of the world; in the `background` its disk is written by a thread, as outside of tests."""
    rows = None if (folder / "CASCADE.md").exists() else PLAN
    return make_engine(folder, rows, executor=world.executor(), disk=disk, background=background)[0]


def run(engine: Orchestrator) -> int:
    return engine.run().exit_code


def refusal(folder: Path, world: World, disk: FaultyDisk) -> EnvironmentProblem | None:
    """Run the plan; returns the error if it could not run to its end."""
    try:
        assert run(open_engine(folder, world, disk)) == 0
    except EnvironmentProblem as problem:
        return problem
    return None


def retry_and_run(engine: Orchestrator) -> int:
    """Do what `nova retry --failed` and then `nova run` do."""
    try:
        engine.apply(Command(CommandKind.RETRY))
        engine.store.flush()
        return engine.run().exit_code
    finally:
        engine.close()


def sweep(
    tmp_path: Path, changes: Iterable[int], action: Callable[[], None], repeat: bool
) -> Iterable[tuple[int, Path, World, FaultyDisk]]:
    """One folder, world and disk for each n of `changes`; ends after the first n that is never reached."""
    for n in changes:
        folder = tmp_path / str(n)
        folder.mkdir()
        disk = FaultyDisk(n, action, repeat)
        yield n, folder, World(), disk
        if disk.calls < n:
            assert n > 10, "the sweep must reach the engine's writes"
            return
    pytest.fail("the sweep does not end")


def changes(first: int) -> pytest.MarkDecorator:
    """The changes that fail: each in turn, of which `make test` tries a fifth, from the `first` on."""
    few = pytest.param(range(first, 400, 5), id="sample")
    return pytest.mark.parametrize("changes", [few, pytest.param(range(1, 400), id="all", marks=pytest.mark.slow)])


def assert_done_once(folder: Path, world: World) -> None:
    """Every task is completed, and no command ran twice."""
    tasks = json.loads((folder / "cascade_state.json").read_bytes())["tasks"]
    assert {i: t["status"] for i, t in tasks.items()} == dict.fromkeys("ABCD", "completed")
    assert max(Counter(world.began).values()) == 1
    assert sorted(key.partition("@")[0] for key in world.began) == ["A", "B", "C", "D"]


@changes(1)
def test_death_at_every_change(tmp_path: Path, changes: Iterable[int]) -> None:
    """Killed at any change, the next run finishes the plan: nothing is lost or repeated, and state and events agree.

    The system time jumps meanwhile: every task still took what its holder measured.
    """
    for n, folder, _, disk in sweep(tmp_path, changes, die, repeat=False):
        world = World(clock=JumpingClock(n))
        try:
            run(open_engine(folder, world, disk))
        except Died:
            engine = open_engine(folder, world)
            assert run(engine) == 0
        assert_done_once(folder, world)
        engine = open_engine(folder, world)
        state = StateManager(folder / "cascade_state.json").load()
        assert engine.store.database.last_rev() == state.rev
        assert {task.elapsed for task in state.tasks.values()} == {2.0}
        engine.close()


@pytest.mark.parametrize("n", range(1, 24, 3))
def test_death_on_the_thread(tmp_path: Path, n: int) -> None:
    """The same with the real thread: what the engine did meanwhile is found in the records of the holder."""
    world, disk = World(), FaultyDisk(n, die)
    try:
        run(open_engine(tmp_path, world, disk, background=True))
    except Died:
        assert run(open_engine(tmp_path, world, background=True)) == 0
    assert_done_once(tmp_path, world)
    engine = open_engine(tmp_path, world)
    assert engine.store.database.last_rev() == StateManager(tmp_path / "cascade_state.json").load().rev
    engine.close()


@changes(2)
def test_death_twice(tmp_path: Path, changes: Iterable[int]) -> None:
    """Killed, and killed again during recovery, the third run still finishes the plan once."""
    for n, folder, world, disk in sweep(tmp_path, changes, die, repeat=False):
        try:
            run(open_engine(folder, world, disk))
        except Died:
            with pytest.raises(Died):
                run(open_engine(folder, world, FaultyDisk(1 + n % 5, die)))
            assert run(open_engine(folder, world)) == 0
        assert_done_once(folder, world)


@changes(3)
def test_one_write_error_at_every_change(tmp_path: Path, changes: Iterable[int]) -> None:
    """A disk that fails once, anywhere: the run continues by itself, or gives the reason in one line and the next run
    finishes."""
    for _, folder, world, disk in sweep(tmp_path, changes, no_space, repeat=False):
        refused = refusal(folder, world, disk)
        if refused:
            assert "\n" not in str(refused)
            assert run(open_engine(folder, world)) == 0
        assert_done_once(folder, world)


def test_three_write_errors_in_a_row(tmp_path: Path) -> None:
    """A disk that fails three times in a row: the run still continues by itself, and warns once."""
    begun = FaultyDisk()
    engine = open_engine(tmp_path, World(), begun)
    engine._begin()
    engine.close()
    for n in range(begun.calls + 1, begun.calls + 24, 4):
        folder = tmp_path / str(n)
        folder.mkdir()
        world = World()
        engine = open_engine(folder, world, FaultyDisk(n, no_space, times=3))
        assert run(engine) == 0
        events = list(open_engine(folder, world).store.database.events_since(0))
        assert sum("cannot write the state" in event.message for event in events) <= 1
        assert_done_once(folder, world)


@changes(4)
def test_a_disk_that_stays_full(tmp_path: Path, changes: Iterable[int]) -> None:
    """A disk that fails permanently: exit code 8 with a hint, a readable state, and the next run continues."""
    for _, folder, world, disk in sweep(tmp_path, changes, no_space, repeat=True):
        refused = refusal(folder, world, disk)
        if refused:
            assert refused.hint
            path = folder / "cascade_state.json"
            assert not path.exists() or StateManager(path).load().rev >= 0
            assert run(open_engine(folder, world)) == 0
        assert_done_once(folder, world)


@changes(5)
def test_death_during_a_retry(tmp_path: Path, changes: Iterable[int]) -> None:
    """Killed anywhere in a retry and the run after it, repeating both completes the plan with one second attempt."""
    for _, folder, world, disk in sweep(tmp_path, changes, die, repeat=False):
        world.failing = {"B@1"}
        assert run(open_engine(folder, world)) == 1
        try:
            retry_and_run(open_engine(folder, world, disk))
        except Died:
            assert retry_and_run(open_engine(folder, world)) == 0
        tasks = StateManager(folder / "cascade_state.json").load().tasks
        assert all(task.status is TaskStatus.COMPLETED for task in tasks.values())
        assert Counter(key.partition("@")[0] for key in world.began) == {"A": 1, "B": 2, "C": 1, "D": 1}
