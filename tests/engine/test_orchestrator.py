"""The engine's decisions, with fake processes: order, limits, verdicts, retries, commands, recovery."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from engines import make_engine, on, write_plan
from fakes import FakeClock, FakeExecutor, exits, ok, running

from nova_core.agents.pricing import Price
from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.errors import EnvironmentProblem, RunLockedError, UsageError
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.plan.selection import Selection
from nova_core.state import StateManager
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Reason, TaskStatus

DIAMOND = [("A", "-"), ("B", "A"), ("C", "A"), ("D", "B, C")]


def state_of(folder: Path) -> dict[str, dict[str, object]]:
    tasks: dict[str, dict[str, object]] = json.loads((folder / "cascade_state.json").read_text())["tasks"]
    return tasks


def started(executor: FakeExecutor) -> list[str]:
    return [job.key.partition("@")[0] for job in executor.jobs]


def test_a_plan_runs_to_its_end_in_dependency_order(tmp_path: Path) -> None:
    """Every task completes, after its dependencies, never more than `max_workers` at once."""
    engine, executor = make_engine(tmp_path, DIAMOND)
    result = engine.run()
    assert (result.exit_code, result.completed) == (0, 4)
    order = started(executor)
    assert order[0] == "A"
    assert order[-1] == "D"
    assert executor.most_running <= 2
    assert {t["status"] for t in state_of(tmp_path).values()} == {"completed"}


def test_the_longest_remaining_path_goes_first(tmp_path: Path) -> None:
    """With one worker, the head of the long chain starts before the tasks listed above it."""
    rows = [("S1", "-"), ("S2", "-"), ("L1", "-"), ("L2", "L1"), ("L3", "L2")]
    engine, executor = make_engine(tmp_path, rows, max_workers=1)
    engine.run()
    assert started(executor)[0] == "L1"


def test_a_failure_blocks_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    """Dependents stay pending and name the failure; independent work continues; exit code 1."""
    rows = [("A", "-"), ("B", "A"), ("C", "B"), ("X", "-"), ("Y", "X")]
    engine, _ = make_engine(tmp_path, rows, outcome=lambda job: exits(3 if job.key == "A@1" else 0)(job))
    result = engine.run()
    tasks = state_of(tmp_path)
    assert result.exit_code == 1
    assert (tasks["A"]["status"], tasks["A"]["reason"], tasks["A"]["exit_code"]) == ("failed", "exit_code", 3)
    assert [(tasks[i]["status"], tasks[i]["blocked_by"]) for i in "BC"] == [("pending", ["A"])] * 2
    assert tasks["Y"]["status"] == "completed"


def test_fail_fast_starts_nothing_more(tmp_path: Path) -> None:
    """After the first failure, running tasks may end, but no new task starts."""
    rows = [(f"T{i}", "-") for i in range(6)]
    engine, executor = make_engine(tmp_path, rows, outcome=exits(1), config=Config(fail_fast=True))
    assert engine.run().exit_code == 1
    assert len(executor.jobs) == 2


@pytest.mark.parametrize(
    ("ended", "reason", "words"),
    [
        ({"reason": EndReason.EXIT, "code": 3}, Reason.EXIT_CODE, "exit code 3"),
        ({"reason": EndReason.EXIT, "signal": 9}, Reason.SIGNAL, "killed by SIGKILL"),
        ({"reason": EndReason.TIMEOUT, "signal": 15}, Reason.TIMEOUT, "still running after 1m"),
        ({"reason": EndReason.IDLE_TIMEOUT, "signal": 15}, Reason.IDLE_TIMEOUT, "no output for 30s"),
        ({"reason": EndReason.SPAWN_ERROR, "detail": "no such file"}, Reason.SPAWN_ERROR, "no such file"),
        ({"reason": EndReason.LOST}, Reason.LOST, "how it ended is unknown"),
        ({"reason": EndReason.CANCELLED, "signal": 15}, Reason.CANCELLED, "cancelled"),
    ],
)
def test_each_end_has_its_reason(tmp_path: Path, ended: dict[str, object], reason: Reason, words: str) -> None:
    """The way a process ended becomes a reason for programs and a text for people."""
    config = Config(timeout=60.0, idle_timeout=30.0)
    engine, _ = make_engine(
        tmp_path, [("A", "-")], outcome=lambda job: msgspec.convert({"key": job.key, **ended}, Ended), config=config
    )
    assert engine.run().exit_code == 1
    task = state_of(tmp_path)["A"]
    assert task["reason"] == reason.value
    assert words in str(task["error"])


def test_missing_outputs_fail_a_task_that_exited_well(tmp_path: Path) -> None:
    """Exit 0 without the declared output is a failure that names the file."""
    engine, _ = make_engine(tmp_path, [("A", "-")], extra={"Outputs": {"A": "out.txt"}})
    assert engine.run().exit_code == 1
    task = state_of(tmp_path)["A"]
    assert task["reason"] == "missing_outputs"
    assert "out.txt" in str(task["error"])


def test_criteria_with_commands_are_proved_in_order(tmp_path: Path) -> None:
    """Each command runs as a job of its own; the first that fails fails the task, and the message names its log."""

    def outcome(job: Job) -> Ended:
        return exits(1 if job.key == "A@1+3" else 0)(job)

    write_plan(tmp_path, [("A", "-"), ("B", "A")])
    with (tmp_path / "CASCADE.md").open("a") as plan:
        plan.write("\n#### A\n\n- [ ] `test 1`\n- [ ] by eye\n- [ ] `test 2`\n- [ ] `test 3`\n")
    engine, executor = make_engine(tmp_path, outcome=outcome)
    assert engine.run().exit_code == 1
    assert [job.key for job in executor.jobs] == ["A@1", "A@1+1", "A@1+3"]
    task = state_of(tmp_path)["A"]
    assert (task["reason"], task["criteria_met"]) == ("check_failed", [1])
    assert "logs/A.check-3.log" in str(task["error"])
    assert state_of(tmp_path)["B"]["blocked_by"] == ["A"]


def test_retries_back_off_and_then_give_up(tmp_path: Path) -> None:
    """With two retries a task is tried three times, each wait at most twice as long as the one before allows."""
    engine, executor = make_engine(
        tmp_path, [("A", "-")], outcome=exits(1), config=Config(retries=2, retry_delay=4.0, retry_max_delay=100.0)
    )
    events: list[Event] = []
    engine.subscribe(events.append)
    start = executor.clock.time
    assert engine.run().exit_code == 1
    assert [job.key for job in executor.jobs] == ["A@1", "A@2", "A@3"]
    assert 6.0 <= executor.clock.time - start <= 13.0
    assert [e.kind for e in events].count(EventKind.TASK_RETRYING) == 2
    assert state_of(tmp_path)["A"]["failures"] == 3


def test_a_task_with_approval_waits_without_a_worker(tmp_path: Path) -> None:
    """The run ends with exit code 4 while a task needs approval; `approve` completes the task, `reject` fails it."""
    rows = [("A", "-"), ("B", "-"), ("C", "A")]
    engine, _ = make_engine(tmp_path, rows, extra={"Approval": {"A": "after", "B": "after"}})
    result = engine.run()
    assert (result.exit_code, result.waiting_approval) == (4, 2)
    engine, _ = make_engine(tmp_path)
    assert engine.apply(Command(CommandKind.APPROVE, ("A",))).ok
    assert engine.apply(Command(CommandKind.REJECT, ("B",), text="too long")).ok
    assert not engine.apply(Command(CommandKind.APPROVE, ("C",))).ok
    assert engine.run().exit_code == 1
    tasks = state_of(tmp_path)
    assert (tasks["A"]["status"], tasks["C"]["status"]) == ("completed", "completed")
    assert (tasks["B"]["reason"], tasks["B"]["error"]) == ("rejected", "rejected: too long")


def test_retry_frees_the_blocked(tmp_path: Path) -> None:
    """After `retry` the failed task runs as attempt 2 and its dependents follow; its old log is kept."""
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "A")], outcome=exits(1))
    engine.run()
    (tmp_path / "logs" / "A.log").write_text("first\n")
    engine, executor = make_engine(tmp_path)
    reply = engine.apply(Command(CommandKind.RETRY))
    assert reply.ok
    assert "A" in reply.message
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["A@2", "B@1"]
    assert (tmp_path / "logs" / "A.1.log").read_text() == "first\n"


def test_skip_counts_as_done_for_dependents(tmp_path: Path) -> None:
    """A skipped task is completed, marked as skipped, and releases its dependents."""
    engine, executor = make_engine(tmp_path, [("A", "-"), ("B", "A")])
    assert engine.apply(Command(CommandKind.SKIP, ("A",))).ok
    assert engine.run().exit_code == 0
    assert started(executor) == ["B"]
    assert state_of(tmp_path)["A"]["skipped"] is True


def test_a_stopped_run_continues_where_it_was(tmp_path: Path) -> None:
    """`stop` ends running tasks; they are pending again, not failed, and the next run finishes."""
    held = FakeExecutor(FakeClock(), lambda job: None if job.key == "B@1" else ok(job))
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "-"), ("C", "A")], executor=held)
    engine.subscribe(lambda e: engine.stop() if e.kind is EventKind.TASK_COMPLETED and e.task == "C" else None)
    assert engine.run().exit_code == 4
    assert held.cancelled == ["B@1"]
    assert state_of(tmp_path)["B"]["status"] == "pending"
    engine, executor = make_engine(tmp_path)
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["B@2"]


def test_living_workers_are_adopted_and_ended_ones_collected(tmp_path: Path) -> None:
    """A new engine restarts nothing: it adopts a running task, collects an ended one, and starts one that never
    started."""
    rows = [(i, "-") for i in ("LIVE", "ENDED", "NEVER", "LOST", "UNKNOWN")]
    engine, _ = make_engine(tmp_path, rows, max_workers=4, outcome=lambda job: None)
    engine._begin()
    for task_id in ("LIVE", "ENDED", "NEVER", "LOST"):
        engine.start_worker(task_id)
    engine.store.flush()
    engine.close()

    executor = FakeExecutor(FakeClock())
    executor.found = [
        running("LIVE@1"),
        Ended("ENDED@1", EndReason.EXIT, code=0),
        Ended("LOST@1", EndReason.LOST),
        running("UNKNOWN@1"),  # started, but the engine died before it could record that
    ]
    executor.running = {key: Job(key, shell="x") for key in ("LIVE@1", "UNKNOWN@1")}
    engine, _ = make_engine(tmp_path, executor=executor, max_workers=4)
    assert engine.run().exit_code == 1
    assert [job.key for job in executor.jobs] == ["NEVER@1"] or [job.key for job in executor.jobs] == ["NEVER@2"]
    tasks = state_of(tmp_path)
    assert {i: t["status"] for i, t in tasks.items()} == {
        "LIVE": "completed", "ENDED": "completed", "NEVER": "completed", "LOST": "failed", "UNKNOWN": "completed",
    }  # fmt: skip
    assert tasks["LOST"]["reason"] == "lost"
    assert set(executor.released) >= {"LIVE@1", "ENDED@1", "LOST@1", "UNKNOWN@1"}


def test_an_outside_writer_is_heard(tmp_path: Path) -> None:
    """A task completed through `StateManager` elsewhere makes its dependents ready, with or without a loop."""
    engine, executor = make_engine(tmp_path, DIAMOND)
    assert engine.get_ready_tasks() == ["A"]
    StateManager(tmp_path / "cascade_state.json").complete_task("A", duration_seconds=1)
    assert engine.get_ready_tasks() == ["B", "C"]
    assert engine.run().exit_code == 0
    assert started(executor) == ["B", "C", "D"]


def test_a_second_engine_is_rejected(tmp_path: Path) -> None:
    """While one engine holds the run another cannot be created, and the error gives the first one's pid."""
    engine, _ = make_engine(tmp_path, DIAMOND)
    with pytest.raises(RunLockedError, match="pid"):
        make_engine(tmp_path)
    engine.close()
    make_engine(tmp_path)[0].close()


def test_stepping_by_hand(tmp_path: Path) -> None:
    """The documents' way: start a worker, monitor, read the summary."""
    engine, _ = make_engine(tmp_path, DIAMOND)
    engine.start_worker("A")
    assert list(engine.active_workers) == ["A"]
    engine.monitor_workers()
    assert engine.get_status_summary() == {
        "total_tasks": 4, "completed": 1, "failed": 0, "in_progress": 0, "pending": 3, "active_workers": 0,
    }  # fmt: skip
    with pytest.raises(UsageError):
        engine.start_worker("D")


def test_max_iterations_bounds_the_turns(tmp_path: Path) -> None:
    """A run of a worker that never ends returns after the given number of turns."""
    engine, _ = make_engine(tmp_path, [("A", "-")], outcome=lambda job: None)
    engine.run(check_interval=0.1, max_iterations=3)
    assert state_of(tmp_path)["A"]["status"] == "in_progress"


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(only=("A",)), ["A"]),
        (Selection(until=("B",)), ["A", "B"]),
        (Selection(branches=("Branch",)), ["A", "B", "C", "D"]),
        (Selection(groups=("Group",)), ["A", "B", "C", "D"]),
        (Selection(only=("B",)), []),
    ],
)
def test_a_selection_limits_the_run(tmp_path: Path, selection: Selection, expected: list[str]) -> None:
    """Only selected tasks start; a selected task whose dependency is not selected waits (exit code 4)."""
    engine, executor = make_engine(tmp_path, DIAMOND, selection=selection)
    code = engine.run().exit_code
    assert sorted(started(executor)) == expected
    assert code == (0 if expected else 4)


def test_an_unknown_name_in_a_selection_is_rejected(tmp_path: Path) -> None:
    """A misspelt id gets a suggestion."""
    with pytest.raises(UsageError) as caught:
        make_engine(tmp_path, [("Alpha", "-")], selection=Selection(only=("Alhpa",)))
    assert "Alpha" in caught.value.hint


def test_a_changed_plan_is_compared_with_the_state(tmp_path: Path) -> None:
    """Added tasks run, removed ones leave, finished edited ones stay unless requested, failed edited ones run again."""

    def outcome(job: Job) -> Ended:
        return exits(1 if job.key.startswith("BAD") else 0)(job)

    make_engine(tmp_path, [("OK", "-"), ("GONE", "-"), ("BAD", "-")], outcome=outcome)[0].run()
    edited = {"Command": {"OK": "echo new", "BAD": "echo fixed"}}
    engine, executor = make_engine(tmp_path, [("OK", "-"), ("BAD", "-"), ("NEW", "OK")], extra=edited)
    events = [e for e in engine.store._events if e.kind is EventKind.PLAN_CHANGED] or [
        e for e in engine.store.database.events_since(0) if e.kind is EventKind.PLAN_CHANGED
    ]
    assert any("1 added (NEW); 1 removed (GONE); 2 edited (OK, BAD)" in e.message for e in events)
    assert engine.run().exit_code == 0
    assert sorted(job.key for job in executor.jobs) == ["BAD@2", "NEW@1"]
    assert list(state_of(tmp_path)) == ["OK", "BAD", "NEW"]

    engine, executor = make_engine(tmp_path, rerun_changed=True)
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["OK@2", "NEW@2"]


def test_nothing_to_run_a_task_with_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    """A task without command and agent gives exit code 8 with a hint, and no other task has started."""
    engine, executor = make_engine(tmp_path, [("A", "-"), ("B", "-")], extra={"Command": {"A": "true", "B": ""}})
    with pytest.raises(EnvironmentProblem) as caught:
        engine.run()
    assert caught.value.exit_code == 8
    assert "nova.yaml" in caught.value.hint
    assert not executor.jobs


def test_the_command_cell_beats_the_command_for_all(tmp_path: Path) -> None:
    """Precedence: the task's own command, then the one for all tasks."""
    engine, executor = make_engine(
        tmp_path, [("A", "-"), ("B", "-")], extra={"Command": {"A": "own", "B": ""}}, config=Config(command="for all")
    )
    engine.run()
    assert {job.key: job.shell for job in executor.jobs} == {"A@1": "own", "B@1": "for all"}


def test_a_damaged_state_is_kept_aside_and_rebuilt(tmp_path: Path) -> None:
    """The events rebuild the state; the damaged file is kept; nothing runs twice."""
    make_engine(tmp_path, DIAMOND)[0].run()
    (tmp_path / "cascade_state.json").write_text('{"half')
    engine, executor = make_engine(tmp_path)
    assert engine.run().exit_code == 0
    assert not executor.jobs
    (kept,) = tmp_path.glob("cascade_state.json.corrupt-*")
    assert kept.read_text() == '{"half'


def test_fresh_puts_the_old_run_aside(tmp_path: Path) -> None:
    """`fresh` runs everything again and keeps the old state and logs."""
    make_engine(tmp_path, DIAMOND)[0].run()
    engine, executor = make_engine(tmp_path, fresh=True)
    assert engine.run().exit_code == 0
    assert len(executor.jobs) == 4
    assert list((tmp_path / ".nova" / "old").glob("*/cascade_state.json"))


def test_budget_stops_dispatch(tmp_path: Path) -> None:
    """Nothing starts that would exceed the cap, judged by the cost of similar tasks: exit code 5."""
    rows = [(f"T{i}", "T0" if i else "-") for i in range(4)]
    executor = FakeExecutor(FakeClock())

    def outcome(job: Job) -> Ended:
        (tmp_path / "logs" / job.log).write_text(
            "Token usage: input=1000000, output=0, cache_read=0, cache_creation=0\n"
        )
        executor.clock.advance(2.0)
        return ok(job)

    executor.outcome = outcome
    engine, _ = make_engine(
        tmp_path, rows, executor=executor, max_workers=1, extra={"Model": {f"T{i}": "m" for i in range(4)}},
        config=Config(budget=5.0, prices={"m": Price(3.0, 1.0)}),
    )  # fmt: skip
    result = engine.run()
    assert result.exit_code == 5
    assert result.cost_usd == pytest.approx(3.0)
    assert len(executor.jobs) == 1


def test_pause_before_a_run_is_exit_code_4_and_resume_continues(tmp_path: Path) -> None:
    """A paused run starts nothing; `resume` lets the next one finish."""
    engine, _ = make_engine(tmp_path, DIAMOND)
    assert engine.apply(Command(CommandKind.PAUSE)).ok
    result = engine.run()
    assert (result.exit_code, result.completed) == (4, 0)
    engine, _ = make_engine(tmp_path)
    assert engine.apply(Command(CommandKind.RESUME)).ok
    assert engine.run().exit_code == 0


def test_a_run_that_is_paused_while_nobody_watches_ends(tmp_path: Path) -> None:
    """Without a person to resume it, a run that is paused half way ends with exit code 4 once nothing runs."""
    engine, executor = make_engine(tmp_path, DIAMOND, attended=False)
    on(engine, EventKind.TASK_STARTED, "A", lambda: engine.post(Command(CommandKind.PAUSE)))
    assert engine.run().exit_code == 4
    assert "A@1" in {job.key for job in executor.jobs}
    assert engine.store.run.paused


def test_a_paused_run_that_is_watched_says_what_it_waits_for(tmp_path: Path) -> None:
    """It says once per pause that it waits for `nova resume`, and continues when it is resumed."""
    engine, _ = make_engine(tmp_path, DIAMOND)
    on(engine, EventKind.TASK_STARTED, "A", lambda: engine.post(Command(CommandKind.PAUSE)))
    seen = on(engine, EventKind.WARNING, None, lambda: engine.post(Command(CommandKind.RESUME)))
    assert engine.run().exit_code == 0
    assert [e.message for e in seen if e.kind is EventKind.WARNING] == [
        "the run is paused and nothing is running; it waits for nova resume, in another terminal"
    ]


def test_every_event_has_the_next_rev_and_folds_to_the_state(tmp_path: Path) -> None:
    """Revisions are contiguous, and a state rebuilt from the events alone equals the one on disk."""
    make_engine(tmp_path, DIAMOND, outcome=lambda job: exits(1 if job.key == "B@1" else 0)(job))[0].run()
    before = state_of(tmp_path)
    engine, _ = make_engine(tmp_path)
    revs = [event.rev for event in engine.store.database.events_since(0)]
    assert revs == list(range(1, len(revs) + 1))
    engine.close()
    (tmp_path / "cascade_state.json").write_text("")
    (tmp_path / "cascade_state.json").unlink()
    engine, _ = make_engine(tmp_path)
    engine.close()
    after = state_of(tmp_path)
    assert {i: t["status"] for i, t in after.items()} == {i: t["status"] for i, t in before.items()}
    assert after["B"]["error"] == before["B"]["error"]
    assert TaskStatus(str(after["D"]["status"])) is TaskStatus.PENDING
