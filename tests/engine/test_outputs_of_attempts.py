"""Which outputs count for an attempt, also when another engine than the one that started it judges them."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import killed, make_engine, tasks_of
from fakes import FakeClock, FakeExecutor, ok

from nova_core.config import Config
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.state.schema import Reason, TaskStatus

ONE = [("A", "-")]
OUTPUT = {"Outputs": {"A": "out.txt"}}


def make(folder: Path, text: str) -> None:
    """Write the output."""
    (folder / "out.txt").write_text(text)


@pytest.mark.parametrize("jump", [-1e6, -1.0, 1.0, 1e6])
def test_a_jump_of_the_clock_makes_no_output_old_or_new(tmp_path: Path, jump: float) -> None:
    """Whether an output counts depends on what the attempt did to it, whatever the clock does meanwhile."""
    make(tmp_path, "of an earlier day")
    executor = FakeExecutor(FakeClock())

    def outcome(job: Job) -> Ended:
        executor.clock.advance(jump)
        if job.key == "A@2":
            make(tmp_path, "new")
        return ok(job)

    executor.outcome = outcome
    engine, _ = make_engine(tmp_path, ONE, executor=executor, extra=OUTPUT, config=Config(retries=1, retry_delay=0.0))
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["A@1", "A@2"]


@pytest.mark.parametrize(
    ("there", "does", "done"), [(True, False, False), (True, True, True), (False, True, True), (False, False, False)]
)
def test_the_next_engine_knows_what_was_there_before(tmp_path: Path, there: bool, does: bool, done: bool) -> None:
    """A kill right after the start leaves on disk what was there before, so the next engine judges the same."""
    if there:
        make(tmp_path, "old")
    engine, fake = make_engine(tmp_path, ONE, outcome=lambda job: None, extra=OUTPUT)
    engine.start_worker("A")
    while not fake.jobs:  # a job with something to remember starts once that is on disk
        engine.monitor_workers(timeout=0.1)
    killed(engine)
    if does:
        make(tmp_path, "new")
    executor = FakeExecutor(FakeClock())
    executor.found = [Ended("A@1", EndReason.EXIT, code=0, started_at=executor.clock.now() + 1e6)]
    engine, _ = make_engine(tmp_path, executor=executor)
    engine.run()
    state = tasks_of(tmp_path)["A"]
    assert (state.status is TaskStatus.COMPLETED, state.reason is None) == (done, done)
    assert done or state.reason is Reason.MISSING_OUTPUTS
