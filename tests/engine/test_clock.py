"""The system time is set while a plan runs, or between two engines: no duration changes, and no wait becomes longer."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cli_process import command, environment
from engines import killed, make_engine, tasks_of
from fakes import FakeClock, FakeExecutor, JumpingClock, exits
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import wait_for
from sampling import some

from nova_core.clock import iso, seconds
from nova_core.config import Config
from nova_core.engine.attempts.retries import LONGEST_HOLD
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.runs.worktime import WorkTime
from nova_core.state.database import Database
from nova_core.state.events import Event, EventKind
from nova_core.state.manager import StateManager
from nova_core.state.schema import Hold, State, TaskStatus

ROWS = [("A", "-"), ("B", "A"), ("C", "A"), ("D", "B, C")]
TAKES = {"A": 0.5, "B": 1.5, "C": 0.7, "D": 0.2}
Tasks = dict[str, tuple[TaskStatus, int, int | None, float]]  # status, attempt, exit code, seconds
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
RETRY = Config(retries=3, retry_delay=2.0, retry_max_delay=300.0)


@given(st.floats(-1e9, 5e9), st.integers(-3, 3))
def test_a_stamp_is_what_the_standard_library_writes(second: float, micros: int) -> None:
    """Also right beside a full second or millisecond, where rounding counts."""
    for moment in (second, round(second) + micros / 1e6, round(second, 3) + micros / 1e7):
        assert iso(moment) == datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


class Holders(FakeExecutor):
    """Jobs take their time; their stamps are what the system time showed, as holders write them."""

    def __init__(self, clock: FakeClock, *, measured: bool) -> None:
        super().__init__(clock, self._end)
        self._measured = measured
        self._since: dict[str, tuple[float, float]] = {}

    def submit(self, job: Job) -> None:
        super().submit(job)
        self._since[job.key] = self.clock.monotonic(), self.clock.now()

    def _end(self, job: Job) -> Ended | None:
        since, started = self._since[job.key]
        took = self.clock.monotonic() - since
        if took < TAKES[job.key[0]]:
            return None
        code = 1 if job.key == "B@1" else 0
        elapsed = took if self._measured else None
        return Ended(job.key, EndReason.EXIT, code, None, self.clock.now(), started_at=started, elapsed=elapsed)


def run_of(folder: Path, seed: int | None, *, measured: bool) -> tuple[Tasks, float, float, float]:
    """What a run of the plan amounts to: how tasks ended and what they took, the run's work, its wall time."""
    folder.mkdir()
    config = Config(retries=1, retry_delay=0.1)
    engine, _ = make_engine(folder, ROWS, executor=Holders(JumpingClock(seed), measured=measured), config=config)
    result = engine.run()
    history = Database(folder / ".nova" / "nova.db", read_only=True)
    time = WorkTime(history.spans(engine.store.run.id), engine.store.tasks)
    history.close()
    tasks = {i: (t.status, t.attempt, t.exit_code, t.elapsed) for i, t in engine.store.tasks.items()}
    now = engine.store.time()
    return tasks, time.work(now), time.wall(now), result.task_seconds


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_nothing_depends_on_the_system_time(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """However it jumps, tasks end the same way, and all times are as if it had not."""
    folder = tmp_path_factory.mktemp("clock")
    steady, jumping = run_of(folder / "1", None, measured=True), run_of(folder / "2", seed, measured=True)
    for name, task in steady[0].items():
        assert jumping[0][name][:3] == task[:3]
        assert jumping[0][name][3] == pytest.approx(task[3], abs=0.3)
    assert jumping[1:] == pytest.approx(steady[1:], abs=1.0)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_the_stamps_of_an_older_holder_are_kept_within_bounds(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """It measured nothing: what its stamps say counts only as far as it is possible."""
    tasks = run_of(tmp_path_factory.mktemp("clock") / "1", seed, measured=False)[0]
    assert all(0.0 <= task[3] <= TAKES[name] + 0.5 for name, task in tasks.items())


# waits


def fails_once(folder: Path, clock: FakeClock) -> None:
    """A run whose only task has failed, and whose engine was killed while it waited for the retry."""
    engine, _ = make_engine(folder, [("A", "-")], executor=FakeExecutor(clock, exits(1)), config=RETRY)
    while not engine.store.tasks["A"].retry_at:
        engine._loop.begin()
        engine._loop.turn(0.1)
    engine.store.flush()
    killed(engine)


def wait_of_the_next(folder: Path, clock: FakeClock, config: Config = RETRY) -> tuple[float, list[Event]]:
    """How long the next engine waits until the task runs again, and its events."""
    begin, started = clock.monotonic(), []

    def end(job: Job) -> Ended:
        started.append(clock.monotonic())
        return Ended(job.key, EndReason.EXIT, code=0)

    engine, _ = make_engine(folder, executor=FakeExecutor(clock, end), config=config)
    events: list[Event] = []
    engine.subscribe(events.append)
    assert engine.run().exit_code == 0
    return started[0] - begin, events


@pytest.mark.parametrize("ahead", [-10 * 365 * 86400.0, -3600.0, 0.0, 3600.0])
def test_a_retry_waits_what_it_was_given(tmp_path: Path, ahead: float) -> None:
    """Whatever the system time is when another engine takes the run over, which then says until when it waits."""
    clock = FakeClock()
    fails_once(tmp_path, clock)
    given = tasks_of(tmp_path)["A"].retry_due
    assert given is not None
    left = given - clock.time
    clock.ahead = ahead
    waited, events = wait_of_the_next(tmp_path, clock)
    assert waited <= left + 0.3
    said = [event for event in events if event.kind is EventKind.TASK_RETRYING]
    assert bool(said) == (abs(ahead) > 1.0)


def edit(folder: Path, **fields: object) -> None:
    """Write the state as an older Nova, or a person, would."""
    path = folder / "cascade_state.json"
    state = msgspec.json.decode(path.read_bytes())
    state["tasks"]["A"].update(fields)
    state["run"].pop("clock")
    path.write_bytes(msgspec.json.encode(state))


@pytest.mark.parametrize(("failures", "most"), [(0, 2.0), (1, 2.0), (2, 4.0), (30, 300.0)])
def test_a_retry_that_is_written_by_hand_waits_no_longer_than_the_settings_allow(
    tmp_path: Path, failures: int, most: float
) -> None:
    """Not for years, and not without a word."""
    clock = FakeClock()
    fails_once(tmp_path, clock)
    edit(tmp_path, retry_at="2199-01-01T00:00:00.000+00:00", retry_due=None, failures=failures)
    waited, events = wait_of_the_next(tmp_path, clock)
    assert waited <= most + 0.3
    said = next(event for event in events if event.kind is EventKind.TASK_RETRYING)
    assert said.patch["retry_at"] == iso(said.patch["retry_due"])


def held(folder: Path, hold: Hold) -> State:
    """A run in which the provider of agents is held."""
    engine, _ = make_engine(folder, [("A", "-")])
    engine.store.record(EventKind.PROVIDER_PAUSED, None, "", quotas={"anthropic": hold})
    engine.store.flush()
    killed(engine)
    return StateManager(folder / "cascade_state.json").load()


@pytest.mark.parametrize(
    ("hold", "ahead", "left"),
    [
        (Hold(iso(1_700_000_600), "", 1, 1_700_000_600), -3600.0, 600.0),
        (Hold(iso(1_700_000_600), "", 1, 1_700_000_600), 3600.0, 600.0),
        (Hold(iso(1_700_000_600), "", 1), 0.0, 600.0),
        (Hold("2199-01-01T00:00:00.000+00:00", "", 1), 0.0, LONGEST_HOLD),
        (Hold(iso(1_700_000_600), "", 1, 9e9), 0.0, LONGEST_HOLD),
    ],
)
def test_a_provider_is_held_no_longer_than_was_said(tmp_path: Path, hold: Hold, ahead: float, left: float) -> None:
    """And never for longer than providers may ask for; the time that people see is corrected."""
    held(tmp_path, hold)
    clock = FakeClock()
    clock.ahead = ahead
    engine, _ = make_engine(tmp_path, executor=FakeExecutor(clock))
    engine.run()
    found = StateManager(tmp_path / "cascade_state.json").load().run.quotas["anthropic"]
    assert found.due == pytest.approx(1_700_000_000.0 + left, abs=1.0)
    assert seconds(found.until or "") == pytest.approx(clock.ahead + (found.due or 0.0), abs=1.5)


# real processes


@pytest.mark.skipif(not FAKETIME.exists(), reason="needs libfaketime")
@pytest.mark.parametrize("jump", some([36_000, -36_000], -36_000))
def test_real_processes_while_the_system_time_jumps(tmp_path: Path, jump: int) -> None:
    """Ten hours, in the middle of a task: its time, that of the run and that of the history are the true ones."""
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    wait = "touch runs; while [ ! -e go ]; do sleep 0.02; done; sleep 0.3"
    (tmp_path / "CASCADE.md").write_text(
        f"# P\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n| A | a | `{wait}` | - |\n"
    )
    fake = {
        "LD_PRELOAD": os.fspath(FAKETIME), "FAKETIME_TIMESTAMP_FILE": os.fspath(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    with subprocess.Popen(
        command("run", "--no-ui", "--summary", "s.json"), cwd=tmp_path, env=environment(fake), stdout=subprocess.DEVNULL
    ) as nova:
        wait_for(lambda: (tmp_path / "runs").exists() or nova.poll() is not None, "A runs")
        (tmp_path / "new").write_text(f"{jump:+}\n")
        (tmp_path / "new").replace(clock)  # whole whenever it is read
        (tmp_path / "go").touch()
        assert nova.wait(60) == 0
    summary = json.loads((tmp_path / "s.json").read_bytes())
    assert 0.3 <= summary["task_seconds"] < 600
    assert 0.3 <= summary["wall_seconds"] < 600
    told = subprocess.run(command("stats", "--json"), cwd=tmp_path, env=environment(), capture_output=True, check=True)
    assert 0.3 <= json.loads(told.stdout)["task"][0]["seconds"] < 600
