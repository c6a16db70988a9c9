"""What the rest of a run will probably take: never less than has passed, and nothing where too little is known."""

from __future__ import annotations

import pytest
from scripted_run import NOW

from nova_core.parser import parse_text
from nova_core.runs.outlook import cost_left, seconds_left
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


def test_a_late_task_is_not_about_to_end() -> None:
    """It has run for a minute where ten seconds are usual."""
    late = TaskState(TaskStatus.IN_PROGRESS, began=NOW - 60.0, started_at="2023-11-14T22:37:20+00:00")
    known = {**done(6), "C": late, "A": DONE, "B": DONE}
    assert seconds_left(PLAN, known, 1, NOW) == pytest.approx(15.0)


def test_blocked_tasks_and_those_of_a_person_are_left_out() -> None:
    """Nobody can say when they continue."""
    known = {
        **done(6), "A": TaskState(TaskStatus.IN_PROGRESS, approval="waiting"), "B": TaskState(blocked_by=("X",)),
    }  # fmt: skip
    assert seconds_left(PLAN, known, 1, NOW) == 10.0
    found = cost_left(PLAN, known)
    assert found is not None
    assert found.tasks == 1
    assert found.usd == pytest.approx(0.2)


def test_the_cost_of_the_rest_is_the_usual_one() -> None:
    """A task that has already cost more adds nothing; below five priced tasks nothing is said."""
    assert cost_left(PLAN, done(4)) is None
    found = cost_left(PLAN, {**done(6), "C": TaskState(TaskStatus.IN_PROGRESS, cost_usd=0.5)})
    assert found is not None
    assert found.tasks == 3
    assert found.usd == pytest.approx(0.4)
