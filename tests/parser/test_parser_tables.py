"""Tables of other plans: state words, gates, summaries, and what a person must fix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.errors import InputError
from nova_core.parser import Cascade, parse_text
from nova_core.parser.status import State, read_state


def plan(header: str, *rows: str) -> str:
    """A table."""
    return f"| {header} |\n{'|---' * (header.count('|') + 1)}|\n" + "".join(f"| {row} |\n" for row in rows)


HEAD = "Task ID | Task Name | Depends On"


def lenient(text: str) -> Cascade:
    return parse_text(text, "p.md", lenient=True)


def notes(cascade: Cascade) -> list[tuple[str, int]]:
    return [(note.kind.value, note.line) for note in cascade.notes]


@pytest.mark.parametrize(
    ("cell", "state"),
    [(word, State.DONE) for word in (
        "x", "X", "✅", "✓", "✔️", "done", "Done", "**DONE**", "`done`", "complete", "Completed", "merged", "closed",
        "done ([evidence](a/b.md))", "[x]", "[X]", "✅ Done", "Done ✅", "✓ COMPLETE", "Completed in PR 5", "yes",
        "done 2026-01-31", "DONE — see PR 5", "Done (adapted)", "100%",
    )]
    + [(word, State.DROPPED) for word in (
        "cancelled", "Canceled", "Won't Do", "won’t do", "wont-fix", "skipped", "Skipped (not needed)", "not needed",
        "won't do: too dear", "❌ Cancelled",
    )]
    + [(word, State.OPEN) for word in (
        "", "-", "pending", "Planned", "in progress", "🟡", "⬜", "📋 Planned", "[ ]", "[~]", "READY FOR REVIEW",
        "✅ Ready", "BLOCKED — done later", "not done", "done except for tests", "done, but slow", "Done (partially)",
        "almost done",
        "50%", "complete rewrite", "deferred", "(done)" * 50,
    )],
)  # fmt: skip
def test_state_words(cell: str, state: State) -> None:
    """Work that is certainly done or dropped is settled; all else is open, because repeated work is better than skipped
    work."""
    assert read_state(cell) is state


@pytest.mark.parametrize("title", ["Status", "State", "Done", "✓", "**Status**", "Completed?"])
def test_columns_of_state(title: str) -> None:
    """A state column settles its rows in the plan's own words, and leaves the others open."""
    rows = ("A | a | - | ✅ Done", "B | b | A | skipped", "C | c | B | pending", "D | d | - | ")
    tasks = parse_text(plan(f"{HEAD} | {title}", *rows), "p.md").tasks
    assert {i: (t.settled, t.dropped) for i, t in tasks.items()} == {
        "A": ("✅ Done", False), "B": ("skipped", True), "C": ("", False), "D": ("", False),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "settled", "dropped"),
    [
        ("~~A~~ | a | - | ", "struck out", True),
        ("~~**A**~~ | a | - | ✓", "✓", False),
        ("~~A~~ ✓ | a | - | ", "✓", False),
        ("~~A~~ | ~~a~~ ✅ | - | ", "✅", False),
        ("A ✅ | a | - | ", "✓", False),
        ("~~A~~ | a | - | | ✓ COMPLETE", "✓ COMPLETE", False),
        ("A | a | - | | done", "done", False),
        ("A | a | - | | pending", "", False),
    ],
)
def test_marks_outside_of_a_column_for_them(row: str, settled: str, dropped: bool) -> None:
    """A row that is struck out will not be done, with a tick it is done; so is one with a tick behind its end."""
    task = parse_text(plan(f"{HEAD} | What Changes", row), "p.md").tasks["A"]
    assert (task.settled, task.dropped) == (settled, dropped)


def test_state_over_strike() -> None:
    """The column decides."""
    task = parse_text(plan(f"{HEAD} | Status", "~~A~~ | a | - | merged"), "p.md").tasks["A"]
    assert (task.settled, task.dropped) == ("merged", False)


def test_state_makes_no_task_table() -> None:
    """Many tables have a status: it does not show that they hold tasks, and neither do inputs and gates."""
    table = plan("Task ID | Task Name", "A | a")
    for other in ("ID | Name | Status | Description", "# | Name | Inputs | Gate", "ID | Name | Done | Status"):
        assert list(parse_text(table + "\n" + plan(other, "Z | z | x | y"), "p.md").tasks) == ["A"]


def test_inputs_and_gates() -> None:
    """Inputs are paths in the project; `yes` makes a gate, and prose in its column does not."""
    rows = ("A | a | - | src/a.py, `b c.md` | yes", "B | b | A | - | Tests are green", "C | c | A | - | no")
    tasks = parse_text(plan(f"{HEAD} | Inputs | Gate", *rows), "p.md").tasks
    assert tasks["A"].inputs == ("src/a.py", "b c.md")
    assert [task.gate for task in tasks.values()] == [True, False, False]
    with pytest.raises(InputError, match=r"input '\.\./x' is outside"):
        parse_text(plan(f"{HEAD} | Inputs", "A | a | - | ../x"), "p.md")


@pytest.mark.parametrize("cell", ["**2.1 Name**", "**2.1** Name", "2.1 Name", "`2.1` Name", "**2.1: Name**", "2.1"])
def test_ids_in_front_of_names(cell: str) -> None:
    """Without a column of ids, the name begins with the id."""
    task = parse_text(plan("Task | What to Do | Depends On | Effort", f"{cell} | x | - | S"), "p.md").tasks["2.1"]
    assert task.name == ("2.1" if cell == "2.1" else "Name")
    assert task.description == "x"


PHASES = (
    plan(f"{HEAD} | Effort | Acceptance Criteria", "A | Schema | - | 2h | `make a`", "B | Server | None | 4h | b")
    + "\n"
)


@pytest.mark.parametrize(
    "summary",
    [
        plan("Task ID | Task Name | Status", "A | Schema | done", "B | server | open"),
        plan(HEAD, "B | **Server** | -", "A | | -"),
        plan(f"{HEAD} | Effort", "A | Schema |  | 2h"),
        plan(f"{HEAD} | Criteria", "A | Schema | none | `make a`"),
    ],
)
def test_a_summary_lists_the_same_tasks(summary: str) -> None:
    """A second table with the same or less is merged with the first."""
    cascade = parse_text(PHASES + summary, "p.md")
    assert [(task.id, task.name, task.line) for task in cascade.tasks.values()] == [
        ("A", "Schema", 3),
        ("B", "Server", 4),
    ]
    assert [len(task.criteria) for task in cascade.tasks.values()] == [1, 1]
    assert bool(cascade.tasks["A"].settled) is ("Status" in summary)
    assert notes(lenient(PHASES + summary)) == [
        ("resolved", 6 + 2 + at) for at in range(summary.count("\n") - 2)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "summary",
    [
        plan(HEAD, "A | Other | -"),
        plan(HEAD, "A | Schema | B"),
        plan(f"{HEAD} | Effort", "A | Schema | - | 3h"),
        plan(f"{HEAD} | Criteria", "A | Schema | - | other"),
        plan(HEAD, "a | Schema | -"),
    ],
)
def test_a_summary_that_says_something_else_is_an_error(summary: str) -> None:
    """An ambiguous id is never guessed, in plans of other tools neither."""
    for read in (lenient, lambda text: parse_text(text, "p.md")):
        with pytest.raises(InputError, match="duplicate task id") as raised:
            read(PHASES + summary)
        assert raised.value.problems[0].line == 8


def test_an_id_twice_in_one_table_is_an_error() -> None:
    """In one table it is a mistake, even if both rows are the same."""
    with pytest.raises(InputError, match="duplicate task id"):
        lenient(plan(HEAD, "A | a | -", "A | a | -"))


@pytest.mark.parametrize(
    ("cell", "found", "missing", "kinds"),
    [
        ("A-1", ("A-1",), (), []),
        ("A-1, design doc", ("A-1",), ("design doc",), ["unresolved"]),
        ("A-1 and design doc", ("A-1",), ("design doc",), ["unresolved"]),
        ("A-1 or A-2", ("A-1", "A-2"), (), ["guessed", "resolved"]),
        ("Z-9; A-2", ("A-2",), ("Z-9",), ["unresolved"]),
        ("a-1", ("A-1",), (), ["resolved"]),
        ("2", ("A-2",), (), ["guessed"]),
        ("A-1..A-2", ("A-1", "A-2"), (), ["resolved"]),
        ("Phase 1", ("A-1", "A-2", "1.1"), (), ["resolved"]),
        ("All above", ("A-1", "A-2", "1.1"), (), ["resolved"]),
        ("Phase 1.1", ("1.1",), (), ["guessed"]),
        ("Phase 7", (), ("Phase 7",), ["unresolved"]),
        ("`A-1` (first)", ("A-1",), (), []),
        ("A-9", (), (), ["dropped"]),
    ],
)
def test_lenient_dependencies(cell: str, found: tuple[str, ...], missing: tuple[str, ...], kinds: list[str]) -> None:
    """An interpretation is reported; a missing task gives a note and a warning, and no error."""
    text = "## Phase 1: Base\n" + plan(HEAD, "A-1 | a | -", "A-2 | b | -", "1.1 | c | -")
    cascade = lenient(f"{text}## End\n{plan(HEAD, f'A-9 | z | {cell}')}")
    assert (cascade.tasks["A-9"].depends_on, cascade.tasks["A-9"].missing) == (found, missing)
    assert sorted(notes(cascade)) == [(kind, 10) for kind in kinds]
    assert [problem.line for problem in cascade.warnings] == [10] * len(missing)


def test_what_settled_tasks_waited_for_does_not_matter() -> None:
    """The missing dependencies of finished work do not matter."""
    cascade = lenient(plan(f"{HEAD} | Status", "A | a | gone | done", "B | b | A | "))
    assert cascade.tasks["A"].missing == ()
    assert notes(cascade) == [("resolved", 3)]


def test_lenient_rows_and_cells() -> None:
    """A row that is not a task, and an unreadable cell, are left out and reported."""
    rows = ("[ID] | name | - | P0", "A | a | - | Must", "B | b | A | P1")
    cascade = lenient(plan(f"{HEAD} | Priority", *rows))
    assert [(task.id, task.priority) for task in cascade.tasks.values()] == [("A", 0), ("B", 1)]
    assert notes(cascade) == [("dropped", 3), ("dropped", 4)]
    with pytest.raises(InputError) as raised:
        parse_text(plan(f"{HEAD} | Priority", *rows), "p.md")
    assert [problem.line for problem in raised.value.problems] == [3, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (plan(HEAD, "A | a | B", "B | b | A"), "cyclic"),
        (plan(HEAD, "[ID] | a | -"), "no tasks"),
        ("", "empty"),
        (plan(f"{HEAD} | Command", "A | a | - | x | y | z"), "cells"),
    ],
)
def test_what_stays_an_error(text: str, said: str) -> None:
    """A cycle, a plan without tasks and half a command are always errors."""
    with pytest.raises(InputError, match=said):
        lenient(text)


_CELLS = st.sampled_from(
    ["A", "B", "A, B", "-", "A-C", "Phase 1", "all above", "b", "C (x)", "zz", "A and zz", "done", "✅", ""]
)


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), _CELLS, _CELLS), min_size=1, max_size=6))
def test_lenient_is_strict_where_nothing_is_wrong(rows: list[tuple[str, str, str]]) -> None:
    """A plan of Nova gives the same tasks and the same graph in both modes."""
    text = "## Phase 1\n" + plan(f"{HEAD} | Status", *(f"{i} | n | {cell} | {state}" for i, cell, state in rows))
    try:
        strict = parse_text(text, "p.md")
    except InputError:
        return
    assert lenient(text).tasks == strict.tasks
    assert strict.notes == ()
