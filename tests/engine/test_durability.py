"""What is promised to be on disk before it happens is; everything else continues while the disk is busy."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from engines import make_engine, on, tasks_of
from fakes import FakeClock, FakeExecutor, FaultyDisk, no_space, ok

from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, Job
from nova_core.files.disk import Disk
from nova_core.orchestrator import Orchestrator
from nova_core.state.database import Database
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason, TaskStatus

AGENTS = Config(agents={"a": AgentConfig(command=("true", "{prompt}"))}, retries=0)
CHAIN = [("A", "-"), ("B", "A"), ("C", "B"), ("D", "C")]


class Watching(FakeExecutor):
    """Notes what is on disk when a job is submitted and when it is released."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FakeClock())
        self.folder = folder
        self.started: dict[str, bool] = {}
        self.finished: dict[str, TaskStatus] = {}

    def submit(self, job: Job) -> None:
        super().submit(job)
        task_id = job.key.partition("@")[0]
        history = Database(self.folder / ".nova" / "nova.db", read_only=True)
        kinds = [(event.kind, event.task) for event in history.events_since(0)]
        history.close()
        self.started[job.key] = (EventKind.TASK_STARTED, task_id) in kinds

    def release(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.finished[key] = tasks_of(self.folder)[key.partition("@")[0]].status


class Full(Disk):
    """A disk that is full while `is_full` is set."""

    is_full = False

    def step(self, call: str, path: str) -> None:
        if self.is_full:
            no_space()


def agents_engine(folder: Path, fake: FakeExecutor, disk: Disk | None = None, agents: str = "A") -> Orchestrator:
    """Tasks A and B; those in `agents` are done by an agent, in a holder of its own."""
    columns = {"Agent": dict.fromkeys(agents, "a"), "Command": dict.fromkeys(agents, "")}
    return make_engine(folder, [("A", "-"), ("B", "-")], executor=fake, extra=columns, config=AGENTS, disk=disk)[0]


def test_an_agent_starts_after_its_start_is_on_disk(tmp_path: Path) -> None:
    """The event is committed before the job is sent, at every attempt; every job is released after its result is in
    the state file."""
    fake = Watching(tmp_path)
    assert agents_engine(tmp_path, fake, agents="AB").run().exit_code == 0
    assert fake.started == {"A@1": True, "B@1": True}
    assert fake.finished == {"A@1": TaskStatus.COMPLETED, "B@1": TaskStatus.COMPLETED}


def test_an_agent_waits_for_a_full_disk_alone(tmp_path: Path) -> None:
    """While its start cannot be written the agent does not start, and a task that runs continues; then it starts."""
    disk = Full()
    fake = FakeExecutor(FakeClock())
    engine = agents_engine(tmp_path, fake, disk)
    on(engine, EventKind.TASK_STARTED, "A", lambda: setattr(disk, "is_full", True))

    def until_b_has_run(job: Job) -> Ended | None:
        if job.key == "B@1":
            assert [j.key for j in fake.jobs] == ["B@1"]
            disk.is_full = False
        return ok(job)

    fake.outcome = until_b_has_run
    engine.start_worker("B")
    assert engine.run().exit_code == 0
    assert [job.key for job in fake.jobs] == ["B@1", "A@1"]


def test_a_disk_that_stays_full_ends_a_run_whose_agent_waits(tmp_path: Path) -> None:
    """The run does not wait for ever: it ends with the reason, and the agent was never started."""
    disk = Full()
    fake = FakeExecutor(FakeClock())
    engine = agents_engine(tmp_path, fake, disk)
    on(engine, EventKind.TASK_STARTED, "A", lambda: setattr(disk, "is_full", True))
    with pytest.raises(EnvironmentProblem, match="cannot write the state"):
        engine.run()
    assert "A@1" not in {job.key for job in fake.jobs}
    disk.is_full = False
    fake = FakeExecutor(FakeClock())
    assert make_engine(tmp_path, config=AGENTS, executor=fake)[0].run().exit_code == 0
    assert [job.key.partition("@")[0] for job in fake.jobs].count("A") == 1


def test_an_agent_cancelled_before_it_starts(tmp_path: Path) -> None:
    """A person cancels it while its start is not on disk: it never runs."""
    fake = FakeExecutor(FakeClock(), lambda job: None if job.key == "A@1" else ok(job))
    engine = agents_engine(tmp_path, fake)
    on(engine, EventKind.TASK_STARTED, "A", lambda: engine.post(Command(CommandKind.CANCEL, ("A",))))
    assert engine.run().exit_code == 1
    assert engine.store.tasks["A"].reason is Reason.CANCELLED


@pytest.mark.parametrize("full", [False, True])
def test_a_stop_is_on_disk_before_workers_are_ended(full: bool, tmp_path: Path) -> None:
    """A kill in between must not make them fail: they run again. A full disk keeps no worker alive."""
    disk = Full()
    marks: list[bool] = []

    class Ending(FakeExecutor):
        def cancel(self, key: str, grace: float) -> None:
            marks.append(not disk.is_full and tasks_in_history(tmp_path)["A"])
            disk.is_full = False
            super().cancel(key, grace)

    fake = Ending(FakeClock(), lambda job: None)
    engine, _ = make_engine(tmp_path, [("A", "-")], executor=fake, disk=disk)
    engine._begin()
    engine.start_worker("A")
    engine.stop()
    disk.is_full = full
    engine.run()
    assert marks == [not full]
    assert tasks_of(tmp_path)["A"].status is TaskStatus.PENDING


def tasks_in_history(folder: Path) -> dict[str, bool]:
    """Whether the history says that each task was interrupted."""
    history = Database(folder / ".nova" / "nova.db", read_only=True)
    found = {e.task: e.patch["interrupted"] for e in history.events_since(0) if e.task and "interrupted" in e.patch}
    history.close()
    return found


class Waiting(Disk):
    """The first fsync of the engine's second thread takes until `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.hung = False

    def step(self, call: str, path: str) -> None:
        if call == "fsync" and not self.hung and threading.current_thread() is not threading.main_thread():
            self.hung = True
            assert self.go.wait(60), "the engine waited for the disk"


def test_a_chain_runs_while_the_disk_hangs(tmp_path: Path) -> None:
    """Nothing that is not promised to be on disk waits: while one fsync hangs, a chain of commands runs to its end."""
    disk = Waiting()
    fake = FakeExecutor(FakeClock())

    def outcome(job: Job) -> Ended:
        assert not fake.released, "no record is released before the result is published"
        if job.key == "D@1":
            disk.go.set()
        return ok(job)

    fake.outcome = outcome
    engine, _ = make_engine(tmp_path, CHAIN, executor=fake, disk=disk, background=True)
    assert engine.run().exit_code == 0
    assert disk.hung
    assert sorted(fake.released) == ["A@1", "B@1", "C@1", "D@1"]
    assert {task.status for task in tasks_of(tmp_path).values()} == {TaskStatus.COMPLETED}


def test_a_refusal_of_an_hour_ago_does_not_count(tmp_path: Path) -> None:
    """The patience with a disk begins again with each refusal that follows a success."""
    disk = FaultyDisk()
    engine, fake = make_engine(tmp_path, CHAIN, disk=disk)
    admission = engine._run.admission
    engine.store.refuse(OSError(28, "No space left on device"))
    assert not admission.disk_is_hopeless()
    assert engine.store.flush()
    assert not admission.disk_is_hopeless()
    fake.clock.advance(3600.0)
    engine.store.refuse(OSError(28, "No space left on device"))
    assert not admission.disk_is_hopeless()
    fake.clock.advance(11.0)
    assert admission.disk_is_hopeless()
    engine.close()
