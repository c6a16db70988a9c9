"""The words for merging: the queue, conflicts, what is merged and what has landed."""

from __future__ import annotations

import msgspec
import pytest

from nova_core.cli.merging import what_to_edit
from nova_core.parser import parse_text
from nova_core.runs.merging import (
    conflict_lines,
    conflict_steps,
    in_conflict,
    landing_lines,
    overlap_lines,
    overlaps,
    run_line,
)
from nova_core.runs.words import Shown, merge_step, ordinal, phrase, shown_status, turns, word
from nova_core.state.git_run import GitRun
from nova_core.state.schema import Reason, TaskState, TaskStatus

GIT = GitRun(name="1a2b3c4d", ref="refs/heads/nova/1a2b3c4d", branch="refs/heads/main", tip="b", landed="a")
AT_WORK = TaskStatus.IN_PROGRESS
STUCK = TaskState(
    status=TaskStatus.FAILED, reason=Reason.MERGE_CONFLICT, merge="conflict", conflict={"src/a.py": "contents"},
    error="it could not be merged: src/a.py (also changed by F2)",
)  # fmt: skip
DONE = TaskState(status=TaskStatus.COMPLETED, commit_sha="c", merge="merged")


@pytest.mark.parametrize(
    ("state", "turn", "said"),
    [
        (TaskState(status=AT_WORK, merge="queued", place=7), 2, "in the queue (2nd)"),
        (TaskState(status=AT_WORK, merge="queued"), 0, "in the queue"),
        (TaskState(status=AT_WORK, merge="merging"), 1, "merging"),
        (TaskState(status=AT_WORK, merge="checking"), 1, "checking the merge"),
        (TaskState(status=AT_WORK, merge="merging", verifying=True), 1, "checking the merge"),
    ],
)
def test_how_far_a_merge_is(state: TaskState, turn: int, said: str) -> None:
    """A task is merging from the end of its work until it is done, and no worker is busy with it."""
    assert shown_status(state, ready=False) is Shown.MERGING
    assert phrase(state, Shown.MERGING, 0.0, turn) == merge_step(state, turn) == said
    assert not state.has_worker


def test_places_in_the_queue() -> None:
    """The task that is being merged is first, the others follow by their numbers."""
    tasks = {
        "A": TaskState(status=AT_WORK, merge="queued", place=9),
        "B": TaskState(status=AT_WORK, merge="queued", place=10),
        "C": TaskState(status=AT_WORK, merge="merging", place=8),
        "D": TaskState(status=AT_WORK),
        "E": DONE,
    }
    assert turns(tasks) == {"C": 1, "A": 2, "B": 3}
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 21, 102, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "21st", "102nd", "111th",
    ]  # fmt: skip


def test_a_conflict_names_files_refs_and_commands() -> None:
    """A person learns what conflicts, where the work is, and every way on."""
    assert in_conflict(STUCK)
    assert word(STUCK, Shown.FAILED) == "conflict"
    told = "  src/a.py: contents: both changed the same lines; make of them what both want, and remove the marks"
    assert conflict_lines("a/b", STUCK, GIT) == [told, "its work is kept: refs/nova/1a2b3c4d/a+b"]
    steps = conflict_steps("F3", GIT)
    assert [step.partition(" (")[0] for step in steps] == [
        "nova resolve F3", "git switch nova/1a2b3c4d && git merge refs/nova/1a2b3c4d/F3", "nova retry F3 && nova run",
        "nova skip F3",
    ]  # fmt: skip
    many = TaskState(conflict={f"{n}\x1b[2J": "binary" for n in range(30)})
    lines = conflict_lines("F3", many, GIT)
    assert lines[-2] == "  and 20 more"
    assert all(line.isprintable() for line in lines)
    assert what_to_edit("F3", "/t", many.conflict)[1:-2] == lines[:-1]


@pytest.mark.parametrize(
    ("git", "tasks", "said"),
    [
        (None, {"A": DONE}, ""),
        (GIT, {"A": DONE}, "1 merged into nova/1a2b3c4d"),
        (msgspec.structs.replace(GIT, landed="b"), {"A": DONE}, "1 merged into main (nova/1a2b3c4d)"),
        (GIT, {"A": DONE, "F3": STUCK}, "1 merged into nova/1a2b3c4d, 1 conflict (F3)"),
        (GIT, {"F3": STUCK, "F4": STUCK}, "2 conflicts (F3, F4)"),
    ],
)  # fmt: skip
def test_a_run_in_one_line(git: GitRun | None, tasks: dict[str, TaskState], said: str) -> None:
    """What is merged, where, and what is not."""
    assert run_line(git, tasks) == said


@pytest.mark.parametrize(
    ("why", "step"),
    [
        ("", "nova land, or: git merge nova/1a2b3c4d"),
        ("files of yours are in the way: a", "commit these files or move them away, then: nova land"),
        (
            "commits of yours changed the same: a",
            "git merge nova/1a2b3c4d (settle the conflict in the files and commit), then: nova land",
        ),
        ("your folder is on other; it lands on main", "git switch main, then: nova land"),
        ("you are in the middle of a merge", "finish or abort that, then: nova land"),
    ],
)  # fmt: skip
def test_what_has_not_landed_says_what_to_do(why: str, step: str) -> None:
    """The reason and the step that works for it."""
    waits = msgspec.structs.replace(GIT, waits=why)
    said = "not landed: the work is not yet in main" + (f": {why}" if why else "")
    assert landing_lines(waits) == [said, f"  {step}"]


def test_nothing_is_said_once_all_has_landed() -> None:
    """Nor for a run without trees; without a branch, the step is git's alone."""
    assert landing_lines(GitRun(tip="b", landed="b")) == landing_lines(None) == []
    away = msgspec.structs.replace(GIT, branch=None)
    assert landing_lines(away)[1] == "  git switch to a branch, then: git merge nova/1a2b3c4d"


def test_what_tasks_really_changed_side_by_side() -> None:
    """Files of tasks that could run at the same time, also in conflict; not of tasks of which one waited."""
    head = "| Task ID | Task Name | Depends On |\n|---|---|---|\n"
    plan = parse_text(f"{head}| A | a | - |\n| B | b | - |\n| C | c | A |\n", "p")
    tasks = {
        "A": msgspec.structs.replace(DONE, files_changed=("f", "only")),
        "B": msgspec.structs.replace(STUCK, conflict={"f": "contents"}),
        "C": msgspec.structs.replace(DONE, files_changed=("only", "own")),
        "gone": msgspec.structs.replace(DONE, files_changed=("f",)),
    }
    found = overlaps(plan, tasks)
    assert [(one.path, one.tasks) for one in found] == [("f", ("A", "B"))]
    assert overlap_lines(found) == ["changed side by side: f (A, B)"]
    without_trees = {i: TaskState(status=TaskStatus.COMPLETED, files_changed=("f",)) for i in "AB"}
    assert overlaps(plan, without_trees) == []
    assert overlap_lines([]) == []
