"""A viewer's plan: what runs is shown, whatever the plan's file has lost meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Event

import pytest
from engines import killed, make_engine, write_plan
from fakes import FakeClock, FakeExecutor
from scripted_run import NOW

from nova_core.cli.options import plan_of
from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.files.project import Project
from nova_core.runs.words import Shown
from nova_core.state import StateManager
from nova_core.watch.attached import AttachedSource
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel

ROWS = [("A", "-"), ("B", "A"), ("C", "-")]
REST = [("B", "-"), ("C", "-")]


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[AttachedSource]:
    """A and C run, and the row of A has left the plan."""
    engine, _ = make_engine(tmp_path, ROWS, executor=FakeExecutor(FakeClock(), lambda job: None))
    engine.run(max_iterations=2)
    killed(engine)
    write_plan(tmp_path, REST)
    source = AttachedSource(Project(tmp_path), Config())
    source.start()
    yield source
    source.close()


def test_a_running_task_without_a_row_is_shown(viewer: AttachedSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name that it was started with; it can be found, and is counted once."""
    model = ViewModel(viewer, NOW)
    assert viewer.jobs == 0
    viewer.engine = EngineState.RUNNING
    assert viewer.jobs == 2
    assert list(model.cascade.tasks) == ["B", "C", "A"]
    assert (model.cascade.tasks["A"].name, model.shown("A")) == ("Task A", Shown.RUNNING)
    assert set(model.running()) == {"A", "C"}
    monkeypatch.chdir(viewer.project.root)
    state = StateManager(viewer.project.state_file).load()
    plans = plan_of(state, viewer.project), plan_of(state)
    assert [plan and plan.tasks["A"].name for plan in plans] == ["Task A", "A"]


def test_an_edited_plan_is_read_again_without_an_engine(viewer: AttachedSource) -> None:
    """There is nobody who would say that it has changed; a plan that cannot be read leaves the one before."""
    path = viewer.project.root / "CASCADE.md"
    model = ViewModel(viewer, NOW)
    write_plan(viewer.project.root, ROWS)
    whole = path.read_text()
    for number, text in enumerate((whole, "nothing"), 1):
        path.write_text(text)
        os.utime(path, ns=(number, number))
        viewer._next_look = 0.0
        model.apply(viewer.poll(), NOW)
        assert list(model.cascade.tasks) == ["A", "B", "C"]


def test_commands_are_delivered_in_the_order_of_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow answer to the first one does not let the next one pass: pause and resume would change places."""
    engine, _ = make_engine(tmp_path, ROWS)
    engine.run()
    killed(engine)
    delivered: Queue[str] = Queue()
    slow = Event()

    def deliver(source: AttachedSource, command: Command) -> None:
        if command.text == "0":
            slow.wait(60)
        delivered.put(command.text)

    monkeypatch.setattr(AttachedSource, "_deliver", deliver)
    source = AttachedSource(Project(tmp_path), Config(), control=True)
    for number in range(5):
        source.send(Command(CommandKind.JOBS, text=str(number)))
    slow.set()
    assert [delivered.get(timeout=60) for _ in range(5)] == ["0", "1", "2", "3", "4"]
    source.close()
