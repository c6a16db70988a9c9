"""Random checklists: every task is found, every ordering rule holds, and no text breaks a reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import READERS, above, plan
from sampling import sampled

from nova_core.errors import InputError
from nova_core.importers.build import build
from nova_core.importers.draft import Draft, ItemState
from nova_core.model import PlanOptions

PIECES = [
    "- [ ] ", "- [x] ", "  - [ ]* ", "- [-] ", "T001", "T002", "T003a", "1.", "1.1", "2.1.1", "1", " [P]", " (P)",
    "[US1]", "\n", "\n", "\n\n", "\r\n", "## ", "# ", "### ", "Phase 1: ",
    "Phase 2", "User Story 1", "Dependencies", "```",
    "```json\n", '{"waves": [["1.1"], ["T001"]]}', '{"waves": [', "<!--", "-->", "---", "  ", "\t", "- ",
    "depends on ", "(depends on T002)", "_Depends: 1.1_",
    "- Status: Done", "- Blocks: T003", "T001-T003", "T003-T001",
    " blocks ", " before ", " after ", "US1", "->",
    "**Checkpoint**: ok", "**", "~~", "\u3000", "１．", "\x00", "\ufeff",
    "|", "None", ", ",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=60).map("".join)


@given(TEXTS, st.sampled_from(sorted(READERS)), st.booleans())
def test_any_text_is_a_draft_or_a_mistake(text: str, kind: str, optional: bool) -> None:
    """No text causes an unexpected error, and every open leaf of a draft is one task of the plan."""
    try:
        draft = READERS[kind]("specs/a/tasks.md", text, PlanOptions(optional=optional))
        leaves = [item.key for item in draft.items if item.key not in {i.parent for i in draft.items}]
        cascade = build(draft)
    except InputError:
        return
    assert isinstance(draft, Draft)
    assert len(leaves) == len([task for task in cascade.tasks.values() if not task.gate])


@given(st.lists(st.tuples(st.sampled_from(" xX-"), st.booleans()), min_size=1, max_size=30))
def test_every_box_is_one_task_with_its_state(boxes: list[tuple[str, bool]]) -> None:
    """Ticked or not, parallel or not: one task for each box, done if it is ticked."""
    text = "".join(f"- [{mark}] T{at:03} {'[P] ' * p}Do {at}\n" for at, (mark, p) in enumerate(boxes))
    draft = READERS["spec-kit"]("tasks.md", text, PlanOptions())
    assert [item.key for item in draft.items] == [f"T{at:03}" for at in range(len(boxes))]
    assert [item.state is ItemState.DONE for item in draft.items] == [mark in "xX" for mark, _ in boxes]


def order_of(parallel: list[bool]) -> list[set[int]]:
    """All direct and indirect predecessors of each item of a list, derived from the rule."""
    found: list[set[int]] = []
    for at, beside in enumerate(parallel):
        first = at
        while beside and first > 0 and parallel[first - 1]:
            first -= 1
        found.append(set(range(first)))
    return found


@given(st.lists(st.booleans(), min_size=1, max_size=25))
def test_parallel_marks(parallel: list[bool]) -> None:
    """A run of parallel tasks starts after all before the run; what follows depends on all of the run."""
    expected = order_of(parallel)
    kiro = "".join(f"- [ ] {at}. {'(P) ' * beside}Do it\n" for at, beside in enumerate(parallel))
    spec = "".join(f"- [ ] T{at:03} {'[P] ' * beside}Do it\n" for at, beside in enumerate(parallel))
    found = above(plan("kiro", kiro))
    assert [{int(i) for i in found[str(at)]} for at in range(len(parallel))] == expected
    found = above(plan("spec-kit", spec))
    assert [{int(i[1:]) for i in found[f"T{at:03}"]} for at in range(len(parallel))] == expected


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=8))
def test_phases_and_stories(phases: list[tuple[bool, int]]) -> None:
    """A task waits for every phase before its own, but not for the stories next to its story."""
    lines: list[str] = []
    tasks: list[tuple[int, int]] = []
    for at, (story, count) in enumerate(phases):
        lines.append(f"## Phase {at + 1}: {f'User Story {at + 1}' if story else 'Work'}")
        for _ in range(count):
            lines.append(f"- [ ] T{len(tasks):03} Do it")
            tasks.append((at, len(tasks)))
    found = above(plan("spec-kit", "\n".join(lines)))

    def comes_before(first: int, second: int) -> bool:
        """Returns True if a barrier separates two phases: not all from the first to the second are stories."""
        return first < second and not all(story for story, _ in phases[first : second + 1])

    for phase, task in tasks:
        expected = {other for place, other in tasks if comes_before(place, phase) or (place == phase and other < task)}
        assert {int(i[1:]) for i in found[f"T{task:03}"]} == expected


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 3), min_size=1, max_size=8), st.sets(st.integers(1, 8)))
def test_waves(order: list[int], sizes: list[int], checks: set[int]) -> None:
    """Each wave depends on all of the one before it; what is in no wave waits for all above it; there is no cycle."""
    inside = [number for number in order if number not in checks]
    waves: list[list[int]] = []
    for size in sizes:
        waves.append(inside[:size])
        inside = inside[size:]
    waves = [wave for wave in [*waves, inside] if wave]
    if not waves:
        return
    text = "".join(f"- [ ] {number}. Do it\n" for number in range(1, 9))
    found = above(plan("kiro", f"{text}```json\n{json.dumps({'waves': waves})}\n```\n"))
    before: set[str] = set()
    for wave in waves:
        for number in wave:
            assert before <= found[str(number)]
        before |= {str(number) for number in wave}
    for number in checks:
        assert {str(other) for other in range(1, number)} <= found[str(number)]


HOSTILE_FILES = [
    "- [ ] T001 " + "x" * 300_000, "- [ ] " + "*" * 300_000, "- [ ] T001 " + "(" * 300_000,
    "- [ ] " + "1." * 150_000, "- [ ] T001 " + "depends on T001, " * 20_000,
    "- [ ] T001 a\n  - Depends: " + "T001-" * 60_000, " " * 300_000 + "- [ ] T1 a", "## " + "#" * 300_000,
    "# " + "tasks: " * 50_000, "- [ ] T001 a\n" + "```\n~~~\n" * 20_000, "<!--\n" * 50_000,
    "- [ ] 1. a\n```json\n{\"waves\": " + "[" * 300_000 + "\n```",
    "".join(" " * n + f"- [ ] {n}. a\n" for n in range(600)), "- [ ] " + ".".join(["1"] * 100_000) + " a",
    "- [ ] T001 a\n## Dependencies\n" + "".join(f"- T{n}-T{n + 1} before T{n}\n" for n in range(5_000)),
]  # fmt: skip


@pytest.mark.parametrize(("number", "kind"), sampled(range(len(HOSTILE_FILES)), sorted(READERS)))
def test_hostile_files_end(kind: str, number: int) -> None:
    """Long lines, deep nests and fences that never close are read or rejected; quadratic work would take minutes."""
    try:
        assert build(READERS[kind]("tasks.md", f"{HOSTILE_FILES[number]}\n- [ ] T900 y\n", PlanOptions())).tasks
    except InputError:
        return
