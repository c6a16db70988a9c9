"""Rollups: worst status, exact sums, and the same result whether updated or counted from nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.clock import iso
from nova_core.model import TokenUsage
from nova_core.runs.rollup import Branches, Rollup, RollupTree, rollup
from nova_core.runs.words import ASCII_GLYPHS, GLYPHS, Shown, shown_status
from nova_core.state.schema import Reason, TaskState, TaskStatus

P, I, C, F = TaskStatus  # noqa: E741 - pending, in progress, completed, failed
BRANCHES: Branches = {
    "A": {"A1": ("a", "b"), "A2": ("c",)},
    "B": {"B1": ("d",)},
    "": {"": ("e",)},
    "empty": {"none": ()},
}


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [([], P), ([C, C], C), ([C, P], P), ([C, P, I], I), ([I, F, C], F), ([F], F), ([P], P)],
)
def test_status_is_the_worst_child(statuses: list[TaskStatus], expected: TaskStatus) -> None:
    """Failed beats in progress beats pending beats completed."""
    assert rollup(TaskState(status=status) for status in statuses).status is expected


def test_counts_and_sums() -> None:
    """Counts, tokens and costs are sums; skipped and blocked are counted beside their state."""
    total = rollup(
        [
            TaskState(status=C, elapsed=1.5, token_usage=TokenUsage(1, 2, 3, 4), cost_usd=0.1),
            TaskState(status=C, skipped=True),
            TaskState(status=F, elapsed=0.25, token_usage=TokenUsage(10), cost_usd=0.2),
            TaskState(blocked_by=("x",)),
            TaskState(status=I, token_usage=TokenUsage(0, 5)),
        ]
    )
    assert (total.total, total.pending, total.in_progress, total.completed, total.failed) == (5, 1, 1, 2, 1)
    assert (total.skipped, total.blocked, total.progress) == (1, 1, 0.4)
    assert total.tokens == TokenUsage(11, 7, 3, 4)
    assert (total.cost_usd, total.unpriced) == (0.3, 1)
    assert total.duration(1e9) == 1.75


def test_cost_is_unknown_rather_than_nothing() -> None:
    """Without any priced task there is no cost, and tokens without a price are reported."""
    assert rollup([TaskState()]).cost_usd is None
    total = rollup([TaskState(token_usage=TokenUsage(1))])
    assert (total.cost_usd, total.unpriced) == (None, 1)
    assert rollup([TaskState(cost_usd=0.0)]).cost_usd == 0.0


def test_running_tasks_have_a_live_duration() -> None:
    """A running task counts up to now; one that needs approval, or whose clock is ahead, does not."""
    running = TaskState(status=I, started_at=iso(1000.0), elapsed=77)
    assert rollup([running, TaskState(status=C, elapsed=2)]).duration(1010.5) == 12.5
    assert rollup([running]).duration(990) == 0
    waiting = TaskState(status=I, started_at=iso(1000.0), elapsed=3, approval="waiting")
    assert rollup([waiting]).duration(2000) == 3
    assert rollup([TaskState(status=I, started_at="nonsense", elapsed=4)]).duration(2000) == 4


def test_the_tree_of_a_new_run() -> None:
    """Before anything ran, every task of the plan is pending; what is not in the plan does not count."""
    tree = RollupTree(BRANCHES, {"gone": TaskState(status=C)})
    assert tree.project == Rollup(total=5, pending=5)
    assert tree.branch("A") == Rollup(total=3, pending=3)
    assert tree.group("empty", "none") == Rollup()
    tree.update("gone", TaskState(), TaskState(status=F))
    assert tree.project.failed == 0


states = st.builds(
    TaskState,
    status=st.sampled_from(TaskStatus),
    started_at=st.none() | st.floats(0, 2e9).map(iso) | st.just("?"),
    elapsed=st.floats(0, 1e6),
    token_usage=st.builds(TokenUsage, *[st.integers(0, 10**12)] * 4),
    cost_usd=st.none() | st.floats(0, 1e4),
    skipped=st.booleans(),
    blocked_by=st.sampled_from([(), ("x",)]),
    approval=st.sampled_from([None, "waiting", "approved"]),
)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), states), max_size=20))
def test_kept_up_to_date_equals_counted_again(changes: list[tuple[str, TaskState]]) -> None:
    """After any changes each node equals the total of its tasks."""
    tree, tasks = RollupTree(BRANCHES), dict.fromkeys("abcde", TaskState())
    for task_id, new in changes:
        tree.update(task_id, tasks.get(task_id, TaskState()), new)
        if task_id in tasks:
            tasks[task_id] = new
    assert tree.project == rollup(tasks.values())
    for branch, groups in BRANCHES.items():
        assert tree.branch(branch) == rollup(tasks[i] for ids in groups.values() for i in ids)
        for group, ids in groups.items():
            assert tree.group(branch, group) == rollup(tasks[i] for i in ids)
    assert tree.project == RollupTree(BRANCHES, tasks).project


@pytest.mark.parametrize(
    ("state", "ready", "expected"),
    [
        (TaskState(), False, Shown.WAITING),
        (TaskState(), True, Shown.READY),
        (TaskState(approval="waiting"), True, Shown.APPROVAL),
        (TaskState(approval="approved"), True, Shown.READY),
        (TaskState(retry_at="2026-01-01T00:00:00+00:00"), True, Shown.RETRYING),
        (TaskState(blocked_by=("x",)), False, Shown.BLOCKED),
        (TaskState(status=I), False, Shown.RUNNING),
        (TaskState(status=I, verifying=True), False, Shown.VERIFYING),
        (TaskState(status=I, approval="waiting"), False, Shown.APPROVAL),
        (TaskState(status=I, approval="approved"), False, Shown.RUNNING),
        (TaskState(status=C), False, Shown.COMPLETED),
        (TaskState(status=C, skipped=True), False, Shown.SKIPPED),
        (TaskState(status=F, reason=Reason.TIMEOUT), False, Shown.FAILED),
        (TaskState(status=F, reason=Reason.CANCELLED), False, Shown.CANCELLED),
    ],
)
def test_shown_status(state: TaskState, ready: bool, expected: Shown) -> None:
    """Each situation has its word."""
    assert shown_status(state, ready) is expected


@pytest.mark.parametrize("glyphs", [GLYPHS, ASCII_GLYPHS])
def test_glyphs_differ_and_take_one_cell(glyphs: dict[Shown, str]) -> None:
    """Every word has a glyph of its own, so that colour is never needed to distinguish them."""
    assert set(glyphs) == set(Shown)
    assert len(set(glyphs.values())) == len(Shown)
    assert all(len(glyph) == 1 and unicodedata.east_asian_width(glyph) not in "WF" for glyph in glyphs.values())
    assert glyphs is GLYPHS or all(glyph.isascii() for glyph in glyphs.values())
