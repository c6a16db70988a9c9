"""The figures of a plan, and the outputs that two tasks might write at once."""

from __future__ import annotations

import pytest

from nova_core.parser import Cascade, parse_text
from nova_core.plan import side_by_side
from nova_core.plan.check import find_warnings, summarize

HEAD = "| Task ID | Depends On | Duration | Command | Outputs | Criteria | Approval | Locks |\n" + "|---" * 8 + "|\n"


def plan(*rows: str) -> Cascade:
    """A plan of rows without outer pipes, each filled up with empty cells."""
    lines = [f"| {row}{' |' * (8 - row.count('|'))}" for row in rows]
    return parse_text("# P\n## B\n### G\n" + HEAD + "\n".join(lines), "p.md")


def test_a_plan_in_numbers() -> None:
    """Counts, shape and the longest path follow from the tasks and their declared durations."""
    summary = summarize(
        plan("A | - | 10s | make | a.txt", "B | A | 5s | | b.txt | works", "C | A | 1m | | | | yes", "D | B, C | 1s")
    )
    assert (summary.tasks, summary.branches, summary.groups, summary.edges, summary.roots) == (4, 1, 1, 4, 1)
    assert (summary.depth, summary.widest) == (3, 2)
    assert (summary.critical_path, summary.critical_seconds, summary.work_seconds) == (("A", "C", "D"), 71.0, 76.0)
    assert (summary.with_command, summary.with_outputs, summary.with_criteria, summary.with_approval) == (1, 2, 1, 1)
    assert summary.with_duration == 4


def test_history_overrides_what_was_declared() -> None:
    """Seconds from earlier runs decide the longest path."""
    cascade = plan("A | - | 10s", "B | A | 5s", "C | A | 1m")
    summary = summarize(cascade, {"B": 100.0})
    assert (summary.critical_path, summary.critical_seconds) == (("A", "B"), 110.0)


@pytest.mark.parametrize(
    ("rows", "path", "seconds"),
    [
        (("A | -", "B | A", "C | -"), ("A", "B"), None),
        (("A | - | 10s", "B | A", "C | - | 1s"), ("A", "B"), None),
        (("A | - | 10s", "B | -"), ("A",), 10.0),
    ],
)
def test_unknown_durations_make_the_length_unknown(
    rows: tuple[str, ...], path: tuple[str, ...], seconds: float | None
) -> None:
    """A path with a task of unknown length has no seconds; it counts as an average task."""
    summary = summarize(plan(*rows))
    assert (summary.critical_path, summary.critical_seconds) == (path, seconds)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("A | - | | | x", "B | - | | | x"), ["B and A both write 'x'"]),
        (("A | - | | | x", "B | - | | | ./x"), ["B and A both write 'x'"]),
        (("A | - | | | x", "B | A | | | x"), []),
        (("A | - | | | x", "M | A", "B | M | | | x"), []),
        (("B | A | | | x", "A | - | | | x"), []),
        (("A | - | | | x", "B | A | | | x", "C | A | | | x"), ["C and B both write 'x'"]),
        (("A | - | | | x | | | db", "B | - | | | x | | | db"), []),
        (("A | - | | | x", "B | - | | | y"), []),
        (("A | - | | | x, y", "B | - | | | y, x"), ["B and A both write 'x'", "B and A both write 'y'"]),
    ],
)
def test_tasks_that_may_write_the_same_file_at_once(rows: tuple[str, ...], expected: list[str]) -> None:
    """Two tasks with one output are reported unless one waits for the other or they share a lock."""
    cascade = plan(*rows)
    found = find_warnings(cascade)
    assert [w.message.partition(",")[0] for w in found] == expected
    assert all(w.warning and w.hint and w.line > 5 for w in found)


def test_the_search_for_shared_outputs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """If walking the graph costs too much, nothing is reported."""
    monkeypatch.setattr(side_by_side, "MAX_STEPS", 3)
    rows = ["T0 | - | | | x", *(f"T{i} | T{i - 1}" for i in range(1, 50)), "T50 | T49 | | | x"]
    assert find_warnings(plan(*rows)) == ()


def test_warnings_of_the_plan_come_in_file_order() -> None:
    """The parser's own warnings and those of the graph are one list by line."""
    head = "| Task ID | Depends On | Outputs | Owner |\n|---|---|---|---|\n"
    cascade = parse_text(f"{head}| A | - | x | - |\n| B | - | x | - |\n| C | a | - | - |", "p")
    assert [w.line for w in find_warnings(cascade)] == [1, 4, 5]
