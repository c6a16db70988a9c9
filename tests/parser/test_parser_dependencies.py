"""Dependency cells in all usual forms: each becomes ids, or an error with its place; never a silent wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.errors import InputError, Problem
from nova_core.parser import Cascade, parse_text

HEAD = "| Task ID | Task Name | What Changes | Depends On |\n|---|---|---|---|\n"
LAST = "END-1"
PLAN = f"""\
# Plan
## L1: Base
### L2: Foundation
{HEAD}| F1 | a | x | - |
| F2 | b | x | - |
| F3 | c | x | - |
| F4 | d | x | - |
## Phase 2: Data & Views
### Build and Ship
{HEAD}| M2-T001 | e | x | - |
| M2-T002 | f | x | - |
| 001 | g | x | - |
| 002 | h | x | - |
| 010 | i | x | - |
| 7.1 | j | x | - |
## Phase 3 - Rest
{HEAD}| AA-1.1 | k | x | - |
| AA-1.2 | l | x | - |
| AA-1.3 | m | x | - |
"""
F = ("F1", "F2", "F3", "F4")
PHASE_2 = ("M2-T001", "M2-T002", "001", "002", "010", "7.1")
PHASE_3 = ("AA-1.1", "AA-1.2", "AA-1.3")


def with_cell(cell: str, task_id: str = LAST) -> Cascade:
    """The plan with one more task that has `cell` as its dependencies."""
    return parse_text(f"{PLAN}## End\n{HEAD}| {task_id} | z | x | {cell} |\n", "p.md")


def problems(cell: str, task_id: str = LAST) -> tuple[Problem, ...]:
    """The problems of that plan."""
    with pytest.raises(InputError) as raised:
        with_cell(cell, task_id)
    return raised.value.problems


@pytest.mark.parametrize(
    "cell",
    ["", "-", "--", "—", "–", "None", "none.", "NONE", "n/a", "N/A", "Nothing", "`-`", "**None**", "(none)", "*none*",
     "None (can start now)", "no dependencies"],
)  # fmt: skip
def test_nothing_in_all_its_forms(cell: str) -> None:
    """Every way to say "nothing" makes a task that can start now, without a warning."""
    cascade = with_cell(cell)
    assert cascade.tasks[LAST].depends_on == ()
    assert cascade.warnings == ()


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("F1", ("F1",)),
        ("F1, F2", ("F1", "F2")),
        ("F1,F2", ("F1", "F2")),
        ("F2 , F1,", ("F2", "F1")),
        ("F1, F1", ("F1",)),
        ("F1; F2", ("F1", "F2")),
        ("F1<br>F2<br/>F3", ("F1", "F2", "F3")),
        ("F1 + F2", ("F1", "F2")),
        ("F1+F2", ("F1", "F2")),
        ("F1 and F2", ("F1", "F2")),
        ("F1, F2, and F3", ("F1", "F2", "F3")),
        ("F1 & F2", ("F1", "F2")),
        ("F1 / F2", ("F1", "F2")),
        ("`F1`, **F2**, [F3](f3.md), F4", F),
        ("F1, ~~F2~~", ("F1",)),
        ("~~F1~~ F2", ("F2",)),
        ("~~F1, F2~~", ()),
        ("F1.", ("F1",)),
        ("[F1]", ("F1",)),
        ("#001, #002", ("001", "002")),
        ("Task 001", ("001",)),
        ("Tasks 001 and 002", ("001", "002")),
        ("F1 (OpenAPI spec), F2 (a, b)", ("F1", "F2")),
        ("(F1)", ("F1",)),
        ("F1 complete", ("F1",)),
        ("F1, F2 🔴", ("F1", "F2")),
        ("None, F1", ("F1",)),
        ("F1-F4", F),
        ("F1..F4", F),
        ("F1–F4", F),
        ("F1 — F4", F),
        ("F1 through F4", F),
        ("F1 thru F3", F[:3]),
        ("F1 to F4", F),
        ("F1-4", F),
        ("F2-F3, 001", ("F2", "F3", "001")),
        ("`F1`-`F4`", F),
        ("001-002", ("001", "002")),
        ("001-010", ("001", "002", "010")),
        ("M2-T001-M2-T002", ("M2-T001", "M2-T002")),
        ("M2-T001 through M2-T002", ("M2-T001", "M2-T002")),
        ("AA-1.1-1.3", PHASE_3),
        ("AA-1.1", ("AA-1.1",)),
        ("F4 to 001", ("F4", "M2-T001", "M2-T002", "001")),
        ("Foundation", F),
        ("foundation", F),
        ("L2: Foundation", F),
        ("Group Foundation", F),
        ("Base", F),
        ("L1: Base", F),
        ("Build and Ship", PHASE_2),
        ("Phase 2: Data & Views", PHASE_2),
        ("Phase 2", PHASE_2),
        ("Phase 2 complete", PHASE_2),
        ("Phase 2 (data, views)", PHASE_2),
        ("Phase 2, Phase 3", PHASE_2 + PHASE_3),
        ("Phases 2-3", PHASE_2 + PHASE_3),
        ("Phase 2 & 3", PHASE_2 + PHASE_3),
        ("All Phase 3 tasks", PHASE_3),
        ("All above", F + PHASE_2 + PHASE_3),
        ("all previous tasks", F + PHASE_2 + PHASE_3),
        ("All of the above", F + PHASE_2 + PHASE_3),
        ("All prior phases", F + PHASE_2 + PHASE_3),
    ],
)
def test_references_of_every_form(cell: str, expected: tuple[str, ...]) -> None:
    """Lists, decoration, remarks, ranges, groups and `All above` become ids in a known order, without a warning."""
    cascade = with_cell(cell)
    assert cascade.tasks[LAST].depends_on == expected
    assert cascade.warnings == ()


@pytest.mark.parametrize(
    ("cell", "task_id", "expected"),
    [
        ("f1", LAST, ("F1",)),
        ("m2-t001, F1", LAST, ("M2-T001", "F1")),
        ("T001, T002", "M2-T011", ("M2-T001", "M2-T002")),
        ("1.1", "AA-2.1", ("AA-1.1",)),
    ],
)
def test_guesses_are_made_with_a_warning(cell: str, task_id: str, expected: tuple[str, ...]) -> None:
    """Another case, and the prefix of the task itself, are accepted with a warning."""
    cascade = with_cell(cell, task_id)
    assert cascade.tasks[task_id].depends_on == expected
    assert {warning.line for warning in cascade.warnings} == {cascade.tasks[task_id].line}


@pytest.mark.parametrize(
    ("cell", "message", "hint"),
    [
        ("AA-1.9", "END-1 depends on 'AA-1.9', which is not a task", "did you mean AA-1."),
        ("F1, Z", "'Z'", "name a task id"),
        ("design doc", "'design doc'", "write `-`"),
        ("F1 or F2", "'F1 or F2'", ""),
        ("All others", "'All others'", ""),
        ("T001", "'T001'", ""),
        ("F1-F9", "'F1-F9'", ""),
        ("002 to F1", "range from 002 to F1", "reverse the range"),
        ("Phase 9", "'Phase 9'", ""),
        ("Phases 2-9", "'Phases 2-9'", ""),
        ("?", "'?'", ""),
        ("TBD", "'TBD'", ""),
        ("END-1", "END-1 depends on itself", "remove"),
        ("F1 to END-1", "END-1 depends on itself", "remove"),
        ("\x1b[2J\u202eF9", "which is not a task", ""),
    ],
)
def test_what_cannot_be_resolved_is_an_error(cell: str, message: str, hint: str) -> None:
    """The error is reported once, with the row's line, in text that is safe to print."""
    (problem,) = problems(cell)
    assert message in problem.message
    assert hint in problem.hint
    assert problem.line == PLAN.count("\n") + 4
    assert problem.message.isprintable()
    assert not problem.warning


def test_a_name_of_two_groups_is_an_error() -> None:
    """Two groups of one name are never chosen between."""
    first = f"# P\n## A\n### Tests\n{HEAD}| A | a | x | - |\n"
    text = f"{first}## B\n### Tests\n{HEAD}| B | b | x | - |\n| C | c | x | Tests |"
    with pytest.raises(InputError, match="'Tests', which names 2 groups"):
        parse_text(text, "p")


def test_a_task_does_not_wait_for_itself_in_its_group() -> None:
    """A group named by one of its own tasks means all of its other tasks."""
    cascade = parse_text(f"# P\n## G\n{HEAD}| A | a | x | - |\n| B | b | x | - |\n| C | c | x | G |", "p")
    assert cascade.tasks["C"].depends_on == ("A", "B")


def test_all_prior_phases_leaves_out_the_own_group() -> None:
    """`All prior phases` means all tasks above in other groups, `All above` all tasks above."""
    rows = f"# P\n## A\n{HEAD}| A | a | x | - |\n## B\n{HEAD}| B | b | x | - |\n| C | c | x | {{}} |"
    assert parse_text(rows.format("All prior phases"), "p").tasks["C"].depends_on == ("A",)
    assert parse_text(rows.format("All above"), "p").tasks["C"].depends_on == ("A", "B")


def test_two_dependency_columns_count_both() -> None:
    """A task with two dependency columns waits for both."""
    head = "| Task ID | Depends On | Blocked by |\n|---|---|---|\n"
    cascade = parse_text(f"{head}| A | - | - |\n| B | - | - |\n| C | A | B |\n| D | - | C |", "p")
    assert [t.depends_on for t in cascade.tasks.values()] == [(), (), ("A", "B"), ("C",)]


@pytest.mark.parametrize(
    ("rows", "cycle"),
    [
        ("| F1 | a | x | F2 |\n| F2 | b | x | F1 |", "F1 -> F2 -> F1"),
        ("| A | a | x | - |\n| B | b | x | D |\n| C | c | x | B |\n| D | d | x | C, A |", "B -> D -> C -> B"),
    ],
)
def test_a_cycle_is_reported_at_its_first_task(rows: str, cycle: str) -> None:
    """The message shows the cycle, the place is the row where it starts."""
    with pytest.raises(ValueError, match=cycle) as raised:
        parse_text(f"{HEAD}{rows}", "p.md")
    assert isinstance(raised.value, InputError)
    (problem,) = raised.value.problems
    assert problem.line == 3 + rows.split("\n").index(next(r for r in rows.split("\n") if r[2] == cycle[0]))


def test_every_cycle_is_reported() -> None:
    """Two cycles are two problems."""
    rows = "".join(f"| {a} | n | x | {b} |\n" for a, b in ("AB", "BA", "CD", "DC"))
    with pytest.raises(InputError) as raised:
        parse_text(HEAD + rows, "p")
    assert [p.message for p in raised.value.problems] == [
        "cyclic dependency: A -> B -> A",
        "cyclic dependency: C -> D -> C",
    ]


def test_a_long_cycle_is_cut() -> None:
    """A cycle through thousands of tasks still gives one readable line."""
    rows = "".join(f"| T{i} | n | x | T{(i + 1) % 5000} |\n" for i in range(5000))
    with pytest.raises(InputError, match=r"T0 -> T1 -> T2 .* more\) -> T0") as raised:
        parse_text(HEAD + rows, "p")
    assert len(raised.value.message) < 300


def test_a_graph_too_large_to_hold_is_rejected() -> None:
    """A few words can name millions of edges; that is one error, not a machine without free memory."""
    rows = "".join(f"| T{i} | n | x | All above |\n" for i in range(3000))
    with pytest.raises(InputError, match="more than 1,000,000 dependencies") as raised:
        parse_text(HEAD + rows, "p")
    assert len(raised.value.problems) == 1


@given(st.lists(st.sampled_from(["F1", "f2", "001", "-", "–", "and", ",", "(", ")", "..", "Phase", "2", "all", "above",
                                 "`", "[", "](", "#", "x", "\\", "<br>", " "]), max_size=12))  # fmt: skip
def test_any_cell_resolves_or_is_reported(parts: list[str]) -> None:
    """Whatever a cell contains, the result is tasks of the plan, or an error at that row."""
    cell = " ".join(parts)
    ids: set[str] = set()
    lines = {PLAN.count("\n") + 4}
    try:
        cascade = with_cell(cell)
        ids = set(cascade.tasks[LAST].depends_on) - (cascade.tasks.keys() - {LAST})
    except InputError as error:
        lines = {p.line for p in error.problems if not p.warning}
    assert (ids, lines) == (set(), {PLAN.count("\n") + 4})


@pytest.mark.parametrize("cell", ["F1", "F1, F4", "F1-F4", "Foundation"])
def test_dependencies_are_the_ids_themselves(cell: str) -> None:
    """A plan keeps each id once, however many tasks name it: copies of 28,500 ids took 1.5 MB."""
    plan = with_cell(cell)
    ids = {id(task_id) for task_id in plan.tasks}
    assert plan.tasks[LAST].depends_on
    assert {id(task_id) for task_id in plan.tasks[LAST].depends_on} <= ids
