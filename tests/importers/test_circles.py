"""Cycles in plans with parts: which are broken, which are reported, and which stay errors."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import edges, notes

from nova_core.dag import DAG
from nova_core.errors import InputError
from nova_core.importers import circles
from nova_core.importers.build import build
from nova_core.importers.circles import circles_of
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.model import NoteKind
from nova_core.parser import Cascade

DONE, OPEN = ItemState.DONE, ItemState.OPEN


def late_part(inner: ItemState, outer: ItemState) -> Cascade:
    """`b` depends on all of `a`, whose `a.2` was added later and depends on `b`."""
    items = [
        Item("a", "A", 1, state=DONE),
        Item("a.1", "A1", 2, parent="a", state=DONE),
        Item("b", "B", 3, needs=["a"], state=outer),
        Item("a.2", "A2", 4, parent="a", needs=["b"], state=inner),
    ]
    return build(Draft("p", "issues.jsonl", "beads", items))


def test_what_is_settled_waits_for_nothing() -> None:
    """A cycle of finished tasks does not make a plan unreadable; the rest of the graph stays."""
    cascade = late_part(DONE, DONE)
    assert edges(cascade) == {"a.1": "", "b": "a.1", "a.2": "b"}
    assert notes(cascade, NoteKind.RESOLVED) == ["3: b is settled: it does not depend on a.2, which would be a cycle"]


def test_a_whole_does_not_keep_up_what_its_part_waits_for() -> None:
    """Between open tasks the edge derived from the parent is removed, not the one that was written."""
    cascade = late_part(OPEN, OPEN)
    assert edges(cascade) == {"a.1": "", "b": "a.1", "a.2": "b"}
    assert notes(cascade, NoteKind.GUESSED) == [
        "3: b does not depend on a.2, a part of its dependency: that would be a cycle"
    ]


def test_a_large_whole() -> None:
    """Even with a gate between the two, a task that waits for the parent waits for all other parts of it."""
    parts = [Item(f"a.{n}", "A", n, parent="a", needs=["b"] if n == 9 else []) for n in range(1, 100)]
    cascade = build(Draft("p", "i.jsonl", "beads", [Item("a", "A"), Item("b", "B", needs=["a"]), *parts]))
    assert cascade.tasks["a.9"].depends_on == ("b",)
    assert set(cascade.tasks["b"].depends_on) == {f"a.{n}" for n in range(1, 100) if n != 9}
    assert len(notes(cascade, NoteKind.GUESSED)) == 1


def test_a_true_cycle_stays_an_error() -> None:
    """Two open tasks that name each other cannot be done."""
    items = [Item("a", "A", 1, needs=["b"]), Item("b", "B", 2, needs=["a"])]
    with pytest.raises(InputError, match="cyclic dependency: a -> b -> a"):
        build(Draft("p", "issues.jsonl", "beads", items))


def test_a_true_cycle_is_reported_where_it_is_written() -> None:
    """In a folder the place is in one of its files."""
    items = [Item("a", "A", 3, needs=["b"], file="t/a.md"), Item("b", "B", 2, needs=["a"], file="t/b.md")]
    with pytest.raises(InputError, match=r"^t/a\.md:3: cyclic"):
        build(Draft("p", "t", "protocol", items))


def test_many_cycles() -> None:
    """Each cycle is broken and reported."""
    items = [Item("a", "A", 1, state=DONE), Item("b", "B", 2, needs=["a"], state=DONE)]
    items += [Item(f"a.{n}", "A", 2 + n, parent="a", needs=["b"], state=DONE) for n in range(1, 61)]
    cascade = build(Draft("p", "issues.jsonl", "beads", items))
    assert cascade.tasks["b"].depends_on == ()
    assert len(notes(cascade, NoteKind.RESOLVED)) == 60


NODES = "abcdefgh"
GRAPHS = st.dictionaries(st.sampled_from(NODES), st.sets(st.sampled_from(NODES), max_size=3)).map(
    lambda found: {key: tuple(sorted(found.get(key, set()) - {key})) for key in NODES}
)


def reach(needs: dict[str, tuple[str, ...]], key: str) -> set[str]:
    """All direct and indirect dependencies of a task."""
    seen: set[str] = set()
    rest = list(needs[key])
    while rest:
        if (need := rest.pop()) not in seen:
            seen.add(need)
            rest += needs[need]
    return seen


@given(GRAPHS)
def test_which_tasks_are_in_a_cycle(needs: dict[str, tuple[str, ...]]) -> None:
    """Tasks that wait for themselves, each with all tasks of its cycle, by plain search."""
    found = circles_of(needs)
    assert found.keys() == {key for key in NODES if key in reach(needs, key)}
    for one in found:
        for other in found:
            assert (found[one] == found[other]) == (other in reach(needs, one) and one in reach(needs, other))


@given(GRAPHS, st.sets(st.sampled_from(NODES)))
def test_no_cycle_with_settled_work_is_left(needs: dict[str, tuple[str, ...]], settled: set[str]) -> None:
    """A rejected cycle has only open tasks, each of which names the next; a task in no cycle keeps its dependencies."""
    items = [
        Item(key, key, n, needs=list(needs[key]), state=DONE if key in settled else OPEN)
        for n, key in enumerate(NODES, 1)
    ]
    try:
        found = build(Draft("p", "issues.jsonl", "beads", items)).tasks
    except InputError:
        open_needs = {key: tuple(i for i in needs[key] if i not in settled) for key in NODES if key not in settled}
        assert circles_of(open_needs)
        return
    for key in set(NODES) - circles_of(needs).keys():
        assert set(found[key].depends_on) == set(needs[key])
    for key in set(NODES) - settled:
        assert set(found[key].depends_on) == set(needs[key])


def test_many_cycles_cost_no_more_than_reading_them() -> None:
    """Two settled tasks that name each other, many times over: all cycles are broken at once."""
    items = [
        Item(f"{n}{one}", "x", n, needs=[f"{n}{other}"], state=DONE)
        for n in range(3_000)
        for one, other in ("ab", "ba")
    ]
    with patch.object(circles, "DAG", wraps=DAG) as graph:
        cascade = build(Draft("p", "issues.jsonl", "beads", items))
    assert not any(task.depends_on for task in cascade.tasks.values())
    assert graph.call_count <= 3
