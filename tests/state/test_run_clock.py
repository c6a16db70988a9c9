"""The clock of a run, over changes of the system time, restarts and reboots."""

from __future__ import annotations

import pytest
from fakes import FakeClock
from hypothesis import given
from hypothesis import strategies as st

from nova_core.clock import iso
from nova_core.state.run_clock import began, continued, ran_for, run_time, wait_left
from nova_core.state.schema import RunState, TaskState

HOUR = 3600.0
STEPS = st.lists(st.tuples(st.sampled_from(["pass", "set", "restart"]), st.floats(0, HOUR)), max_size=20)


def begun(clock: FakeClock) -> RunState:
    """A run that begins now."""
    return RunState(clock=continued(RunState(), (), clock))


@given(STEPS)
def test_only_the_passing_of_time_moves_it(steps: list[tuple[str, float]]) -> None:
    """Not the setting of the system time, and not another engine of the same boot."""
    clock = FakeClock()
    run = begun(clock)
    start, passed = run_time(run, clock), 0.0
    assert start == pytest.approx(clock.now())
    for what, amount in steps:
        if what == "pass":
            clock.advance(amount)
            passed += amount
        elif what == "set":
            clock.ahead = (amount - HOUR / 2) * 1e5
        else:
            run = RunState(clock=continued(run, (), clock))
        assert run_time(run, clock) - start == pytest.approx(passed, abs=1e-3)


@pytest.mark.parametrize(
    ("ahead", "then"), [(0.0, 1_700_000_200.0), (-9 * HOUR, 1_700_000_130.0), (HOUR, 1_700_003_800.0)]
)
def test_after_a_reboot_it_continues_with_the_system_time_but_never_back(ahead: float, then: float) -> None:
    """It does not begin before the end of any task of the run, such as one of 30 s that began at 100."""
    clock = FakeClock()
    run = begun(clock)
    task = TaskState(began=1_700_000_100.0, elapsed=30.0)
    clock.advance(200)
    clock.boot, clock.ahead = "the next boot", ahead
    run = RunState(clock=continued(run, [task, TaskState()], clock))
    assert run_time(run, clock) == pytest.approx(then)
    clock.advance(5)
    clock.ahead = 0.0
    assert run_time(run, clock) == pytest.approx(then + 5)


def test_without_a_clock_of_this_boot_the_system_time_counts() -> None:
    """A state of an older Nova, or from before the reboot, that is only looked at."""
    clock = FakeClock()
    assert run_time(RunState(), clock) == clock.now()
    run = begun(clock)
    clock.boot, clock.ahead = "the next boot", 50.0
    assert run_time(run, clock) == clock.now()


def test_a_stamp_counts_where_nothing_better_is_known() -> None:
    """Stamps that cannot be read count for nothing, and no task has run for less than nothing."""
    assert began(TaskState(began=5.0, started_at=iso(9))) == 5.0
    assert began(TaskState(started_at=iso(9))) == 9.0
    assert began(TaskState(started_at="then")) is None
    assert ran_for(TaskState(began=5.0), 3.0) == 0.0
    assert ran_for(TaskState(), 3.0) is None
    assert wait_left(8.0, iso(99), 3.0) == 5.0
    assert wait_left(None, iso(99), 3.0) == 96.0
    assert wait_left(None, None, 3.0) is None
