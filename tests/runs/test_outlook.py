"""What the rest of a run will probably take: never less than has passed, and nothing where too little is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_run import NOW

from nova_core.clock import iso
from nova_core.parser import parse_text
from nova_core.runs.outlook import CostLeft, Past, cost_left, seconds_left
from nova_core.state.schema import TaskState, TaskStatus

HEAD = "| Task ID | Task Name | What Changes | Depends On |\n| - | - | - | - |\n"
PLAN = parse_text(
    "# P\n\n" + HEAD + "".join(f"| D{n} | done | x | - |\n" for n in range(6))
    + "| A | first | x | - |\n| B | second | x | A |\n| C | third | x | - |\n", "P.md"
)  # fmt: skip
DONE = TaskState(TaskStatus.COMPLETED, elapsed=10.0, cost_usd=0.2)


def done(count: int) -> dict[str, TaskState]:
    """The first tasks are done, ten seconds and twenty cents each."""
    return {f"D{n}": DONE for n in range(count)} | {
        f"D{n}": TaskState(TaskStatus.COMPLETED, skipped=True) for n in range(count, 6)
    }


@pytest.mark.parametrize(("count", "jobs", "seconds"), [(4, 2, None), (5, 2, 20.0), (6, 1, 30.0), (6, 9, 20.0)])
def test_the_rest_takes_its_longest_chain_or_its_share_of_work(count: int, jobs: int, seconds: float | None) -> None:
    """Three tasks of ten seconds, two of them in a chain; below five done tasks nothing is said."""
    assert seconds_left(PLAN, done(count), jobs, NOW) == seconds


def running(seconds: float) -> TaskState:
    """A task that has run for so long."""
    return TaskState(TaskStatus.IN_PROGRESS, began=NOW - seconds, started_at=iso(NOW - seconds))


@given(st.lists(st.floats(0.0, 500.0), min_size=3, max_size=3), st.floats(0.1, 300.0), st.integers(0, 4))
def test_the_time_left_never_rises_while_the_same_tasks_run(ran: list[float], later: float, jobs: int) -> None:
    """Time alone is no news: a task that is late adds nothing, instead of more and more."""
    states = [{**done(6), **{i: running(s + more) for i, s in zip("ABC", ran, strict=True)}} for more in (0.0, later)]
    before, after = (seconds_left(PLAN, known, jobs, NOW) or 0.0 for known in states)
    assert after <= before + 1e-6


def test_of_late_tasks_nothing_is_known() -> None:
    """They have run for a minute where ten seconds are usual; what comes after them is known."""
    late = running(60.0)
    assert seconds_left(PLAN, {**done(6), "C": late, "A": DONE, "B": DONE}, 1, NOW) is None
    assert seconds_left(PLAN, {**done(6), "C": late, "A": late}, 1, NOW) == pytest.approx(10.0)


def test_earlier_runs_of_the_plan_are_remembered() -> None:
    """Their figures hold from the start, if all the remaining tasks have some, or five have."""
    took = {"A": 60.0, "B": 5.0, "C": 300.0}
    rest = {f"D{n}": TaskState(TaskStatus.COMPLETED, skipped=True) for n in range(6)}
    past = Past([(i, seconds, 1.0) for i, seconds in took.items()])
    assert seconds_left(PLAN, rest, 3, NOW, past) == pytest.approx(300.0)
    assert seconds_left(PLAN, rest, 3, NOW, Past([("A", 60.0, None)])) is None
    assert cost_left(PLAN, rest, past) == CostLeft(3, 3.0)


def test_a_retried_task_takes_no_less_than_before() -> None:
    """It had run for four minutes when it failed; now it has run for one."""
    known = {**done(6), "A": DONE, "B": DONE, "C": running(60.0)}
    assert seconds_left(PLAN, known, 1, NOW, Past((), [("C", None, 240.0, None)])) == pytest.approx(180.0)


def test_blocked_tasks_and_those_of_a_person_are_left_out() -> None:
    """Nobody can say when they continue."""
    known = {
        **done(6), "A": TaskState(TaskStatus.IN_PROGRESS, approval="waiting"), "B": TaskState(blocked_by=("X",)),
    }  # fmt: skip
    assert seconds_left(PLAN, known, 1, NOW) == 10.0
    found = cost_left(PLAN, known)
    assert found is not None
    assert found.tasks == 1
    assert found.usd is not None
    assert found.usd == pytest.approx(0.2)


def test_the_cost_of_the_rest_is_the_usual_one() -> None:
    """A task that has already cost more adds nothing; below five priced tasks nothing is said."""
    assert cost_left(PLAN, done(4)) == CostLeft(3, None)
    assert cost_left(PLAN, {**done(6), "A": DONE, "B": DONE, "C": DONE}) is None
    found = cost_left(PLAN, {**done(6), "C": TaskState(TaskStatus.IN_PROGRESS, cost_usd=0.5)})
    assert found is not None
    assert found.tasks == 3
    assert found.usd == pytest.approx(0.4)
