"""The engine where things meet: races with other writers, cancels, resumes, poisoned messages, pauses, big fans."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engines import drop, make_engine, report, write_plan
from fakes import FakeClock, FakeExecutor, exits, ok, running

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.engine.startup import Host, RunOptions
from nova_core.errors import StateError
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.orchestrator import Orchestrator
from nova_core.state import StateManager
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Reason, TaskState, TaskStatus

PAIR = [("A", "-"), ("B", "A")]
ONE = [("A", "-")]


def tasks_of(folder: Path) -> dict[str, TaskState]:
    return StateManager(folder / "cascade_state.json").load().tasks


def add_criteria(folder: Path, task_id: str, *commands: str) -> None:
    lines = "".join(f"- [ ] `{command}`\n" for command in commands)
    with (folder / "CASCADE.md").open("a") as plan:
        plan.write(f"\n#### {task_id}\n\n{lines}")


def on(engine: Orchestrator, kind: EventKind, task_id: str | None, action: Callable[[], object]) -> list[Event]:
    """Run `action` at the first such event; returns the list that all events go into."""
    seen: list[Event] = []
    armed = [True]

    def listen(event: Event) -> None:
        seen.append(event)
        if armed and event.kind is kind and event.task == task_id:
            armed.clear()
            action()

    engine.subscribe(listen)
    return seen


def killed(engine: Orchestrator) -> None:
    """What a kill leaves: what is on disk, and no lock."""
    engine.close()


# messages


def test_a_last_report_counts_though_the_worker_has_left(tmp_path: Path) -> None:
    """What a worker reports right before it exits is read before its end is judged."""
    engine, executor = make_engine(tmp_path, ONE)

    def outcome(job: Job) -> Ended:
        report(engine, "A", tokens={"input_tokens": 7}, step="bye")
        return ok(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 0
    assert tasks_of(tmp_path)["A"].token_usage.input_tokens == 7


def test_reports_that_came_while_no_engine_ran_count(tmp_path: Path) -> None:
    """A worker that reported and ended while the engine was dead is believed by the next one."""
    engine, _ = make_engine(tmp_path, ONE, outcome=lambda job: None)
    engine.start_worker("A")
    engine.store.flush()
    report(engine, "A", tokens={"output_tokens": 9})
    killed(engine)
    executor = FakeExecutor(FakeClock())
    executor.found = [Ended("A@1", EndReason.EXIT, code=0)]
    engine, _ = make_engine(tmp_path, executor=executor)
    assert engine.run().exit_code == 0
    assert tasks_of(tmp_path)["A"].token_usage.output_tokens == 9


@pytest.mark.parametrize(
    "fields",
    [
        {"tokens": {"input_tokens": 10**30}},
        {"tokens": {"input_tokens": -5}},
        {"percent": 10**30},
        {"criterion": 10**30},
        {"step": "\ud800"},
        {"message": "\udfff"},
        {"files": ["\ud800", "x" * 5000]},
        {"step": "x" * 100_000},
    ],
)
def test_no_report_can_break_the_run(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Numbers and texts no honest worker sends are refused or cut; the task ends as its process did."""
    engine, executor = make_engine(tmp_path, ONE)

    def outcome(job: Job) -> Ended:
        report(engine, "A", **fields)
        return ok(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 0
    usage = tasks_of(tmp_path)["A"].token_usage
    assert 0 <= usage.total < 1 << 53


@pytest.mark.parametrize("text", ["²", "9" * 5000, "-1", "0", "", "1e3", "٣x"])
def test_no_number_of_workers_can_break_the_run(tmp_path: Path, text: str) -> None:
    """A `jobs` command that makes no sense is refused."""
    engine, _ = make_engine(tmp_path, ONE)
    assert not engine.apply(Command(CommandKind.JOBS, text=text)).ok
    engine.close()


def test_an_answered_command_is_on_disk(tmp_path: Path) -> None:
    """When the answer is there, the command survives a kill at that very moment."""
    engine, _executor = make_engine(tmp_path, [("A", "-"), ("B", "-")], outcome=lambda job: None, max_workers=1)
    engine._begin()
    engine.store.flush()
    path = drop(engine, json.dumps({"kind": "command", "command": {"kind": "skip", "ids": ["B"]}}).encode())
    engine._run.inbox.read()
    assert json.loads((engine.project.inbox_dir / "ack" / path.name).read_bytes())["ok"]
    killed(engine)
    engine, _ = make_engine(tmp_path)
    assert engine.board.state("B").skipped
    engine.close()


def test_a_folder_in_the_inbox_is_told_once(tmp_path: Path) -> None:
    """What cannot be removed is moved out of the way, and no descriptor stays open."""
    engine, _executor = make_engine(tmp_path, ONE, outcome=lambda job: None)
    events: list[Event] = []
    engine.subscribe(events.append)
    engine._begin()
    (engine.project.inbox_dir / "new" / "folder").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        engine._run.inbox.read()
    assert len([e for e in events if "refused" in e.message]) == 1
    assert len(os.listdir("/proc/self/fd")) == before
    engine.close()


# cancel, stop, pause


def test_a_cancel_that_misses_the_command_stops_the_checks(tmp_path: Path) -> None:
    """The command had just ended well when the cancel came: its criteria are not begun, the task is cancelled."""
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
    """The exit code came before the cancel did: the task has failed, but nobody wants it tried again."""
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
    """Cancelling while a criterion is proved cancels the task."""
    write_plan(tmp_path, PAIR)
    add_criteria(tmp_path, "A", "sleep 9", "true")
    engine, executor = make_engine(tmp_path, outcome=lambda job: None if "+" in job.key else ok(job))
    on(engine, EventKind.TASK_VERIFYING, "A", lambda: engine.post(Command(CommandKind.CANCEL, ("A",))))
    assert engine.run().exit_code == 1
    assert executor.cancelled == ["A@1+1"]
    assert (tasks_of(tmp_path)["A"].reason, tasks_of(tmp_path)["B"].blocked_by) == (Reason.CANCELLED, ("A",))


@pytest.mark.parametrize("kind", [CommandKind.CANCEL, CommandKind.SKIP])
def test_a_retry_that_is_called_off_does_not_hold_the_run(tmp_path: Path, kind: CommandKind) -> None:
    """Cancelled or skipped in its pause before a retry, a task does not make the engine wait for that retry."""
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
    """Paused while the last task runs: when it is done there is nothing to wait for."""
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
    """Paused: what runs finishes, nothing starts, however long; resumed: the same engine goes on."""
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


# other writers


def test_an_outside_change_met_while_publishing_reaches_the_board(tmp_path: Path) -> None:
    """Another program completes a task between two looks, and the engine meets it as it publishes: not run again."""
    engine, executor = make_engine(tmp_path, PAIR)
    engine._begin()
    StateManager(tmp_path / "cascade_state.json").complete_task("A")
    engine.store.record(EventKind.WARNING, None, "anything")
    engine.store.flush()
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["B@1"]


def test_a_state_file_deleted_during_a_run_comes_back(tmp_path: Path) -> None:
    """Nothing happens for hours, but whoever looks finds the state."""
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
    """A worker that calls itself completed through `StateManager` frees nobody before its end is judged."""
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


# resume


def test_records_of_checks_are_released_too(tmp_path: Path) -> None:
    """Once the state is on disk, the records of command and checks go, also when a check came first."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "A", "true", "true")
    engine, executor = make_engine(tmp_path)
    assert engine.run().exit_code == 0
    assert sorted(executor.released) == ["A@1", "A@1+1", "A@1+2"]


def test_a_criterion_proved_before_a_kill_counts_once(tmp_path: Path) -> None:
    """Killed between two checks: the next engine takes the first one's record, and lists it once."""
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
    """A retry that began just before a kill still counts the failures before it."""
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
    """A removed task's number of attempts goes on: its old records, logs and tokens belong to nobody."""
    rows = [("A", "-"), ("B", "-")]
    make_engine(tmp_path, rows, outcome=lambda job: (exits(1) if job.key == "A@1" else ok)(job))[0].run()
    make_engine(tmp_path, [("B", "-")])[0].run()
    executor = FakeExecutor(FakeClock())
    executor.found = [Ended("A@1", EndReason.EXIT, code=0)]  # in a journal that holds somebody else's end, too
    engine, _ = make_engine(tmp_path, rows, executor=executor)
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["A@2"]


def test_fresh_takes_nothing_over(tmp_path: Path) -> None:
    """`fresh` runs everything: what an old engine left running is ended, what had ended is no result."""
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
        options=RunOptions(fresh=True), host=Host(executor.clock, make_executor=lambda *_: fakes.pop(0)),
    )  # fmt: skip
    assert engine.run().exit_code == 0
    assert executor.cancelled == ["B@1"]
    assert sorted(executor.released) == ["A@1", "B@1"]
    assert sorted(job.key for job in second.jobs) == ["A@1", "B@1"]


@pytest.mark.parametrize("edit", [False, True])
def test_a_running_task_whose_records_are_gone_is_lost(tmp_path: Path, edit: bool) -> None:
    """`.nova` was deleted: nobody can know, whatever else has changed since."""
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
    """Edited, retried by hand and completed with the new words: `rerun_changed` leaves it alone."""
    make_engine(tmp_path, ONE)[0].run()
    engine, _ = make_engine(tmp_path, ONE, extra={"Command": {"A": "echo new"}})
    engine.apply(Command(CommandKind.RETRY, ("A",)))
    assert engine.run().exit_code == 0
    engine, executor = make_engine(tmp_path, rerun_changed=True)
    assert engine.run().exit_code == 0
    assert not executor.jobs


def test_a_stamp_nobody_can_read_does_not_stop_a_resume(tmp_path: Path) -> None:
    """Another program wrote `started_at` in its own words: the worker is taken over all the same."""
    engine, _ = make_engine(tmp_path, ONE, outcome=lambda job: None)
    engine.start_worker("A")
    engine.store.flush()
    killed(engine)
    StateManager(tmp_path / "cascade_state.json").update_task("A", started_at="yesterday")
    executor = FakeExecutor(FakeClock())
    executor.found = [Ended("A@1", EndReason.EXIT, code=0)]
    engine, _ = make_engine(tmp_path, executor=executor)
    assert engine.run().exit_code == 0


def test_a_retry_waits_by_the_steady_clock(tmp_path: Path) -> None:
    """The wall clock is set back by an hour during the pause before a retry: the pause is not an hour longer."""
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
    """Valid JSON that is no state is damage like any other."""
    make_engine(tmp_path, PAIR)[0].run()
    (tmp_path / "cascade_state.json").write_text(text)
    engine, executor = make_engine(tmp_path)
    assert engine.run().exit_code == 0
    assert not executor.jobs
    (kept,) = tmp_path.glob("cascade_state.json.corrupt-*")
    assert kept.read_text() == text


def test_a_state_from_a_newer_nova_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Also when there are events to rebuild it from."""
    make_engine(tmp_path, PAIR)[0].run()
    path = tmp_path / "cascade_state.json"
    path.write_text('{"version": 2, "tasks": []}')
    with pytest.raises(StateError, match="newer"):
        make_engine(tmp_path)
    assert path.read_text() == '{"version": 2, "tasks": []}'


def test_ending_left_workers_does_not_reopen_a_finished_project(tmp_path: Path) -> None:
    """`nova cancel` without an engine is no run: `completed_at` stays."""
    engine, _ = make_engine(tmp_path, ONE)
    engine.run()
    manager = StateManager(tmp_path / "cascade_state.json")
    before = manager.load().project
    engine, _ = make_engine(tmp_path)
    engine.cancel_without_engine(Command(CommandKind.CANCEL))
    engine.close()
    assert manager.load().project == before


# commands on the graph


def test_a_failed_retry_blocks_only_what_still_waits(tmp_path: Path) -> None:
    """A is run again and fails while its dependents are completed: they stay as they are, not marked blocked."""
    rows = [("A", "-"), ("B", "A"), ("C", "B"), ("D", "A, X"), ("X", "-")]
    engine, _ = make_engine(
        tmp_path, rows, outcome=lambda job: exits(1 if job.key in ("A@2", "X@1") else 0)(job), max_workers=1
    )
    engine.run()
    engine, _ = make_engine(tmp_path, outcome=exits(1))
    assert engine.apply(Command(CommandKind.RETRY, ("A",))).ok
    engine.run()
    tasks = tasks_of(tmp_path)
    assert [tasks[i].blocked_by for i in "ABCX"] == [()] * 4
    assert set(tasks["D"].blocked_by) == {"A", "X"}


def test_ids_named_twice_count_once(tmp_path: Path) -> None:
    """`nova skip A A` skips A."""
    engine, _ = make_engine(tmp_path, PAIR)
    for kind in (CommandKind.SKIP, CommandKind.RETRY):
        assert engine.apply(Command(kind, ("A", "A"))).ok
    engine.close()


def test_a_retried_task_that_nothing_can_run_fails_alone(tmp_path: Path) -> None:
    """Skipped because it has no command, then retried on the live engine: that task fails, the engine goes on."""
    engine, executor = make_engine(tmp_path, [("A", "-"), ("B", "-")], extra={"Command": {"A": "", "B": "true"}})
    assert engine.apply(Command(CommandKind.SKIP, ("A",))).ok
    on(engine, EventKind.TASK_STARTED, "B", lambda: engine.post(Command(CommandKind.RETRY, ("A",))))
    waits = [0]

    def outcome(job: Job) -> Ended | None:
        waits[0] += 1
        return ok(job) if waits[0] > 10 else None

    executor.outcome = outcome
    assert engine.run().exit_code == 1
    tasks = tasks_of(tmp_path)
    assert (tasks["A"].reason, tasks["B"].status) == (Reason.SPAWN_ERROR, TaskStatus.COMPLETED)


def test_an_unreadable_disk_flag_is_not_cleared_by_half_a_success(tmp_path: Path) -> None:
    """The history can be written, the state cannot: nothing starts until both can."""
    engine, _ = make_engine(tmp_path, ONE)
    engine.store.refuse(OSError(28, "No space left on device"))
    engine.store.commit()
    assert engine.store.disk_error
    engine.store.flush()
    assert not engine.store.disk_error
    engine.close()
