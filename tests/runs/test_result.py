"""Values derived from a snapshot."""

from __future__ import annotations

import pytest

from nova_core.clock import iso
from nova_core.parser import parse_text
from nova_core.runs.result import Snapshot, summarize
from nova_core.state.schema import State, TaskState, TaskStatus

NOW = 1_700_000_000.0
PLAN = """\
| Task ID | Task Name | What Changes | Depends On | Duration |
|---|---|---|---|---|
| A | a | x | - | 60s |
| B | b | x | A | 30s |
| C | c | x | - | 20s |
"""
DONE = TaskState(status=TaskStatus.COMPLETED, elapsed=60.0)
RUNNING = TaskState(status=TaskStatus.IN_PROGRESS, started_at=iso(NOW - 45))


@pytest.mark.parametrize(
    ("tasks", "left"),
    [
        ({}, 90),
        ({"A": RUNNING}, 45),
        ({"A": TaskState(status=TaskStatus.IN_PROGRESS, started_at=iso(NOW - 100))}, 30),
        ({"A": TaskState(status=TaskStatus.IN_PROGRESS, started_at="garbage")}, 90),
        ({"A": DONE}, 30),
        ({"A": TaskState(status=TaskStatus.FAILED), "B": TaskState(blocked_by=("A",))}, 20),
        ({"A": DONE, "B": DONE, "C": DONE}, 0),
    ],
)
def test_what_is_left_of_the_critical_path(tasks: dict[str, TaskState], left: float) -> None:
    """Done and blocked tasks take no more time, running ones the remainder."""
    snapshot = Snapshot.of(parse_text(PLAN, "P.md"), State(tasks=tasks), 2, NOW)
    assert snapshot.critical_path_left == pytest.approx(left)


def test_the_last_line_counts_tasks_that_need_approval() -> None:
    """A task that needs approval is neither completed nor blocked, and is not left out."""
    waiting = TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting")
    state = State(tasks={"A": DONE, "B": waiting, "C": TaskState(status=TaskStatus.FAILED)})
    result = summarize("ABC", state, 1.0, NOW, stopped=False, over_budget=False)
    assert result.line() == "1/3 done, needs you 1, 1 failed"


def test_dollars_and_seconds_are_summed_exactly() -> None:
    """Ten times 0.1 is 1: not a little less, as a plain sum gives before Python 3.12."""
    tasks = {name: TaskState(status=TaskStatus.COMPLETED, elapsed=0.1, cost_usd=0.1) for name in "ABCDEFGHIJ"}
    result = summarize(tasks, State(tasks=tasks), 1.0, NOW, stopped=False, over_budget=False)
    assert (result.cost_usd, result.task_seconds) == (1.0, 1.0)
