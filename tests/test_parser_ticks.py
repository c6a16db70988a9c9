"""Done work that a plan marks outside of a Status column: it must not silently be done again."""

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
    """Two columns may say it; what either of them settles is settled."""
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
    """Without a column for it, a box or a tick at the id or the name says that the row is done."""
    cascade = parse_text(f"| ID | Task | Depends On |\n|---|---|---|\n| {row} | - |\n", "p.md")
    assert (settled(cascade).get("A", ""), cascade.tasks["A"].name) == (state, name)


def test_status_over_the_marks_at_a_name() -> None:
    """What the column says is what counts, and the name stays as it is."""
    head = "| ID | Task | Depends On | Status |\n|---|---|---|---|\n"
    cascade = parse_text(f"{head}| A | ✅ a | - | todo |\n", "p.md")
    assert settled(cascade) == {}


def test_ticks_in_another_column_are_told_once() -> None:
    """`Safe? | ✅` says nothing of the work, `Notes | ✅ merged` does: a person has to look."""
    head = "| ID | Task | Depends On | Notes |\n|---|---|---|---|\n"
    text = f"{head}| A | a | - | ✅ merged |\n| B | b | A | ✅ |\n| C | c | B (✅) | - |\n"
    cascade = lenient(text)
    assert settled(cascade) == {}
    assert notes(cascade) == [("guessed", 3)]
    assert [warning.line for warning in parse_text(text, "p.md").warnings if "tick" in warning.message] == [3]
