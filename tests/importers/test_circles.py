"""Circles in plans with parts: what is opened, what is told, and what stays a mistake."""

from __future__ import annotations

import pytest
from reading import edges, notes

from nova_core.errors import InputError
from nova_core.importers.build import build
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.model import NoteKind
from nova_core.parser import Cascade

DONE, OPEN = ItemState.DONE, ItemState.OPEN


def late_part(inner: ItemState, outer: ItemState) -> Cascade:
    """`b` waits for all of `a`, of which `a.2` was added later, and waits for `b`."""
    items = [
        Item("a", "A", 1, state=DONE),
        Item("a.1", "A1", 2, parent="a", state=DONE),
        Item("b", "B", 3, needs=["a"], state=outer),
        Item("a.2", "A2", 4, parent="a", needs=["b"], state=inner),
    ]
    return build(Draft("p", "issues.jsonl", "beads", items))


def test_what_is_settled_waits_for_nothing() -> None:
    """A circle of finished tasks keeps no plan from being read; the rest of the graph stays."""
    cascade = late_part(DONE, DONE)
    assert edges(cascade) == {"a.1": "", "b": "a.1", "a.2": "b"}
    assert notes(cascade, NoteKind.RESOLVED) == [
        "3: b is settled: it does not wait for a.2, which would go in a circle"
    ]


def test_a_whole_does_not_keep_up_what_its_part_waits_for() -> None:
    """Between open tasks the edge goes that comes of the whole, not the one that was written."""
    cascade = late_part(OPEN, OPEN)
    assert edges(cascade) == {"a.1": "", "b": "a.1", "a.2": "b"}
    assert notes(cascade, NoteKind.GUESSED) == [
        "3: b does not wait for a.2, a part of what it waits for: that would go in a circle"
    ]


def test_a_large_whole() -> None:
    """Also with a gate between the two, who waits for the whole waits for all other parts of it."""
    parts = [Item(f"a.{n}", "A", n, parent="a", needs=["b"] if n == 9 else []) for n in range(1, 100)]
    cascade = build(Draft("p", "i.jsonl", "beads", [Item("a", "A"), Item("b", "B", needs=["a"]), *parts]))
    assert cascade.tasks["a.9"].depends_on == ("b",)
    assert set(cascade.tasks["b"].depends_on) == {f"a.{n}" for n in range(1, 100) if n != 9}
    assert len(notes(cascade, NoteKind.GUESSED)) == 1


def test_a_true_circle_stays_a_mistake() -> None:
    """Two open tasks that name each other cannot be done."""
    items = [Item("a", "A", 1, needs=["b"]), Item("b", "B", 2, needs=["a"])]
    with pytest.raises(InputError, match="cyclic dependency: a -> b -> a"):
        build(Draft("p", "issues.jsonl", "beads", items))


def test_many_circles() -> None:
    """Each is opened and told."""
    items = [Item("a", "A", 1, state=DONE), Item("b", "B", 2, needs=["a"], state=DONE)]
    items += [Item(f"a.{n}", "A", 2 + n, parent="a", needs=["b"], state=DONE) for n in range(1, 61)]
    cascade = build(Draft("p", "issues.jsonl", "beads", items))
    assert cascade.tasks["b"].depends_on == ()
    assert len(notes(cascade, NoteKind.RESOLVED)) == 60
