"""Tasks with parts: what a parent waits for, its parts wait for."""

from __future__ import annotations

import pytest
from reading import notes, plan

from nova_core.importers.build import build
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.model import NoteKind


@pytest.mark.parametrize(("state", "missing"), [(ItemState.OPEN, ("own", "z", "y")), (ItemState.DONE, ("own",))])
def test_what_is_missing_for_the_whole(state: ItemState, missing: tuple[str, ...]) -> None:
    """No part starts before a missing dependency exists, however deep; a done part needs nothing."""
    items = [
        Item("a", "A", missing=["y"]),
        Item("a.b", "B", parent="a", missing=["z"]),
        Item("a.b.c", "C", parent="a.b", state=state, missing=["own"]),
        Item("d", "D", needs=["a"]),
    ]
    cascade = build(Draft("p", "tasks.json", "taskmaster", items))
    assert cascade.tasks["a.b.c"].missing == missing
    assert cascade.tasks["d"].missing == ()


@pytest.mark.parametrize(("mark", "kind"), [("x", NoteKind.RESOLVED), (" ", NoteKind.UNRESOLVED)])
def test_a_whole_that_is_ticked(mark: str, kind: NoteKind) -> None:
    """Its dependencies no longer matter."""
    cascade = plan(
        "kiro",
        f"""\
        # Implementation Plan
        - [{mark}] 1. Base
          - [x] 1.1 Make
          - [ ] 1.2 Test
          - _Depends: other 9.9_
        """,
    )
    assert len(notes(cascade, kind)) == 1
    assert bool(cascade.tasks["1.2"].missing) is (mark == " ")
    assert cascade.tasks["1.1"].missing == ()
