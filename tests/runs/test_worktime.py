"""How long a run was working: the same sum in every order and at every time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.clock import iso
from nova_core.runs.worktime import WorkTime
from nova_core.state.schema import TaskState, TaskStatus

spans = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 20)), max_size=20)  # the second it ended, seconds it took


@given(spans)
def test_the_wall_time_is_that_of_the_seconds_with_a_task(found: list[tuple[int, int]]) -> None:
    """Each second with at least one task counts once, in whatever order, and however often, it is reported."""
    time = WorkTime()
    named = [(f"T{n}", end, took) for n, (end, took) in enumerate(found)]
    for task, end, took in [*named, *reversed(named)]:
        time.ended(task, iso(end), float(took))
    assert time.wall(100.0) == pytest.approx(len({s for _, end, took in named for s in range(end - took, end)}))
    assert time.work(100.0) == pytest.approx(sum(took for _, _, took in named))


def running(since: float) -> TaskState:
    """A running task."""
    return TaskState(status=TaskStatus.IN_PROGRESS, started_at=iso(since))


def test_what_runs_counts_up_to_now() -> None:
    """Together with what has ended meanwhile; the pause before it does not count."""
    time = WorkTime([("A", iso(10), 5.0, None), ("B", iso(25), 4.0, None)], {"C": running(20), "D": running(24)})
    assert time.wall(30.0) == pytest.approx(5 + 10)
    assert time.work(30.0) == pytest.approx(5 + 4 + 10 + 6)
    time.see("C", TaskState(status=TaskStatus.COMPLETED))
    time.ended("C", iso(30), 10.0)
    assert time.wall(30.0) == pytest.approx(15)
    time.see("D", TaskState(status=TaskStatus.IN_PROGRESS, started_at=iso(24), approval="waiting"))
    time.ended("D", iso(32), 8.0)
    assert time.wall(99.0) == pytest.approx(17)


def test_what_the_history_misses_is_taken_from_the_state() -> None:
    """Each attempt once; unreadable times of other programs do not count."""
    state = TaskState(status=TaskStatus.COMPLETED, completed_at=iso(10), elapsed=5.0)
    odd = TaskState(status=TaskStatus.COMPLETED, completed_at="then", elapsed=5.0)
    time = WorkTime([("A", iso(10), 5.0, None), ("A", None, 3.0, None)], {"A": state, "B": state, "C": odd})
    assert (time.wall(50.0), time.work(50.0)) == pytest.approx((5, 10))
