"""The flat rows of the tree: folding, filters, searching."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_kit import at, opened, settled
from fake_source import demo_model, demo_source
from hypothesis import given
from hypothesis import strategies as st
from look import screen_text
from scripted_run import PLAN

from nova_core.parser import parse_text
from nova_tui.rows import Filter, Finder, Order, Outline, Row, above, find_row, kept, ordered, step
from nova_tui.views import tree_row
from nova_tui.views.members import Place
from nova_tui.views.tree_row import Columns

CASCADE = parse_text(PLAN, "CASCADE.md")
OUTLINE = Outline(CASCADE)
PARENTS = [row.place for row in OUTLINE.visible(set()) if row.parent]
FLAT = "# F\n\n| Task ID | Task Name | What Changes | Depends On |\n| - | - | - | - |\n| A | one | x | - |\n"
UNGROUPED = (
    "# U\n\n## L1: Data\n\n"
    "| Task ID | Task Name | What Changes | Depends On |\n| - | - | - | - |\n| A | one | x | - |\n\n"
    "## L1: Publish\n\n| Task ID | Task Name | What Changes | Depends On |\n| - | - | - | - |\n| B | two | x | A |\n"
)


def ids(rows: list[Row]) -> list[str]:
    """The tasks among rows."""
    return [r.place.task for r in rows if r.place.task]


def test_all_open_shows_every_level_in_plan_order() -> None:
    """Three branches, five groups, twenty-one tasks; the header names the project."""
    rows = OUTLINE.visible(set())
    assert len(rows) == 3 + 5 + 21
    assert ids(rows) == list(CASCADE.tasks)
    assert [r.depth for r in rows[:3]] == [0, 1, 2]


def test_a_plan_without_branches_has_no_rows_for_them() -> None:
    """A level with a single nameless member is left out."""
    rows = Outline(parse_text(FLAT, "F.md")).visible(set())
    assert [(r.depth, r.place.task) for r in rows] == [(0, "A")]


def test_a_branch_without_groups_has_one_row() -> None:
    """Its tasks are in a group of the same name, which adds nothing."""
    rows = Outline(parse_text(UNGROUPED, "U.md")).visible(set())
    assert [(r.depth, r.place.branch, r.place.task) for r in rows] == [
        (0, "Data", None), (1, "Data", "A"), (0, "Publish", None), (1, "Publish", "B"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("closed", "hidden"),
    [
        (Place("core", "parser"), {"P1", "P2", "P3", "P4"}),
        (Place("docs"), {"D1", "D2", "D3", "D4"}),
    ],
)
def test_what_is_closed_hides_all_below_it(closed: Place, hidden: set[str]) -> None:
    """The closed row itself stays."""
    rows = OUTLINE.visible({closed})
    assert set(CASCADE.tasks) - set(ids(rows)) == hidden
    assert closed in [r.place for r in rows]


def test_a_filter_shows_what_it_keeps_and_what_is_above_even_if_closed() -> None:
    """Branches and groups without a kept task vanish."""
    rows = OUTLINE.visible({Place("core")}, lambda i: i == "P3")
    assert [r.place for r in rows] == [Place("core"), Place("core", "parser"), Place("core", "parser", "P3")]


@given(
    closed=st.sets(st.sampled_from([r.place for r in OUTLINE.visible(set()) if r.parent])),
    keep=st.sets(st.sampled_from(list(CASCADE.tasks))),
)
def test_rows_are_a_part_of_all_rows_in_their_order(closed: set[Place], keep: set[str]) -> None:
    """Neither folding nor filtering invents, repeats or moves a row."""
    everything = OUTLINE.visible(set())
    for rows in (OUTLINE.visible(closed), OUTLINE.visible(closed, keep.__contains__)):
        positions = [everything.index(row) for row in rows]
        assert positions == sorted(set(positions))
    assert set(ids(OUTLINE.visible(closed, keep.__contains__))) == keep


def test_the_cursor_falls_back_to_the_nearest_row_above() -> None:
    """A hidden task is found as its group, else its branch, else the project."""
    place = Place("core", "parser", "P2")
    rows = OUTLINE.visible({Place("core", "parser")})
    found = find_row(rows, place)
    assert found is not None
    assert rows[found].place == Place("core", "parser")
    assert above(place) == [Place("core", "parser"), Place("core"), Place()]
    assert find_row([], place) is None


@pytest.mark.parametrize(("order", "first"), [(Order.TIME, "D3"), (Order.COST, "E1"), (Order.FAILURE, "E3")])
def test_an_order_puts_what_is_wanted_first_in_a_flat_list(order: Order, first: str) -> None:
    """Every task once; ties in plan order."""
    model = demo_model()
    found = ordered(model, list(CASCADE.tasks), order)
    assert found[0] == first
    assert sorted(found) == sorted(CASCADE.tasks)
    rows = OUTLINE.flat(found, lambda i: i.startswith("P"))
    assert [row.place.task for row in rows] == [i for i in found if i.startswith("P")]
    assert all(row.flat and row.depth == 0 for row in rows)


def test_filters_go_through_every_kind() -> None:
    """Every kind but `all` keeps something of its own."""
    groups = [kept(f) for f in Filter if f is not Filter.ALL]
    assert all(groups)
    assert len(set().union(*groups)) == sum(map(len, groups))


@pytest.mark.parametrize(
    ("text", "found"),
    [("p4", ["P4"]), ("THE reader", ["P4"]), ("reader fuzz", ["P4"]), ("  ", []), ("nothing like it", []), ("[", [])],
)
def test_search_wants_every_word_in_any_case(text: str, found: list[str]) -> None:
    """Words in ids and names."""
    finder = Finder(list(CASCADE.tasks), [t.name for t in CASCADE.tasks.values()])
    assert finder.find(text) == found


@pytest.mark.parametrize(
    ("current", "way", "expected"), [("B", 1, "D"), ("B", -1, "A"), ("D", 1, "A"), ("A", -1, "D"), (None, 1, "A")]
)
def test_the_next_match_wraps_at_the_ends(current: str | None, way: int, expected: str) -> None:
    """From the cursor on, even if it is on no match."""
    order = {i: n for n, i in enumerate("ABCD")}
    assert step(["A", "D"], order, current, way) == expected
    assert step([], order, current, way) is None


async def test_the_first_rows_of_an_order_are_seen_and_the_plan_is_as_it_was_left(tmp_path: Path) -> None:
    """However far down the cursor was; the most expensive ones show what they cost."""
    async with opened(demo_source(tmp_path), (80, 24)) as (app, pilot):
        at(app, "W4")
        for order in (Order.TIME, Order.COST, Order.FAILURE):
            await pilot.press("o")
            await settled(pilot)
            first = ordered(app.model, app.main.tasks.task_ids, order)[0]
            lines = screen_text(app).splitlines()
            head = next(n for n, text in enumerate(lines) if order.value in text)
            assert f" {first} " in lines[head + 1]
            assert app.target == first
            assert ("$" in lines[head + 1]) is (order is Order.COST)
        await pilot.press("o")
        assert app.target == "W4"


def test_the_branch_of_a_row_is_dim_whatever_its_note_is() -> None:
    """In a flat list; the row is as wide as before."""
    model = demo_model()
    row = next(row for row in Outline(model.cascade).flat(["E3"]))
    pieces = tree_row.draw(model, row, Columns(90))
    assert ("  core", "muted") in [(text.rstrip(), style) for text, style in pieces]
    assert sum(len(text) for text, _ in pieces) == 90
