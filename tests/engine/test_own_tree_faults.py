"""The engine dies at every step in git and at every change on disk: nothing is lost, nothing is merged twice."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from engines import make_engine, tasks_of
from fake_git import FakeRepo
from fakes import FakeClock, FakeExecutor, FaultyDisk
from sampling import some

from nova_core.config import Config
from nova_core.config.git import GitConfig
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, EndReason, Job, Report
from nova_core.isolation.values import GitFailed
from nova_core.orchestrator import Orchestrator
from nova_core.state.schema import TaskStatus

PLAN = [("A", "-"), ("B", "-"), ("C", "A"), ("D", "B, C"), ("E", "-")]
BASE = {"f": "1\n2\n3", "gone": "x", "mine": "1"}
SETTINGS = Config(isolation="tree", retries=1, retry_delay=0.001, git=GitConfig(recheck=True, check="true"))


class Died(BaseException):
    """Stands for a kill: nothing in Nova catches it."""


def die() -> None:
    raise Died


def set_line(files: dict[str, str], number: int, text: str) -> None:
    lines = files["f"].split("\n")
    lines[number] = text
    files["f"] = "\n".join(lines)


def work(task_id: str, files: dict[str, str]) -> None:
    """A and B change the same line: one of them runs again. C deletes, D changes, E fails once and then adds."""
    if task_id in "AB":
        set_line(files, 0, files["f"].split("\n")[0].replace(task_id, "") + task_id)
    elif task_id == "C":
        files.pop("gone", None)
    elif task_id == "D":
        set_line(files, 2, "D")
    files[task_id.lower()] = "x"


class World:
    """What outlives an engine: the repository, which jobs started, and the holder's records until they are released."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.repo = FakeRepo(BASE)
        self.repo.folder["untracked"] = "mine"
        self.began: list[str] = []
        self.records: dict[str, Ended] = {}
        self.failed_once = False

    def engine(self, folder: Path, disk: FaultyDisk | None = None) -> Orchestrator:
        rows = None if (folder / "CASCADE.md").exists() else PLAN
        executor = WorldExecutor(self)
        gits = self.repo.gits()
        return make_engine(folder, rows, executor=executor, config=SETTINGS, disk=disk, gits=gits, max_workers=3)[0]


class WorldExecutor(FakeExecutor):
    def __init__(self, world: World) -> None:
        super().__init__(world.clock, lambda job: world.records[job.key])
        self.world = world
        self.found: list[Report] = list(world.records.values())

    def submit(self, job: Job) -> None:
        super().submit(job)
        world, task_id = self.world, job.key.partition("@")[0]
        assert job.key not in world.began, f"{job.key} was started twice"
        world.began.append(job.key)
        code = 0
        if "+" not in job.key:
            work(task_id, world.repo.trees[task_id])
            code = int(task_id == "E" and not world.failed_once)
            world.failed_once |= task_id == "E"
        now = world.clock.now()
        world.records[job.key] = Ended(
            job.key, EndReason.EXIT, code=code, pid=1, started_at=now, ended_at=now, elapsed=2.0
        )

    def release(self, keys: object) -> None:
        for key in keys:  # type: ignore[attr-defined]
            self.world.records.pop(key, None)


def run_to_the_end(folder: Path, world: World) -> None:
    """Start the run again until it is over, as a person would."""
    for _ in range(4):
        world.repo.step = lambda name: None
        if world.engine(folder).run().exit_code == 0:
            return
    raise AssertionError("the run does not end")


def verify(folder: Path, world: World) -> None:
    repo, tasks = world.repo, tasks_of(folder)
    assert {state.status for state in tasks.values()} == {TaskStatus.COMPLETED}
    assert sorted(line[:1] for line in repo.log()) == ["A", "B", "C", "D", "E", "b"]
    lines = repo.folder["f"].split("\n")
    assert (sorted(lines[0]), lines[1:]) == (["1", "A", "B"], ["2", "D"])
    assert repo.folder.keys() == {"f", "mine", "a", "b", "c", "d", "e", "untracked"}
    assert repo.trees == {}
    assert [ref for ref in repo.refs if "/kept/" not in ref] == ["refs/heads/main"]
    for state in tasks.values():
        assert state.commit_sha in repo.commits
        assert state.tree is None
    kept = {ref for state in tasks.values() for ref in state.kept}
    assert {ref for ref in repo.refs if "/kept/" in ref} == kept


def test_a_run_without_faults(tmp_path: Path) -> None:
    """The plan of the campaign is what its check expects."""
    world = World()
    assert world.engine(tmp_path).run().exit_code == 0
    verify(tmp_path, world)


def steps_of(folder: Path) -> list[str]:
    folder.mkdir()
    world, seen = World(), list[str]()
    world.repo.step = seen.append
    world.engine(folder).run()
    return seen


def killed_at(folder: Path, world: World, number: int) -> bool:
    """Run until the git step `number` (from 1, each counts before and after), and die there."""
    count = 0

    def step(name: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            die()

    world.repo.step = step
    engine = world.engine(folder)
    try:
        engine.run()
    except Died:
        engine.close()
        return True
    return False


@pytest.mark.parametrize("number", some(range(1, 75), *range(1, 75, 13)))
def test_a_kill_at_every_step_in_git(tmp_path: Path, number: int) -> None:
    """The next engine continues: each task is merged once, and nothing is left."""
    world = World()
    if killed_at(tmp_path, world, number):
        run_to_the_end(tmp_path, world)
    verify(tmp_path, world)


@pytest.mark.parametrize("number", some(range(1, 252), *range(5, 252, 62)))
def test_a_kill_at_every_change_on_disk(tmp_path: Path, number: int) -> None:
    """The same, for what Nova writes to its own files."""
    world, disk = World(), FaultyDisk(number, die)
    try:
        engine = world.engine(tmp_path, disk)
        engine.run()
    except Died:
        with contextlib.suppress(Died, UnboundLocalError):
            engine.close()
        run_to_the_end(tmp_path, world)
    verify(tmp_path, world)


FAULTS: dict[str, Callable[[], Exception]] = {
    "full": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "broken": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "forbidden": lambda: OSError(errno.EACCES, os.strerror(errno.EACCES)),
    "fails": lambda: GitFailed("git failed with 128: it said nothing"),
}
ONE_FAULT = [
    pytest.param(fault, number, marks=() if number % 9 == 3 and number // 9 % 4 == nth else pytest.mark.slow)
    for nth, fault in enumerate(FAULTS)
    for number in range(1, 75)
]


@pytest.mark.parametrize(("fault", "number"), ONE_FAULT)
def test_one_fault_at_every_step_in_git(tmp_path: Path, fault: str, number: int) -> None:
    """A full or broken disk, or a git that fails once: the step is repeated, and nothing is merged twice."""
    world, count = World(), 0

    def step(name: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise FAULTS[fault]()

    world.repo.step = step
    with contextlib.suppress(OSError, EnvironmentProblem):  # at the start of the run, before anything is done
        engine = world.engine(tmp_path)
        try:
            engine.run()
        finally:
            engine.close()
    run_to_the_end(tmp_path, world)
    verify(tmp_path, world)


@pytest.mark.parametrize("number", some(range(1, 252), *range(9, 252, 82)))
def test_one_full_disk_at_every_change(tmp_path: Path, number: int) -> None:
    """Nova's own files cannot be written once: nothing is lost."""
    world, disk = World(), FaultyDisk(number)
    with contextlib.suppress(OSError, EnvironmentProblem):
        engine = world.engine(tmp_path, disk)
        try:
            engine.run()
        finally:
            engine.close()
    run_to_the_end(tmp_path, world)
    verify(tmp_path, world)


@pytest.mark.parametrize("number", some(range(1, 75), 40))
def test_two_kills_in_git(tmp_path: Path, number: int) -> None:
    """The next engine dies, too, at any of its steps."""
    world = World()
    for n in (number, number % 13 + 1):
        killed_at(tmp_path, world, n)
    run_to_the_end(tmp_path, world)
    verify(tmp_path, world)
