"""Changes of other writers to the state during a run."""

from __future__ import annotations

from pathlib import Path

from engines import make_engine, tasks_of
from fakes import exits, ok

from nova_core.executors.base import Ended, Job
from nova_core.state import StateManager
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus

PAIR = [("A", "-"), ("B", "A")]
ONE = [("A", "-")]


def test_an_outside_change_met_while_publishing_reaches_the_board(tmp_path: Path) -> None:
    """Another program completes a task between two looks, and the engine finds out as it publishes: it does not run
    again."""
    engine, executor = make_engine(tmp_path, PAIR)
    engine._begin()
    StateManager(tmp_path / "cascade_state.json").complete_task("A")
    engine.store.record(EventKind.WARNING, None, "anything")
    engine.store.flush()
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["B@1"]


def test_a_state_file_deleted_during_a_run_comes_back(tmp_path: Path) -> None:
    """Even if nothing happens for hours, the state file is there."""
    engine, _ = make_engine(tmp_path, ONE, outcome=lambda job: None)
    path = tmp_path / "cascade_state.json"
    engine._begin()
    engine.start_worker("A")
    engine.store.flush()
    for damage in (path.unlink, lambda: path.write_text("{")):
        damage()
        for _ in range(4):
            engine._begin().turn(1.0)
        assert tasks_of(tmp_path)["A"].status is TaskStatus.IN_PROGRESS
    engine.close()


def test_the_engine_decides_about_a_task_it_runs(tmp_path: Path) -> None:
    """A worker that completes its own task through `StateManager` releases nothing before its end is judged."""
    engine, executor = make_engine(tmp_path, PAIR)
    waits = [0]

    def outcome(job: Job) -> Ended | None:
        if job.key == "A@1":
            waits[0] += 1
            if waits[0] == 1:
                StateManager(tmp_path / "cascade_state.json").complete_task("A", commit_sha="abc")
            assert [j.key for j in executor.jobs] == ["A@1"]
            return None if waits[0] < 20 else exits(1)(job)
        return ok(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 1
    assert tasks_of(tmp_path)["A"].status is TaskStatus.FAILED
    assert [j.key for j in executor.jobs] == ["A@1"]
