"""Cancelling, stopping and pausing, at every stage of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engines import add_criteria, make_engine, on, tasks_of, write_plan
from fakes import FakeClock, FakeExecutor, exits, ok, running

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason, TaskStatus

PAIR = [("A", "-"), ("B", "A")]
ONE = [("A", "-")]


def test_a_cancel_that_misses_the_command_stops_the_checks(tmp_path: Path) -> None:
    """The command had just succeeded when the cancel arrived: its criteria do not start, and the task is cancelled."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "A", "true")
    engine, executor = make_engine(tmp_path)
    ends = {"A@1": Ended("A@1", EndReason.EXIT, code=0)}

    def outcome(job: Job) -> Ended | None:
        if "A@1" in ends and job.key == "A@1":
            engine.apply(Command(CommandKind.CANCEL, ("A",)))  # too late: the end is already on its way
            executor.reports.clear()
            executor.running[job.key] = job
            return ends.pop("A@1")
        return ok(job)

    executor.outcome = outcome
    engine.run()
    assert [job.key for job in executor.jobs] == ["A@1"]
    assert tasks_of(tmp_path)["A"].reason is Reason.CANCELLED


def test_a_cancelled_task_that_fails_by_itself_is_not_retried(tmp_path: Path) -> None:
    """The exit code arrived before the cancel: the task has failed, and is not retried."""
    engine, executor = make_engine(tmp_path, ONE, config=Config(retries=3, retry_delay=1.0))

    def outcome(job: Job) -> Ended:
        engine.apply(Command(CommandKind.CANCEL, ("A",)))
        executor.reports.clear()
        executor.running[job.key] = job
        return exits(2)(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 1
    assert [job.key for job in executor.jobs] == ["A@1"]


def test_a_cancel_during_a_check_ends_it(tmp_path: Path) -> None:
    """Cancelling while a criterion is being checked cancels the task."""
    write_plan(tmp_path, PAIR)
    add_criteria(tmp_path, "A", "sleep 9", "true")
    engine, executor = make_engine(tmp_path, outcome=lambda job: None if "+" in job.key else ok(job))
    on(engine, EventKind.TASK_VERIFYING, "A", lambda: engine.post(Command(CommandKind.CANCEL, ("A",))))
    assert engine.run().exit_code == 1
    assert executor.cancelled == ["A@1+1"]
    assert (tasks_of(tmp_path)["A"].reason, tasks_of(tmp_path)["B"].blocked_by) == (Reason.CANCELLED, ("A",))


@pytest.mark.parametrize("when", ["before the check", "during the check"])
def test_a_command_that_ended_well_is_not_run_again_after_a_stop(tmp_path: Path, when: str) -> None:
    """A run that is stopped before a task's criteria are checked leaves the check, not the work, to the next run."""
    write_plan(tmp_path, PAIR)
    add_criteria(tmp_path, "A", "sleep 9", "true")
    engine, executor = make_engine(tmp_path, outcome=lambda job: None if "+" in job.key else ok(job))
    kind = EventKind.TASK_VERIFYING if when == "during the check" else EventKind.TASK_RUNNING
    on(engine, kind, "A", engine.stop)
    if kind is EventKind.TASK_RUNNING:
        executor.reports.append(running("A@1"))
    assert engine.run().exit_code == 4
    assert "A@1" not in executor.released
    left = tasks_of(tmp_path)["A"]
    assert (left.status, left.failures, left.current_step) == (
        TaskStatus.IN_PROGRESS, 0, "its command ended well; the next run checks its criteria"
    )  # fmt: skip
    assert left.is_unchecked
    following = FakeExecutor(FakeClock())
    following.found = [ok(executor.jobs[0]), *(Ended(key, EndReason.CANCELLED) for key in executor.cancelled)]
    engine, _ = make_engine(tmp_path, executor=following)
    assert engine.run().exit_code == 0
    first = "A@1+1.1" if executor.cancelled else "A@1+1"
    assert [job.key for job in following.jobs] == [first, "A@1+2", "B@1"]
    assert {"A@1", first, "A@1+2"} <= {*following.released}


def test_a_cancel_outlives_the_engine_that_carried_it_out(tmp_path: Path) -> None:
    """A task that a person cancelled during its check stays cancelled, also if the engine dies at that moment."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "A", "sleep 9")
    engine, _ = make_engine(tmp_path, outcome=lambda job: None if "+" in job.key else ok(job))
    engine.run(max_iterations=3)
    following = FakeExecutor(FakeClock())
    following.found = [Ended("A@1", EndReason.EXIT, code=0), Ended("A@1+1", EndReason.CANCELLED)]
    engine, _ = make_engine(tmp_path, executor=following)
    assert engine.run().exit_code == 1
    assert tasks_of(tmp_path)["A"].reason is Reason.CANCELLED


@pytest.mark.parametrize(("losses", "done"), [(1, True), (19, True), (99, False)])
def test_a_check_whose_holder_was_killed_is_checked_again(tmp_path: Path, losses: int, done: bool) -> None:
    """A lost check says nothing about the work; one that is lost each time is not tried for ever."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "A", "pytest")

    def outcome(job: Job) -> Ended:
        tried = sum("+" in other.key for other in executor.jobs)
        return Ended(job.key, EndReason.LOST) if "+" in job.key and tried <= losses else ok(job)

    engine, executor = make_engine(tmp_path, outcome=outcome)
    assert engine.run().exit_code == (0 if done else 1)
    assert [job.key for job in executor.jobs if "+" not in job.key] == ["A@1"]
    assert tasks_of(tmp_path)["A"].reason is (None if done else Reason.CHECK_FAILED)


@pytest.mark.parametrize("kind", [CommandKind.CANCEL, CommandKind.SKIP])
def test_a_retry_that_is_called_off_does_not_hold_the_run(tmp_path: Path, kind: CommandKind) -> None:
    """A task that is cancelled or skipped in its pause before a retry does not make the engine wait for that retry."""
    engine, executor = make_engine(
        tmp_path, ONE, outcome=exits(1), config=Config(retries=1, retry_delay=500.0, retry_max_delay=500.0)
    )
    on(engine, EventKind.TASK_RETRYING, "A", lambda: engine.post(Command(kind, ("A",))))
    start = executor.clock.time
    assert engine.run().exit_code == (1 if kind is CommandKind.CANCEL else 0)
    assert executor.clock.time - start < 10.0


def test_a_stop_before_the_first_turn_starts_nothing(tmp_path: Path) -> None:
    """Ctrl-C while the engine is still opening: no worker is started only to be ended."""
    engine, executor = make_engine(tmp_path, ONE)
    engine.stop()
    assert engine.run().exit_code == 4
    assert not executor.jobs


def test_a_paused_run_with_nothing_left_ends(tmp_path: Path) -> None:
    """If a run is paused while its last task runs, it ends with that task."""
    engine, executor = make_engine(tmp_path, ONE)
    on(engine, EventKind.TASK_STARTED, "A", lambda: engine.store.record(EventKind.RUN_PAUSED, None, "", paused=True))
    turns, wait = [0], executor.wait

    def count(timeout: float | None) -> Any:
        turns[0] += 1
        return wait(timeout)

    executor.wait = count  # type: ignore[method-assign]
    assert engine.run(max_iterations=100).exit_code == 0
    assert turns[0] < 100


def test_pause_and_resume_with_the_same_engine(tmp_path: Path) -> None:
    """Paused: running tasks finish and nothing starts, however long; resumed: the same engine continues."""
    engine, executor = make_engine(tmp_path, [("A", "-"), ("B", "A"), ("C", "B")], max_workers=1)
    events = on(engine, EventKind.TASK_STARTED, "A", lambda: engine.post(Command(CommandKind.PAUSE)))
    turns = [0]
    real = executor.wait

    def wait(timeout: float | None) -> Any:
        turns[0] += 1
        if turns[0] == 50:
            assert not executor.running
            assert len(executor.jobs) < 3
            engine.post(Command(CommandKind.RESUME))
        return real(timeout)

    executor.wait = wait  # type: ignore[method-assign]
    assert engine.run(max_iterations=500).exit_code == 0
    assert turns[0] > 50
    assert [e.kind for e in events].count(EventKind.RUN_RESUMED) == 1


@pytest.mark.parametrize("asked", ["stop", "cancel"])
def test_what_ended_well_before_the_request_is_done(tmp_path: Path, asked: str) -> None:
    """The command exited with 0 by itself; the end is reported after the request: the task is done."""
    engine, executor = make_engine(tmp_path, ONE)

    def outcome(job: Job) -> Ended:
        if asked == "stop":
            engine.stop()
            engine._run.attempts.interrupt()
        else:
            engine.apply(Command(CommandKind.CANCEL, ("A",)))
        executor.reports.clear()
        executor.running[job.key] = job
        return ok(job)

    executor.outcome = outcome
    engine.run()
    task = tasks_of(tmp_path)["A"]
    assert (task.status.value, task.attempt) == ("completed", 1)
