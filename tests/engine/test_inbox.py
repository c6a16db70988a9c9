"""Messages of workers and people in the inbox: each is read once, and can break nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from engines import drop, killed, make_engine, report, tasks_of
from fakes import FakeClock, FakeExecutor, ok

from nova_core.command import Command, CommandKind
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.state.events import Event

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


@pytest.mark.parametrize("text", ["²", "9" * 5000, "-1", "0", "", "1e3", "٣x"])
def test_no_number_of_workers_can_break_the_run(tmp_path: Path, text: str) -> None:
    """An invalid `jobs` command is rejected."""
    engine, _ = make_engine(tmp_path, ONE)
    assert not engine.apply(Command(CommandKind.JOBS, text=text)).ok
    engine.close()


def test_an_answered_command_is_on_disk(tmp_path: Path) -> None:
    """Once the answer is there, the command survives a kill immediately after it."""
    engine, _executor = make_engine(tmp_path, [("A", "-"), ("B", "-")], outcome=lambda job: None, max_workers=1)
    engine._begin()
    engine.store.flush()
    path = drop(engine, json.dumps({"kind": "command", "command": {"kind": "skip", "ids": ["B"]}}).encode())
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
