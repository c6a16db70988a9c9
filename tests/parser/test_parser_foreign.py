"""How ids and dependencies are written in tables of other tools."""

from __future__ import annotations

import pytest

from nova_core.parser import Cascade, parse_text

HEAD = "| ID | Task | Depends On |\n|---|---|---|\n"


def lenient(text: str) -> Cascade:
    return parse_text(text, "p.md", lenient=True)


def kinds(cascade: Cascade) -> list[str]:
    return [note.kind.value for note in cascade.notes]


@pytest.mark.parametrize(
    "cell", ["#1-3", "Tasks 1-3", "#1–#3", "tasks 1 to 3", "Task 1 - Task 3", "1‒3", "1−3", "Tasks #1 through #3"]
)
def test_ranges_of_numbers(cell: str) -> None:
    """A number sign, `Tasks` and any dash do not hide a range, in a plan of Nova either."""
    text = HEAD + "| 1 | a | |\n| 2 | b | |\n| 3 | c | |\n" + f"| 4 | d | {cell} |\n"
    for cascade in (lenient(text), parse_text(text, "p.md")):
        assert cascade.tasks["4"].depends_on == ("1", "2", "3")
        assert cascade.warnings == ()


@pytest.mark.parametrize(
    "cell", ["Phases 1 & 2", "Phases 1 and 2", "Phase 1 and 2 complete", "All Phase 1 & 2 tasks", "Phases 1/2"]
)
def test_several_phases(cell: str) -> None:
    """The noun appears once, also in the plural, and applies to all that follows."""
    text = (
        f"## Phase 1: X\n{HEAD}| A | a | |\n## Phase 2: Y\n{HEAD}| B | b | |\n## Phase 3: Z\n{HEAD}| C | c | {cell} |\n"
    )
    for cascade in (lenient(text), parse_text(text, "p.md")):
        assert cascade.tasks["C"].depends_on == ("A", "B")


@pytest.mark.parametrize(
    ("cell", "needs"),
    [
        ("Requires A-1 to be merged", ("A-1",)),
        ("A-1 must be done first", ("A-1",)),
        ("A-1: the schema", ("A-1",)),
        ("A-1 [done]; A-2 [open]", ("A-1", "A-2")),
        ("A-1 A-2", ("A-1", "A-2")),
        ("A-1 → A-2", ("A-1", "A-2")),
        ("depends on A-1", ("A-1",)),
    ],
)
def test_ids_in_a_sentence(cell: str, needs: tuple[str, ...]) -> None:
    """The task waits for those that a sentence names, and a note asks a person to check."""
    cascade = lenient(f"{HEAD}| A-1 | a | |\n| A-2 | b | |\n| A-3 | c | {cell} |\n")
    assert (cascade.tasks["A-3"].depends_on, cascade.tasks["A-3"].missing) == (needs, ())
    assert set(kinds(cascade)) == {"guessed"}


@pytest.mark.parametrize(
    "cell",
    ["Parallel with A-1", "not A-1", "Independent of A-1", "No dependencies on A-1", "Does not depend on A-1 and A-2"],
)
def test_what_is_denied(cell: str) -> None:
    """A cell that only says what it does not depend on is no dependency."""
    cascade = lenient(f"{HEAD}| A-1 | a | |\n| A-2 | b | |\n| A-3 | c | {cell} |\n")
    assert (cascade.tasks["A-3"].depends_on, cascade.tasks["A-3"].missing) == ((), ())
    assert set(kinds(cascade)) == {"resolved"}


@pytest.mark.parametrize("cell", ["All", "All other tasks", "everything else"])
def test_all_others(cell: str) -> None:
    """All rows but those that say so as well, and what waits for them."""
    cascade = lenient(f"{HEAD}| A-1 | a | A-3 |\n| A-2 | b | |\n| A-3 | c | {cell} |\n| A-4 | d | {cell} |\n")
    assert [task.depends_on for task in cascade.tasks.values()] == [("A-3",), (), ("A-2",), ("A-2",)]


@pytest.mark.parametrize(
    "cell",
    ["A-1 optional", "blocks A-1", "A-1 or later", "A-12 x", "not A-9", "All except A-1", "optional: A-1"],
)
def test_sentences_that_say_something_else(cell: str) -> None:
    """A sentence that may mean the contrary gives no dependency: a person must fix it."""
    cascade = lenient(f"{HEAD}| A-1 | a | |\n| A-2 | b | |\n| A-3 | c | {cell} |\n")
    assert cascade.tasks["A-3"].missing
    assert "unresolved" in kinds(cascade)


@pytest.mark.parametrize(
    ("written", "task_id"),
    [("Task 1", "1"), ("Phase 2: Api", "2"), ("[A-1]", "A-1"), ("[A-1][ref]", "A-1"), ("T‑01", "T-01")],
)
def test_ids_of_others(written: str, task_id: str) -> None:
    """A noun, brackets and non-breaking dashes do not hide a row; the note mentions them."""
    cascade = lenient(f"{HEAD}| {written} | a | |\n| B | b | {written} |\n")
    assert cascade.tasks["B"].depends_on == (task_id,)
    assert kinds(cascade)[0] == "resolved"


def test_weak_ids_with_their_noun() -> None:
    """`Task 1` in a column called Task."""
    cascade = lenient("| Task | Depends On |\n|---|---|\n| Task 1 | - |\n| Task 2: Api | Task 1 |\n")
    assert {task.id: (task.name, task.depends_on) for task in cascade.tasks.values()} == {
        "1": ("1", ()), "2": ("Api", ("1",)),
    }  # fmt: skip
