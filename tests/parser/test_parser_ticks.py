"""Done work that a plan marks outside a Status column: it must not be repeated silently."""

from __future__ import annotations

import pytest

from nova_core.parser import Cascade, parse_text

TABLE = """\
| Task ID | Task Name | Depends On |
|---|---|---|
| A-1 | First | - |
| A-2 | Second | A-1 |
| A-3 | Third | A-2 |
"""


def lenient(text: str) -> Cascade:
    return parse_text(text, "p.md", lenient=True)


def settled(cascade: Cascade) -> dict[str, str]:
    return {task.id: ("not " if task.dropped else "") + task.settled for task in cascade.tasks.values() if task.settled}


def notes(cascade: Cascade) -> list[tuple[str, int]]:
    return [(note.kind.value, note.line) for note in cascade.notes]


@pytest.mark.parametrize("title", ["", "[ ]", "✔️", "☐", "Progress"])
def test_a_column_of_boxes(title: str) -> None:
    """Boxes often stand in a first column without a name."""
    text = f"| {title} | ID | Task | Depends On |\n|---|---|---|---|\n| [x] | A | a | - |\n| [ ] | B | b | A |\n"
    assert settled(parse_text(text, "p.md")) == {"A": "[x]"}


def test_boxes_beside_a_status() -> None:
    """Two columns may hold it; what either of them settles is settled."""
    head = "| Done | ID | Task | Depends On | Status |\n|---|---|---|---|---|\n"
    rows = "| [x] | A | a | - | see #4 |\n| [ ] | B | b | A | merged |\n| [ ] | C | c | B | - |\n"
    assert settled(parse_text(head + rows, "p.md")) == {"A": "[x]", "B": "merged"}


@pytest.mark.parametrize(
    ("row", "state", "name"),
    [
        ("[x] A | a", "[x]", "a"),
        ("- [X] **A** | a", "[x]", "a"),
        ("[ ] A | a", "", "a"),
        ("☑ A | a", "✓", "a"),
        ("⬜ A | a", "", "a"),
        ("A | [x] a", "[x]", "a"),
        ("A | [ ] a", "", "a"),
        ("A | ✅ **a**", "✓", "a"),
        ("A | a ✔️", "✓", "a"),
        ("A | ~~a~~", "not struck out", "a"),
        ("A | ~~a~~ ✅", "✓", "a"),
        ("A | ~~a~~ b", "", "~~a~~ b"),
    ],
)
def test_marks_at_id_and_name(row: str, state: str, name: str) -> None:
    """Without such a column, a box or a tick at the id or the name marks the row as done."""
    cascade = parse_text(f"| ID | Task | Depends On |\n|---|---|---|\n| {row} | - |\n", "p.md")
    assert (settled(cascade).get("A", ""), cascade.tasks["A"].name) == (state, name)


@pytest.mark.parametrize("name", ["a (done)", "a — **DONE**", "a — Done 2026-07-15", "a **(Completed)**", "a - merged"])
def test_names_that_say_done(name: str) -> None:
    """A word behind a name is not a state column: the task is open, and a note asks a person to check."""
    head = "| ID | Task | Depends On |\n|---|---|---|\n"
    cascade = lenient(f"{head}| A | {name} | - |\n| B | Mark it as done | A |\n")
    assert (settled(cascade), notes(cascade)) == ({}, [("guessed", 3)])


def test_status_over_the_marks_at_a_name() -> None:
    """The column decides, and the name stays unchanged."""
    head = "| ID | Task | Depends On | Status |\n|---|---|---|---|\n"
    cascade = parse_text(f"{head}| A | ✅ a | - | todo |\n", "p.md")
    assert settled(cascade) == {}


def test_ticks_in_another_column_are_reported_once() -> None:
    """A tick in an unrelated column settles nothing, `Notes | ✅ merged` gets a note: a person must check."""
    head = "| ID | Task | Depends On | Notes |\n|---|---|---|---|\n"
    text = f"{head}| A | a | - | ✅ merged |\n| B | b | A | ✅ |\n| C | c | B (✅) | - |\n"
    cascade = lenient(text)
    assert settled(cascade) == {}
    assert notes(cascade) == [("guessed", 3)]
    assert [warning.line for warning in parse_text(text, "p.md").warnings if "tick" in warning.message] == [3]


@pytest.mark.parametrize("box", ["- [x] A-2 Second", "* [X] **A-2**: Second", "1. [x] Task a-2: x", "  - [x] `A-2`"])
def test_a_box_with_an_id_away_from_the_table(box: str) -> None:
    """A checklist next to a table without a status shows what is done, with the line."""
    text = f"{TABLE}\n## Progress\n\n{box}\n- [ ] A-3 Third\n"
    for read in (lenient, lambda text: parse_text(text, "p.md")):
        assert settled(read(text)) == {"A-2": "[x]"}
    assert notes(lenient(text)) == [("resolved", 9)]
    assert [warning.line for warning in parse_text(text, "p.md").warnings] == [9]


@pytest.mark.parametrize(
    "text",
    [
        "- [x] A-22 other",
        "- [x] tests for A-2",
        "- [x] A-2 here\n- [ ] A-2 there",
        "- [ ] A-2 here\n- [x] A-2 there",
        "```\n- [x] A-2\n```",
        "<!--\n- [x] A-2\n-->",
        "#### A-2: Second\n- [x] A-2 has tests",
        "#### A-2: Second\n**Status**: in progress",
        "#### A-2: Second\n```\nStatus: done\n```",
    ],
)
def test_boxes_that_say_nothing_of_the_task(text: str) -> None:
    """Another id, two boxes that disagree, code, comments and criteria settle nothing."""
    assert settled(lenient(f"{TABLE}\n{text}\n")) == {}


@pytest.mark.parametrize(
    "text",
    [
        "#### A-2: Second ✅",
        "#### A-2: Second ✅ COMPLETE",
        "#### ✅ A-2: Second",
        "#### A-2\n**Status**: ✅ Done",
        "#### A-2\n- **Status:** completed",
    ],
)
def test_a_section_that_says_that_its_task_is_done(text: str) -> None:
    """A tick in the heading of a section, or a line of status below it."""
    cascade = lenient(f"{TABLE}\n{text}\n")
    assert settled(cascade) == {"A-2": "[x]"}
    assert [kind for kind, _ in notes(cascade)] == ["resolved"]


def test_a_row_that_says_otherwise_is_open() -> None:
    """The table decides, but the contradiction is reported."""
    text = "| ID | Task | Depends On | Status |\n|---|---|---|---|\n| A-1 | a | - | todo |\n\n- [x] A-1 a\n"
    cascade = lenient(text)
    assert settled(cascade) == {}
    assert notes(cascade) == [("guessed", 5)]
