"""Messages of workers and people in the inbox: each is read once, and can break nothing."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from engines import add_criteria, drop, killed, make_engine, on, order, report, tasks_of, write_plan
from fakes import FakeClock, FakeExecutor, ok

from nova_core.command import Command, CommandKind
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.files.inbox import load_secret, read_secret
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import Event, EventKind

ONE = [("A", "-")]


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
    """The next engine accepts the report of a worker that reported and ended while no engine ran."""
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


@pytest.mark.parametrize(("criterion", "met"), [(0, False), (1, True), (2, True), (3, False), (-1, False)])
def test_a_report_of_a_criterion_that_is_not_there_is_rejected(tmp_path: Path, criterion: int, met: bool) -> None:
    """A warning says so, and nothing of the report is applied."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "A", "true", "true")
    engine, executor = make_engine(tmp_path)
    warnings: list[str] = []
    engine.subscribe(lambda event: warnings.append(event.message) if event.kind is EventKind.WARNING else None)

    def outcome(job: Job) -> Ended:
        if job.key == "A@1":
            report(engine, "A", criterion=criterion, note="left")
        return ok(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 0
    assert warnings == ([] if met else [f"a report for A was rejected: the task has no criterion {criterion}"])
    assert (tasks_of(tmp_path)["A"].handoff is not None) is met


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
    """Invalid numbers and texts are rejected or cut; the task ends as its process did."""
    engine, executor = make_engine(tmp_path, ONE)

    def outcome(job: Job) -> Ended:
        report(engine, "A", **fields)
        return ok(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 0
    usage = tasks_of(tmp_path)["A"].token_usage
    assert 0 <= usage.total < 1 << 53


@pytest.mark.parametrize("text", ["²", "9" * 5000, "-0", "0", "", "1e3", "-+1", "+", "--1", "٣x"])
def test_no_number_of_workers_can_break_the_run(tmp_path: Path, text: str) -> None:
    """An invalid `jobs` command is rejected."""
    engine, _ = make_engine(tmp_path, ONE)
    assert not engine.apply(Command(CommandKind.JOBS, text=text)).ok
    engine.close()


def test_workers_are_added_and_removed_one_by_one(tmp_path: Path) -> None:
    """Commands with a sign are relative, so that each of several keys in a row counts; one worker stays.

    Each change is an event, from which viewers know the number.
    """
    engine, _ = make_engine(tmp_path, ONE, outcome=lambda job: None, max_workers=2)
    events = on(engine, EventKind.WORKERS_CHANGED, None, lambda: None)
    engine._begin()
    assert engine.store.run.jobs == 2
    said = [engine.apply(Command(CommandKind.JOBS, text=text)).message for text in ("+1", "+1", "-1", "7", "-9", "-1")]
    assert said == ["3 workers", "4 workers", "3 workers", "7 workers", "1 worker", "1 worker"]
    changes = [event for event in events if event.kind is EventKind.WORKERS_CHANGED]
    assert [event.message for event in changes] == [f"workers: {n}" for n in (3, 4, 3, 7, 1)]
    assert (engine.max_workers, engine.store.run.jobs) == (1, 1)
    engine.close()


def test_an_answered_command_is_on_disk(tmp_path: Path) -> None:
    """Once the answer is there, the command survives a kill immediately after it."""
    engine, _executor = make_engine(tmp_path, [("A", "-"), ("B", "-")], outcome=lambda job: None, max_workers=1)
    engine._begin()
    engine.store.flush()
    path = order(engine, Command(CommandKind.SKIP, ("B",)))
    engine._run.inbox.read()
    assert not (engine.project.inbox_dir / "ack" / path.name).exists(), "it is not on disk yet"
    engine.store.tick()
    assert json.loads((engine.project.inbox_dir / "ack" / path.name).read_bytes())["ok"]
    killed(engine)
    engine, _ = make_engine(tmp_path)
    assert engine.board.state("B").skipped
    engine.close()


def test_a_folder_in_the_inbox_is_reported_once(tmp_path: Path) -> None:
    """What cannot be removed is moved aside, and no descriptor stays open."""
    engine, _executor = make_engine(tmp_path, ONE, outcome=lambda job: None)
    events: list[Event] = []
    engine.subscribe(events.append)
    engine._begin()
    (engine.project.inbox_dir / "new" / "folder").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        engine._run.inbox.read()
    assert len([e for e in events if "rejected" in e.message]) == 1
    assert len(os.listdir("/proc/self/fd")) == before
    engine.close()


SKIP_B = Command(CommandKind.SKIP, ("B",))


def answers(engine: Orchestrator, path: Path) -> bool:
    """Whether the engine carried out the command in the file, once that is on disk."""
    engine.store.tick()
    reply = json.loads((engine.project.inbox_dir / "ack" / path.name).read_bytes())
    return bool(reply["ok"])


def forge(engine: Orchestrator, how: str) -> Path:
    """Put the command that skips B into the inbox, with a proof that is worth nothing."""
    if how == "no proof":
        return drop(engine, json.dumps({"kind": "command", "command": {"kind": "skip", "ids": ["B"]}}).encode())
    if how == "another key":
        return order(engine, SKIP_B, key=b"x" * 32)
    if how == "an hour old":
        return order(engine, SKIP_B, at=time.time_ns() - 3600 * 10**9)
    path = order(engine, Command(CommandKind.RETRY, ("B",)))
    if how == "another file":
        return path.rename(path.with_name(f"{time.time_ns()}.2.x"))
    path.write_text(path.read_text().replace("retry", "skip"))
    return path


@pytest.mark.parametrize("how", ["no proof", "another key", "another command", "another file", "an hour old"])
def test_a_command_without_a_proof_is_ignored_and_named(tmp_path: Path, how: str) -> None:
    """From a program that does not know the project's key: nothing changes, and a warning says what it wanted."""
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "-")], outcome=lambda job: None, max_workers=1)
    events: list[Event] = []
    engine.subscribe(events.append)
    engine._begin()
    path = forge(engine, how)
    engine._run.inbox.read()
    assert not answers(engine, path)
    assert not engine.board.state("B").skipped
    (said,) = [e.message for e in events if e.kind is EventKind.WARNING]
    assert "ignored" in said
    assert ("retry B" if how == "another file" else "skip B") in said
    engine.close()


def test_a_command_that_comes_back_is_not_carried_out_again(tmp_path: Path) -> None:
    """A copy of a file that a person sent proves nothing the second time."""
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "-")], outcome=lambda job: None, max_workers=1)
    engine._begin()
    path = order(engine, Command(CommandKind.PAUSE))
    data = path.read_bytes()
    engine._run.inbox.read()
    engine.apply(Command(CommandKind.RESUME))
    drop(engine, data, path.name)
    engine._run.inbox.read()
    assert not engine.store.run.paused
    engine.close()


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_a_report_needs_the_token_of_its_attempt(tmp_path: Path, token: str) -> None:
    """Nobody reports for a task without its token, and none counts as no proof."""
    engine, _ = make_engine(tmp_path, ONE, outcome=lambda job: None)
    engine.start_worker("A")
    report(engine, "A", token=token, step="forged")
    engine._run.inbox.read()
    assert engine.store.tasks["A"].current_step != "forged"
    engine.close()


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    """A key that others could read is closed to them."""
    path = tmp_path / "secret"
    key = load_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert load_secret(path) == key == read_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
