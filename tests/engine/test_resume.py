"""What the next engine does with what the last one left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engines import add_criteria, killed, make_engine, on, tasks_of, write_plan
from fakes import FakeClock, FakeExecutor, exits, ok, running

from nova_core.clock import seconds
from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config
from nova_core.engine.startup import Host, RunOptions
from nova_core.errors import StateError
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.orchestrator import Orchestrator
from nova_core.state import StateManager
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Reason

PAIR = [("A", "-"), ("B", "A")]
ONE = [("A", "-")]


def test_records_of_checks_are_released_too(tmp_path: Path) -> None:
    """Once the state is on disk, the records of command and checks are released, even if a check ended first."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "A", "true", "true")
    engine, executor = make_engine(tmp_path)
    assert engine.run().exit_code == 0
    assert sorted(executor.released) == ["A@1", "A@1+1", "A@1+2"]


def test_a_criterion_proved_before_a_kill_counts_once(tmp_path: Path) -> None:
    """Killed between two checks, the next engine uses the first one's record, and lists it once."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "A", "true", "true")
    engine, _ = make_engine(tmp_path, outcome=lambda job: None if job.key == "A@1+2" else ok(job))
    engine.run(max_iterations=10)
    executor = FakeExecutor(FakeClock())
    executor.found = [Ended("A@1", EndReason.EXIT, code=0), Ended("A@1+1", EndReason.EXIT, code=0), running("A@1+2")]
    executor.running = {"A@1+2": Job("A@1+2", shell="x")}
    engine, _ = make_engine(tmp_path, executor=executor)
    assert engine.run().exit_code == 0
    assert not executor.jobs
    assert tasks_of(tmp_path)["A"].criteria_met == (1, 2)


def test_an_attempt_the_state_missed_is_no_new_leash(tmp_path: Path) -> None:
    """A retry that started just before a kill still counts the failures before it."""
    config = Config(retries=1, retry_delay=0.5)
    engine, _ = make_engine(tmp_path, ONE, outcome=exits(1), config=config)
    on(engine, EventKind.TASK_RETRYING, "A", engine.stop)
    engine.run()
    executor = FakeExecutor(FakeClock(), exits(1))
    executor.found = [Ended("A@2", EndReason.EXIT, code=1)]
    engine, _ = make_engine(tmp_path, executor=executor, config=config)
    assert engine.run().exit_code == 1
    assert not executor.jobs


def test_an_id_used_again_after_its_removal_is_a_new_task(tmp_path: Path) -> None:
    """The attempt number of a removed task continues: its old records, logs and tokens belong to no current task."""
    rows = [("A", "-"), ("B", "-")]
    make_engine(tmp_path, rows, outcome=lambda job: (exits(1) if job.key == "A@1" else ok)(job))[0].run()
    make_engine(tmp_path, [("B", "-")])[0].run()
    executor = FakeExecutor(FakeClock())
    executor.found = [Ended("A@1", EndReason.EXIT, code=0)]  # in a journal that also holds another task's end
    engine, _ = make_engine(tmp_path, rows, executor=executor)
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["A@2"]


def test_fresh_takes_nothing_over(tmp_path: Path) -> None:
    """`fresh` runs everything: what an old engine left running is ended, and old results do not count."""
    rows = [("A", "-"), ("B", "-")]
    engine, _ = make_engine(tmp_path, rows, outcome=lambda job: None)
    engine._begin()
    engine.start_worker("A")
    engine.start_worker("B")
    engine.store.flush()
    killed(engine)
    (tmp_path / ".nova" / "attempts").mkdir()
    (tmp_path / ".nova" / "attempts" / "a.journal").touch()
    executor = FakeExecutor(FakeClock())
    executor.found = [Ended("A@1", EndReason.EXIT, code=0), running("B@1")]
    executor.running = {"B@1": Job("B@1", shell="x")}
    second = FakeExecutor(executor.clock)
    fakes = [executor, second]
    engine = Orchestrator(
        tmp_path / "CASCADE.md", tmp_path / "cascade_state.json", config=Config(),
        options=RunOptions(fresh=True),
        host=Host(executor.clock, make_executor=lambda *_: fakes.pop(0), background=False),
    )  # fmt: skip
    assert engine.run().exit_code == 0
    assert executor.cancelled == ["B@1"]
    assert sorted(executor.released) == ["A@1", "B@1"]
    assert sorted(job.key for job in second.jobs) == ["A@1", "B@1"]


@pytest.mark.parametrize("edit", [False, True])
def test_a_running_task_whose_records_are_gone_is_lost(tmp_path: Path, edit: bool) -> None:
    """`.nova` was deleted: how it ended is unknown, whatever else has changed since."""
    import shutil

    engine, _ = make_engine(tmp_path, ONE, outcome=lambda job: None)
    engine.start_worker("A")
    engine.store.flush()
    killed(engine)
    shutil.rmtree(tmp_path / ".nova")
    engine, executor = make_engine(tmp_path, [("A", "-"), ("C", "-")] if edit else None)
    if edit:
        engine.apply(Command(CommandKind.SKIP, ("C",)))
        engine.store.flush()
        killed(engine)
        engine, executor = make_engine(tmp_path)
    assert engine.run().exit_code == 1
    assert tasks_of(tmp_path)["A"].reason is Reason.LOST
    assert "A@1" not in [job.key for job in executor.jobs]


def test_an_edited_task_that_ran_again_is_not_edited_any_more(tmp_path: Path) -> None:
    """A task edited, retried by hand and completed with the new text is not run again by `rerun_changed`."""
    make_engine(tmp_path, ONE)[0].run()
    engine, _ = make_engine(tmp_path, ONE, extra={"Command": {"A": "echo new"}})
    engine.apply(Command(CommandKind.RETRY, ("A",)))
    assert engine.run().exit_code == 0
    engine, executor = make_engine(tmp_path, rerun_changed=True)
    assert engine.run().exit_code == 0
    assert not executor.jobs


def test_an_unreadable_time_does_not_stop_a_resume(tmp_path: Path) -> None:
    """Another program wrote `started_at` in its own format: the worker is adopted nevertheless."""
    engine, _ = make_engine(tmp_path, ONE, outcome=lambda job: None)
    engine.start_worker("A")
    engine.store.flush()
    killed(engine)
    StateManager(tmp_path / "cascade_state.json").update_task("A", started_at="yesterday")
    executor = FakeExecutor(FakeClock())
    executor.found = [Ended("A@1", EndReason.EXIT, code=0)]
    engine, _ = make_engine(tmp_path, executor=executor)
    assert engine.run().exit_code == 0


def test_a_retry_is_never_early(tmp_path: Path) -> None:
    """Another task keeps the engine awake all the time: the retry starts when its delay is over, and no earlier."""
    began: list[float] = []

    def outcome(job: Job) -> Ended | None:
        executor.clock.advance(0.3)
        if job.key == "B@1":
            return ok(job) if began else None
        return exits(0 if began else 1)(job)

    config = Config(retries=1, retry_delay=9.7)
    engine, executor = make_engine(tmp_path, [("A", "-"), ("B", "-")], outcome=outcome, config=config)
    due: list[float] = []

    def listen(event: Event) -> None:
        if event.kind is EventKind.TASK_RETRYING:
            due.append(seconds(engine.store.tasks["A"].retry_at or ""))
        if event.kind is EventKind.TASK_STARTED and event.task == "A" and due:
            began.append(executor.clock.now())

    engine.subscribe(listen)
    assert engine.run().exit_code == 0
    assert due[0] <= began[0] < due[0] + 1.0


def test_a_retry_waits_by_the_steady_clock(tmp_path: Path) -> None:
    """The wall clock is set back by an hour during the pause before a retry: the pause does not become longer."""
    engine, executor = make_engine(
        tmp_path, ONE, outcome=lambda job: exits(1 if job.key == "A@1" else 0)(job),
        config=Config(retries=1, retry_delay=4.0),
    )  # fmt: skip
    step, wait = [0.0], executor.wait
    executor.clock.now = lambda: executor.clock.time + step[0]  # type: ignore[method-assign]

    def wait_and_step(timeout: float | None) -> Any:
        step[0] = -3600.0 if engine.board.state("A").retry_at else step[0]
        return wait(timeout)

    executor.wait = wait_and_step  # type: ignore[method-assign]
    start = executor.clock.time
    assert engine.run().exit_code == 0
    assert executor.clock.time - start < 60.0


@pytest.mark.parametrize("text", ["[]", "null", "7", '{"version": "x"}', '{"version": null}', '"\\ud800"', "[" * 5000])
def test_whatever_is_in_the_state_file_it_is_kept_and_rebuilt(tmp_path: Path, text: str) -> None:
    """Valid JSON that is not a state is damage like any other."""
    make_engine(tmp_path, PAIR)[0].run()
    (tmp_path / "cascade_state.json").write_text(text)
    engine, executor = make_engine(tmp_path)
    assert engine.run().exit_code == 0
    assert not executor.jobs
    (kept,) = tmp_path.glob("cascade_state.json.corrupt-*")
    assert kept.read_text() == text


def test_a_state_from_a_newer_nova_is_rejected_and_unchanged(tmp_path: Path) -> None:
    """Even if there are events to rebuild it from."""
    make_engine(tmp_path, PAIR)[0].run()
    path = tmp_path / "cascade_state.json"
    path.write_text('{"version": 2, "tasks": []}')
    with pytest.raises(StateError, match="newer"):
        make_engine(tmp_path)
    assert path.read_text() == '{"version": 2, "tasks": []}'


def test_ending_left_workers_does_not_reopen_a_finished_project(tmp_path: Path) -> None:
    """`nova cancel` without an engine is not a run: `completed_at` stays."""
    engine, _ = make_engine(tmp_path, ONE)
    engine.run()
    manager = StateManager(tmp_path / "cascade_state.json")
    before = manager.load().project
    engine, _ = make_engine(tmp_path)
    engine.cancel_without_engine(Command(CommandKind.CANCEL))
    engine.close()
    assert manager.load().project == before


def test_a_worker_of_an_attempt_that_is_over_is_ended(tmp_path: Path) -> None:
    """It would work beside the new attempt: the next engine ends it at once, and releases its records."""
    config = Config(retries=1, retry_delay=0.5)
    engine, _ = make_engine(
        tmp_path, ONE, outcome=lambda job: exits(1)(job) if job.key == "A@1" else None, config=config
    )
    engine.run(max_iterations=6)
    executor = FakeExecutor(FakeClock())
    executor.found = [running("A@1"), running("A@2")]
    executor.running = {key: Job(key, shell="x") for key in ("A@1", "A@2")}
    engine, _ = make_engine(tmp_path, executor=executor, config=config)
    assert engine.run().exit_code == 0
    assert executor.cancelled == ["A@1"]
    assert "A@1" in executor.released
    assert not executor.jobs


def test_a_worker_of_a_task_that_is_gone_is_ended(tmp_path: Path) -> None:
    """Its row was removed from the plan while no engine ran."""
    rows = [("A", "-"), ("B", "-")]
    engine, _ = make_engine(tmp_path, rows, outcome=lambda job: None if job.key == "A@1" else ok(job))
    engine.run(max_iterations=4)
    executor = FakeExecutor(FakeClock())
    executor.found = [running("A@1"), running("Z@1")]
    executor.running = {key: Job(key, shell="x") for key in ("A@1", "Z@1")}
    engine, _ = make_engine(tmp_path, executor=executor)
    engine.run()
    assert executor.cancelled == ["Z@1"]
    assert "Z@1" in executor.released


@pytest.mark.parametrize(
    ("columns", "holders"),
    [({}, [1, 0]), ({"Agent": {"A": "a"}, "Command": {"A": ""}}, [0, 0])],
    ids=["command", "agent"],
)
def test_no_holder_for_commands_without_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: dict[str, dict[str, str]], holders: list[int]
) -> None:
    """The holder that commands share is started before the first one, and not if only agents or nothing have to run."""
    asked: list[int] = []
    monkeypatch.setattr(FakeExecutor, "prepare", lambda _: asked.append(1))
    config = Config(agents={"a": AgentConfig(command=("true", "{prompt}"))})
    found = []
    for rows in ([("A", "-")], None):
        engine, _ = make_engine(tmp_path, rows, extra=columns, config=config)
        assert engine.run().exit_code == 0
        found.append(len(asked))
        asked.clear()
    assert found == holders
