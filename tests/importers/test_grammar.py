"""Sentences about order: read whole or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import edges, plan, sorted_ids

from nova_core.importers.grammar import Grammar
from nova_core.model import NoteKind

GRAMMAR = Grammar(["Setup", "Foundational", "Polish"])


def links(text: str) -> str | None:
    """What a sentence says, as `user<need` for each pair; None if it is not understood."""
    reading = GRAMMAR.read(text)
    if reading is None:
        return None
    pairs = {(user, need) for link in reading.links for user in link.users for need in link.needs}
    return (
        " ".join(f"{user}<{need}" for user, need in sorted(pairs))
        .replace(" ", "_")
        .replace("_T", " T")
        .replace("_U", " U")
    )


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("US3 depends on US1", "US3<US1"),
        ("US3 depends on US1 and US2.", "US3<US1 US3<US2"),
        ("US3 only depends on US1 because it extends its list", "US3<US1"),
        ("US3 (the chart) requires US1", "US3<US1"),
        ("US3: needs US1", "US3<US1"),
        ("US3 - Depends on US1 completion", "US3<US1"),
        ("US3 → Requires US1", "US3<US1"),
        ("US3 can start only after US1 is done", "US3<US1"),
        ("US3 cannot start until US1 is complete", "US3<US1"),
        ("US3 must wait for US1", "US3<US1"),
        ("US3 is blocked by US1", "US3<US1"),
        ("US3 must follow US1", "US3<US1"),
        ("US3 builds on US1", "US3<US1"),
        ("T003 after T001/T002", "T003<T001 T003<T002"),
        ("US1 blocks US3", "US3<US1"),
        ("US1 before US3", "US3<US1"),
        ("US1 must be complete before US3", "US3<US1"),
        ("US1 is a prerequisite for US3", "US3<US1"),
        ("US1 precedes US2, US3", "US2<US1 US3<US1"),
        ("US1 -> US2 -> US3", "US2<US1 US3<US2"),
        ("US1 first, then US2, then US3", "US2<US1 US3<US2"),
        ("US1 → US2 + US3 → US4", "US2<US1 US3<US1 US4<US2 US4<US3"),
        ("The order follows the priority: US1 → US2", "US2<US1"),
        ("Execution order: US1 → US2", "US2<US1"),
        ("US2 must follow US1 and precede US3", "US2<US1 US3<US2"),
        ("US3 depends on US1, US4 depends on US2", "US3<US1 US4<US2"),
        ("US3 depends on US1 and US4 depends on US2", "US3<US1 US4<US2"),
        ("US3: Depends on US1 - BLOCKS US4", "US3<US1 US4<US3"),
        ("US2 depends on US1 and US4 on US3", "US2<US1 US4<US3"),
        ("US2 depends on US1, US3 on US2, and US4 on US3", "US2<US1 US3<US2 US4<US3"),
        ("US2 is blocked by US1 and US4 by US3", "US2<US1 US4<US3"),
        ("US1 is a prerequisite for US2, and US3 for US4", "US2<US1 US4<US3"),
        ("US3 depends on US1 only", "US3<US1"),
        ("Once US1 is complete, US3 can start", "US3<US1"),
        ("After US1 and US2, US3 can begin", "US3<US1 US3<US2"),
        ("When US1 is done, start US3", "US3<US1"),
        ("Before US3 starts, US1 must be complete", "US3<US1"),
        ("US1 must be done before US3 can start", "US3<US1"),
        ("US3 starts when US1 is done", "US3<US1"),
        ("US3 not before US1", "US3<US1"),
        ("US1 is required by US3", "US3<US1"),
        ("US1 → (US2 ∥ US3) → US4", "US2<US1 US3<US1 US4<US2 US4<US3"),
        ("US1 → [US2, US3] → US4", "US2<US1 US3<US1 US4<US2 US4<US3"),
        ("US1 first, then US2 and US3 in parallel, then US4", "US2<US1 US3<US1 US4<US2 US4<US3"),
        ("T004 depends on all of Phase_5".replace("_", " "), "T004<Phase_5"),
        ("US4 must come last", "US4<all_stories"),
        ("US4 is done last, US1 must be done first", "US4<all_stories_all_stories<US1"),
        ("US3: Independent of US2, requires US1", "US3<US1"),
        ("US3: No dependency on US1, but needs US2", "US3<US2"),
        ("US3 depends on nothing. US4 depends on US1.", "US4<US1"),
        ("US3 does not depend on US1", ""),
        ("US3 doesn't need US1", ""),
        ("US1 never blocks US3", ""),
        ("US3: No dependencies", ""),
        ("US3 is independent of US1 and US2", ""),
        ("US2 and US3 can run in parallel", ""),
        ("US3: may integrate with US1 but should be independently testable", ""),
        ("US3 depends on US1 (can run in parallel with US2)", "US3<US1"),
    ],
)
def test_understood(sentence: str, said: str) -> None:
    """Every form of the grammar, in words that people use."""
    assert links(sentence) == said


@pytest.mark.parametrize(
    "sentence",
    [
        "US3 depends on the list of US1",
        "US3 can start when US1 changes",
        "After US1, US2 and US3",
        "Unless US1 is done, US2 can start",
        "US2 does not come before US1",
        "US1 → (US2 or US3)",
        "US1 in parallel, then US2",
        "US3 depends on US1 or US2",
        "US3 may depend on US1",
        "US3 can be done before US1",
        "US4 comes after US3, which comes after US1",
        "US1 ← US2",
        "US3 depends on US1 unless the list is there",
        "US3 depends on US1 (optional)",
        "US3 depends on US1 (but not on US2)",
        "US3 depends on US1. That is no longer so.",
        "US3 depends on US1, which T004 makes",
        "If US1 slips, US3 blocks US2",
        "US1 → US2, US3 → US4",
        "US2 depends on US1, US3 and US4 on US2",
        "US2 does not depend on US1 and US4 on US3",
        "US2 blocks US1 and US4 on US3",
        "US2 depends on US1 and US4 for US3",
        "US4 must not come last",
        "T004 must come last",
        "US4 may come last",
        "US1 blocks US2 in practice: T004 draws into the page that T003 makes",
        "US1 is not independent of US2",
        "Not the order: US1 → US2",
        "Wrong order: US2 → US1",
        "US3 depends not on US1",
        "No dependencies other than US1",
        "No dependencies except US1",
        "US1 and US2 share a table",
        "and before US1",
        "US3 after",
        "",
    ],
)  # fmt: skip
def test_not_understood(sentence: str) -> None:
    """A word too many, a condition, two readings, half a sentence: nothing is taken from it."""
    assert links(sentence) is None


_clauses = st.sampled_from(
    [("{0} depends on {1}", False), ("{0} must be complete before {1}", True), ("{0} is blocked by {1}", False),
     ("{0} requires {1}", False), ("{0} blocks {1}", True), ("{0} needs {1}", False), ("{0} → {1}", True),
     ("{0} can start after {1} is done", False), ("{0} follows {1}", False), ("{0} precedes {1}", True),
     ("{0} waits for {1}", False), ("Once {1} is complete, {0} can start", False), ("{0} is required by {1}", True),
     ("Before {1} starts, {0} must be done", True), ("{0} can start when {1} is done", False)]
)  # fmt: skip
_names = st.permutations(["US1", "US2", "T003", "T004", "Phase 5", "Setup"])


def _pair(clause: tuple[str, bool], one: str, other: str) -> tuple[str, tuple[str, str]]:
    """A clause about two names, and the pair (user, need) that it states."""
    text, turned = clause
    return text.format(one, other), (other, one) if turned else (one, other)


def _pairs(text: str) -> set[tuple[str, str]]:
    reading = GRAMMAR.read(text)
    found = reading.links if reading else ()
    return {(user, need) for link in found for user in link.users for need in link.needs}


@given(_clauses, _clauses, _names, st.sampled_from([", ", "; ", " and ", ", but ", ". "]))
def test_clauses_may_be_swapped(one: tuple[str, bool], other: tuple[str, bool], names: list[str], joint: str) -> None:
    """Two clauses never mix: each states its own pair, in either order, or nothing is taken."""
    (first, a), (second, b) = _pair(one, *names[:2]), _pair(other, *names[2:4])
    for text in (f"{first}{joint}{second}", f"{second}{joint}{first}"):
        assert _pairs(text) in ({a, b}, set())
    assert _pairs(f"{first}. {second}") == {a, b}


@given(_clauses, _clauses, _names, st.data())
def test_a_not_never_makes_an_edge(
    one: tuple[str, bool], other: tuple[str, bool], names: list[str], data: st.DataObject
) -> None:
    """Wherever `not`, `never` or `no` is put into a sentence, the clause around it states nothing."""
    (first, _), (second, b) = _pair(one, *names[:2]), _pair(other, *names[2:4])
    words = first.split(" ")
    at = data.draw(st.integers(0, len(words)))
    word = data.draw(st.sampled_from(["not", "never", "no", "doesn't", "cannot"]))
    denied = " ".join([*words[:at], word, *words[at:]])
    assert _pairs(denied) == set()
    for text in (f"{denied}, {second}", f"{second}, {denied}", f"{denied}. {second}"):
        assert _pairs(text) <= {b}


@given(st.text(alphabet="US12T003→,.():- notdepab", max_size=60))
def test_any_text(text: str) -> None:
    """Any text is read or not; a name that is not in it is never made up."""
    reading = GRAMMAR.read(text)
    assert all(name in text for link in (reading.links if reading else ()) for name in (*link.users, *link.needs))


def test_long_sentences_take_little_time() -> None:
    """A list of many clauses has many readings, and is not understood."""
    assert links(", ".join(f"US{number} blocks US{number + 1}" for number in range(500))) is None
    assert links("(" * 2_000) is None
    assert links("US1 → " * 300 + "US2") is None


STORIES = """\
# Tasks: Shop
## Phase 1: Setup
- [ ] T001 A
## Phase 2: User Story 1
- [ ] T002 B
## Phase 3: User Story 2
- [ ] T003 C
## Phase 4: User Story 3
- [ ] T004 D
## Dependencies
"""
APART = {"T001": "", "T002": "T001", "T003": "T001", "T004": "T001"}


@pytest.mark.parametrize("shape", ["- {}", "{}", "* **{}**", "- _{}_", "- `{}`", "1. {}", "- **{}**."])
@pytest.mark.parametrize(
    ("sentence", "changed"),
    [
        ("US3 depends on US1", {"T004": "T002"}),
        ("US3 does not depend on US1", {}),
        ("US1 → US2 → US3", {"T003": "T002", "T004": "T003"}),
        ("US2 must follow US1 and precede US3", {"T003": "T002", "T004": "T003"}),
        ("US2 depends on US1 and US3 on US2", {"T003": "T002", "T004": "T003"}),
        ("US1 must come last", {"T002": "T003 T004"}),
        ("US2 comes first", {"T002": "T003", "T004": "T003"}),
        ("US3: No dependency on US1, though it needs the list of US2", {}),
    ],
)
def test_emphasis_and_wrapped_lines_change_nothing(shape: str, sentence: str, changed: dict[str, str]) -> None:
    """A sentence means the same in any emphasis, and wherever its lines break."""
    words = sentence.split(" ")
    for at in range(len(words)):
        text = " ".join(words[:at]) + ("\n  " if at else "") + " ".join(words[at:])
        assert edges(plan("spec-kit", STORIES + shape.format(text) + "\n")) == APART | changed


@pytest.mark.parametrize("kind", ["kiro", "openspec"])
@pytest.mark.parametrize(
    ("sentence", "third"),
    [
        ("3.1 depends on 1.1", "1.1 2.1"),
        ("Section 3 depends on Section 1", "1.1 2.1"),
        ("3.1 does not depend on 1.1", "2.1"),
        ("Base blocks Pages", "1.1 2.1"),
    ],
)
def test_numbered_lists_have_the_same_sentences(kind: str, sentence: str, third: str) -> None:
    """Tasks and sections by their numbers and names."""
    text = (
        "# Plan\n## 1. Base\n- [ ] 1.1 A\n## 2. Till\n- [ ] 2.1 B\n## 3. Pages\n- [ ] 3.1 C\n"
        f"## Dependencies\n- {sentence}\n"
    )
    assert edges(plan(kind, text)) == {"1.1": "", "2.1": "1.1", "3.1": third}


@pytest.mark.parametrize(
    ("field", "order"),
    [
        ("**Depends on:** Section 2", ["2.1", "1.1", "3.1"]),
        ("Depends on: 2. Jobs", ["2.1", "1.1", "3.1"]),
        ("- Blocked by: Section 2", ["2.1", "1.1", "3.1"]),
        ("**Dependencies**: None", ["1.1", "2.1", "3.1"]),
        ("**Depends on:** nothing", ["1.1", "2.1", "3.1"]),
    ],
)
def test_a_heading_with_a_field(field: str, order: list[str]) -> None:
    """What is written below a heading is about all of its tasks."""
    text = f"## 1. Traces\n\n{field}\n\n- [ ] 1.1 A\n\n## 2. Jobs\n- [ ] 2.1 B\n\n## 3. Page\n- [ ] 3.1 C\n"
    cascade = plan("openspec", text)
    assert list(sorted_ids(cascade)) == order
    assert ("2.1" in cascade.tasks["1.1"].depends_on) is (order[0] == "2.1")
    assert not [note for note in cascade.notes if note.kind is NoteKind.DROPPED]


def test_a_contradiction_of_stories_is_reported() -> None:
    """Two sentences that form a cycle add nothing."""
    cascade = plan("spec-kit", STORIES + "- US1 before US2\n- US2 before US1\n")
    assert edges(cascade) == APART
    assert [note.line for note in cascade.notes if note.kind is NoteKind.DROPPED] == [11, 12]


def test_a_label_needs_no_note() -> None:
    """What only announces a list says nothing about the order."""
    text = STORIES + "Recommended implementation sequence:\n\n- US3 depends on US1\n"
    cascade = plan("spec-kit", text)
    assert edges(cascade) == APART | {"T004": "T002"}
    assert not cascade.notes


def test_a_task_that_comes_last_gets_a_note() -> None:
    """Only of stories it is clear what the others are."""
    cascade = plan("spec-kit", STORIES + "- T003 must come last\n- Finish this section first\n")
    assert edges(cascade) == APART
    assert [note.line for note in cascade.notes if note.kind is NoteKind.DROPPED] == [11]


def test_a_sentence_elsewhere() -> None:
    """Outside of the section about order a sentence that names two known things counts, or gets a note."""
    text = STORIES.replace("## Dependencies\n", "## Remarks\n")
    assert edges(plan("spec-kit", text + "US3 depends on US1.\n"))["T004"] == "T002"
    cascade = plan("spec-kit", text + "US3 draws into the page that US1 makes, and comes after it.\n")
    assert edges(cascade) == APART
    assert [note.kind for note in cascade.notes] == [NoteKind.DROPPED]
