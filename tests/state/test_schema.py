"""The questions that a task's state answers, and the lists of its fields that are kept by hand."""

from __future__ import annotations

import pytest

from nova_core.model import Criterion, Task
from nova_core.plan.sync import row_of
from nova_core.state.schema import CLEARED, NEW, OF_THE_END, RESET, Reason, RunState, TaskState, TaskStatus
from nova_core.state.task_progress import RUN_WORDS, TaskProgress

ASKED = ("is_running", "awaits_approval", "is_blocked", "is_over", "was_cancelled")
FIELDS = set(TaskState.__struct_fields__)


@pytest.mark.parametrize(
    ("state", "holds"),
    [
        (NEW, ()),
        (TaskState(blocked_by=("A",)), ("is_blocked",)),
        (TaskState(missing=("dependency B",)), ("is_blocked",)),
        (TaskState(TaskStatus.IN_PROGRESS), ("is_running",)),
        (TaskState(TaskStatus.IN_PROGRESS, verifying=True), ("is_running",)),
        (TaskState(TaskStatus.IN_PROGRESS, approval="waiting"), ("awaits_approval",)),
        (TaskState(approval="waiting"), ("awaits_approval",)),
        (TaskState(approval="approved"), ()),
        (TaskState(TaskStatus.COMPLETED, approval="approved"), ("is_over",)),
        (TaskState(TaskStatus.FAILED, approval="waiting"), ("is_over",)),
        (TaskState(TaskStatus.COMPLETED, blocked_by=("A",)), ("is_over",)),
        (TaskState(TaskStatus.FAILED, reason=Reason.TIMEOUT), ("is_over",)),
        (TaskState(TaskStatus.FAILED, reason=Reason.CANCELLED), ("is_over", "was_cancelled")),
    ],
)
def test_a_state_answers_for_itself(state: TaskState, holds: tuple[str, ...]) -> None:
    """Each question holds for the states it names and for no other."""
    assert tuple(name for name in ASKED if getattr(state, name)) == holds


def test_what_an_attempt_leaves_is_cleared() -> None:
    """The next attempt begins without the outcome of the one before; counts, costs, session and approval stay."""
    ended = TaskState(
        TaskStatus.FAILED, attempt=2, failures=2, error="boom", reason=Reason.EXIT_CODE, exit_code=3, pid=7,
        cost_usd=0.5, session_id="s", approval="approved", criteria_met=(1,), handoff="note",
    )  # fmt: skip
    after = TaskState(**{name: CLEARED.get(name, getattr(ended, name)) for name in FIELDS})
    assert after == TaskState(
        TaskStatus.FAILED, attempt=2, failures=2, cost_usd=0.5, session_id="s", approval="approved"
    )  # fmt: skip


def test_a_reset_task_may_fail_as_often_as_a_new_one() -> None:
    """A reset clears the failures, rejections and the approval, not the number of attempts."""
    counts = {"status", "failures", "refusals", "overloads", "approval", "conflict", "unmerged", "resolves"}
    assert RESET.keys() - CLEARED.keys() == {*counts, "wanted_agent", "wanted_model", "note"}
    assert all(value == getattr(NEW, name) for name, value in RESET.items())


def test_the_fields_of_an_end_are_those_that_an_attempt_leaves() -> None:
    """The end of a task sets only its status and fields that are cleared before an attempt."""
    assert CLEARED.keys() | {"status"} >= OF_THE_END


def test_the_fields_of_a_run_exist_on_both_sides() -> None:
    """The fields that a task's progress reads from a run's events exist in both."""
    row = row_of(Task("A", "A", criteria=(Criterion("it works"),)))
    assert RUN_WORDS.keys() <= FIELDS | row.keys()
    added_up = {"criteria_met", "files_changed"}
    assert set(RUN_WORDS.values()) <= set(TaskProgress.__struct_fields__) | added_up


def test_the_run_and_its_tasks_have_no_field_in_common() -> None:
    """One event may change both."""
    assert not FIELDS & {*RunState.__struct_fields__}
