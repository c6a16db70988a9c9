"""A run in a thread of the interface: no command is lost, whenever it comes."""

from __future__ import annotations

import threading
from pathlib import Path

from engines import make_engine, write_plan
from fake_git import FakeRepo
from fakes import FakeClock, FakeExecutor

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus
from nova_core.watch.allowed import is_allowed
from nova_core.watch.live import LiveSource
from nova_core.watch.view_model import ViewModel

RETRY_A, RETRY_B = (Command(CommandKind.RETRY, (task_id,)) for task_id in "AB")


class Engines:
    """Makes engines on a plan of two tasks that fail at first; the second engine is not made before `go`."""

    def __init__(self, folder: Path) -> None:
        write_plan(folder, [("A", "-"), ("B", "-")])
        self._folder = folder
        self._executor = FakeExecutor(FakeClock(), self._outcome)
        self._tries: dict[str, int] = {}
        self.made: list[Orchestrator] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def _outcome(self, job: Job) -> Ended:
        task_id = job.key.partition("@")[0]
        self._tries[task_id] = self._tries.get(task_id, 0) + 1
        return Ended(job.key, EndReason.EXIT, int(self._tries[task_id] == 1))

    def make(self) -> Orchestrator:
        """The next engine."""
        if self.made:
            self.begun.set()
            assert self.go.wait(60)
        self.made.append(make_engine(self._folder, executor=self._executor)[0])
        return self.made[-1]


def finish(source: LiveSource) -> list[TaskStatus]:
    """Wait for the engine, and for the next one if `poll` starts it; returns how the tasks ended."""
    for _ in range(2):
        assert source.join(60)
        source.poll()
    assert source.join(60)
    source.close()
    return [task.status for task in source.tasks.values()]


def test_a_command_that_comes_as_the_run_ends_continues_it(tmp_path: Path) -> None:
    """The engine, which turns no more, has not carried it out; the next one does."""
    engines = Engines(tmp_path)
    engines.go.set()
    source = LiveSource(engines.make)

    def send(event: Event) -> None:
        if event.kind is EventKind.RUN_ENDED:
            source.send(RETRY_A)

    engines.made[0].subscribe(send)
    source.start()
    assert finish(source) == [TaskStatus.COMPLETED, TaskStatus.FAILED]
    assert len(engines.made) == 2


def test_a_command_for_an_engine_that_is_being_made_waits_for_it(tmp_path: Path) -> None:
    """It does not go to the engine that has ended."""
    engines = Engines(tmp_path)
    source = LiveSource(engines.make)
    source.start()
    assert source.join(60)
    source.send(RETRY_A)
    assert engines.begun.wait(60)
    source.send(RETRY_B)
    engines.go.set()
    assert finish(source) == [TaskStatus.COMPLETED, TaskStatus.COMPLETED]
    assert len(engines.made) == 2


def test_what_could_not_land_lands_when_it_continues(tmp_path: Path) -> None:
    """Once nothing is in the way: all tasks are done, and still the key for that works."""
    repo, executor = FakeRepo({"f": "1"}), FakeExecutor(FakeClock())
    work = executor.submit

    def submit(job: Job) -> None:
        work(job)
        repo.trees["A"]["f"] = "2"

    executor.submit, repo.in_the_way = submit, "f"  # type: ignore[method-assign]
    write_plan(tmp_path, [("A", "-")])
    config = Config(isolation="tree")
    source = LiveSource(lambda: make_engine(tmp_path, executor=executor, config=config, gits=repo.gits())[0])
    model = ViewModel(source, 0.0)
    source.start()
    for landed in ("1", "2"):
        assert source.join(60)
        model.apply(source.poll(), 0.0)
        assert repo.folder["f"] == landed
        assert not model.could_go_on
        assert is_allowed(model, "go_on") == (landed == "1")
        repo.in_the_way = ""
        if landed == "1":
            source.go_on()
    source.close()
