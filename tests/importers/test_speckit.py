"""spec-kit: tasks with ids in phases, parallel stories, sentences about dependencies."""

from __future__ import annotations

import pytest
from reading import edges, notes, plan

from nova_core.importers.speckit import read, suits
from nova_core.model import NoteKind, PlanOptions

STORIES = """\
# Tasks: Shop

## Phase 1: Setup
- [x] T001 Make the project
- [ ] T002 [P] Lint
- [ ] T003 [P] Format

## Phase 2: Foundational (Blocking Prerequisites)
- [ ] T004 Schema

**Checkpoint**: `make test` passes

## Phase 3: User Story 1 - Buy (Priority: P1) 🎯 MVP

**Independent Test**: Somebody buys something

### Tests for User Story 1
- [ ] T005 [P] [US1] Contract test
- [ ] T006 [P] [US1] Basket model
### Implementation for User Story 1
- [ ] T007 [US1] Basket
- [ ] T008 [US1] Checkout

## Phase 4: User Story 2 - Search (Priority: P3)
- [ ] T009 [US2] Search

## Phase 5: Polish
- [ ] T010 [P] Docs
- [ ] T011 [P] Speed
"""


def test_phases_are_barriers_and_stories_are_not() -> None:
    """Setup, then foundations, then all stories at the same time, then the polish; `[P]` runs in parallel."""
    assert edges(plan("spec-kit", STORIES)) == {
        "T001": "", "T002": "T001", "T003": "T001",
        "T004": "T002 T003",
        "T005": "T004", "T006": "T004", "T007": "T005 T006", "T008": "T007",
        "T009": "T004",
        "T010": "T008 T009", "T011": "T008 T009",
    }  # fmt: skip


def test_what_else_a_phase_gives_its_tasks() -> None:
    """Branch, group, priority, state, and criteria without commands for the last task of the phase."""
    cascade = plan("spec-kit", STORIES)
    task = cascade.tasks["T008"]
    assert (task.branch, task.group, task.priority) == (
        "Shop", "Phase 3: User Story 1 - Buy (Priority: P1) 🎯 MVP", 1,
    )  # fmt: skip
    assert cascade.tasks["T001"].settled == "x"
    assert [(c.text, c.command) for c in task.criteria] == [("Somebody buys something", None)]
    assert [(c.text, c.command) for c in cascade.tasks["T004"].criteria] == [("`make test` passes", None)]
    assert cascade.tasks["T009"].priority == -1


OLD = """\
# Tasks: Shop
## Phase 3.1: Setup
- [ ] T001 A
## Phase 3.2: Tests First (TDD) ⚠️ MUST COMPLETE BEFORE 3.3
- [ ] T002 [P] B
- [ ] T003 [P] C
## Phase 3.3: Core
- [ ] T004 [P] D
- [ ] T005 E
## Dependencies
- Tests (T002-T003) before implementation (T004-T005)
- T004 blocks T005
"""


def test_the_phases_of_the_first_template() -> None:
    """3.1 to 3.5 are barriers, and its sentences add nothing new."""
    cascade = plan("spec-kit", OLD)
    assert edges(cascade) == {"T001": "", "T002": "T001", "T003": "T001", "T004": "T002 T003", "T005": "T004"}
    assert cascade.notes == ()


def story(sentence: str) -> str:
    """Three stories, and one sentence about their order."""
    return (
        "# Tasks: Shop\n## Phase 1: Setup\n- [ ] T001 A\n## Phase 2: User Story 1\n- [ ] T002 B\n"
        "## Phase 3: User Story 2\n- [ ] T003 C\n- [ ] T004 [P] D\n- [ ] T005 [P] E\n"
        f"## Phase 4: User Story 3\n- [ ] T006 F\n## Phase 5: Polish\n- [ ] T007 G\n## Dependencies\n- {sentence}\n"
    )


PLAIN = {
    "T001": "", "T002": "T001", "T003": "T001", "T004": "T003", "T005": "T003", "T006": "T001",
    "T007": "T002 T004 T005 T006",
}  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "changed"),
    [
        ("**US3 (Phase 4)**: Depends on US1 (extends the list)", {"T006": "T002", "T007": "T004 T005 T006"}),
        ("**User Story 3 (P3)**: Depends on User Story 1", {"T006": "T002", "T007": "T004 T005 T006"}),
        ("Phase 4 depends on Phases 2-3", {"T006": "T002 T004 T005", "T007": "T006"}),
        ("User Story 3 (Phase 4) - Depends on Story 1 completion", {"T006": "T002", "T007": "T004 T005 T006"}),
        ("US1: BLOCKS US3", {"T006": "T002", "T007": "T004 T005 T006"}),
        ("US1 before US3", {"T006": "T002", "T007": "T004 T005 T006"}),
        ("US1 depends on US3", {"T002": "T006", "T007": "T002 T004 T005"}),
        ("T006 depends on T002/T004", {"T006": "T001 T002 T004"}),
        ("T006 after T002", {"T006": "T001 T002"}),
        ("T002 blocks T006", {"T006": "T001 T002"}),
        ("T004 after T005", {"T004": "T003 T005"}),
        ("**Setup (Phase 1)**: No dependencies - can start immediately", {}),
        ("**User Stories (Phase 2+)**: All depend on Setup completion", {}),
        ("**Polish (Phase 5)**: Depends on all user stories", {}),
        ("US2: Can run in PARALLEL with US1", {}),
        ("US2: Independent of Phase 2", {}),
        ("Phase 5: Depends on Phase 1 (T001 for the paths)", {}),
        ("US3: Depends on Phase 1 + US1 (test helpers)", {"T006": "T002", "T007": "T004 T005 T006"}),
        ("Phase 3 depends on Phases 1+2", {"T003": "T002", "T007": "T004 T005 T006"}),
        ("Phase 4: Depends on Phases 1, 2 and 3", {"T006": "T002 T004 T005", "T007": "T006"}),
        ("US2 + US3 (P2) → Can run in parallel with each other and with Phase 2", {}),
        ("US2, US3 → Require US1", {"T003": "T002", "T006": "T002", "T007": "T004 T005 T006"}),
        ("US3: Independent of US2, requires US1", {"T006": "T002", "T007": "T004 T005 T006"}),
        ("US1 and US2 are both P1 - complete before all other stories", {"T006": "T002 T004 T005", "T007": "T006"}),
    ],
)
def test_a_regular_sentence_adds_dependencies(sentence: str, changed: dict[str, str]) -> None:
    """The section about dependencies adds to the order of the phases, without a note."""
    cascade = plan("spec-kit", story(sentence))
    assert edges(cascade) == PLAIN | changed
    assert [note for note in cascade.notes if note.kind is not NoteKind.RESOLVED] == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Models before services", "The API needs the schema", "Phase 1 depends on Phase 5", "Rollout after the audit",
        "US3 depends on the design review",
        "US1 + US2 → Can run in parallel after Setup (US2 may start early; tests need US1)",
        "US3: Backend only — can start after Phase 1, independent of US1/US2",
    ],
)  # fmt: skip
def test_another_sentence_is_reported(sentence: str) -> None:
    """One that looks like a dependency but cannot be interpreted, or is the template's, adds nothing and gets a
    note."""
    cascade = plan("spec-kit", story(sentence))
    assert edges(cascade) == PLAIN
    assert len(cascade.notes) == 1


def test_stories_named_by_their_priority() -> None:
    """`P2 stories` are those with that priority, not all of them."""
    text = story("US1 is P1 - complete before P2 stories\n- US3 can start after P2 stories")
    for number, rank in (("1", "P1"), ("2", "P2"), ("3", "P3")):
        text = text.replace(f"User Story {number}\n", f"User Story {number} (Priority: {rank})\n")
    cascade = plan("spec-kit", text)
    assert edges(cascade) == PLAIN | {"T003": "T002", "T006": "T004 T005", "T007": "T006"}
    assert notes(plan("spec-kit", story("US1 before P2 stories")), NoteKind.DROPPED)


def test_boxes_of_a_checkpoint_are_not_tasks() -> None:
    """A check between two phases will not be done."""
    text = "# F\n## Phase 1: A\n- [ ] T001 A\n### ✅ Checkpoint 1\n**Exit Criteria**:\n- [ ] All fields are there\n"
    cascade = plan("spec-kit", text)
    assert list(cascade.tasks) == ["T001"]
    assert notes(cascade, NoteKind.DROPPED) == ["4: 1 box is not a task: below '✅ Checkpoint 1'"]


def test_sentences_that_form_a_cycle_are_ignored() -> None:
    """Neither overlapping ranges nor two contradictory sentences make a plan unreadable."""
    for sentence in ("T002-T004 before T003-T006", "T002 after T006\n- T006 after T002"):
        cascade = plan("spec-kit", story(sentence))
        assert edges(cascade) == PLAIN
        assert notes(cascade, NoteKind.DROPPED)


def test_a_task_that_is_not_there_is_missing() -> None:
    """Its dependents cannot start; the others can."""
    cascade = plan("spec-kit", "- [ ] T001 A (depends on T099)\n- [ ] T002 [P] B\n")
    assert cascade.tasks["T001"].missing == ("T099",)
    assert cascade.tasks["T002"].missing == ()
    assert notes(cascade, NoteKind.UNRESOLVED) == ["1: T001 depends on 'T099', which does not exist"]


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("T004 D (depends on T001, T002)", "T001 T002"),
        ("T004 D (depends on T001-T002)", "T001 T002"),
        ("T004 D — depends on T001 (it exists)", "T001"),
        ("T004 D (after T001)", "T001"),
        ("T004 D (depends on T1 and T2)", "T001 T002"),
        ("T004 D\n  continues\n  and on (depends on T001, T002)", "T001 T002"),
        ("T004 D\n  - Depends on: T001", "T001"),
        ("T004 D (requires model)", ""),
        ("T004 D (After, Before, Limit)", ""),
    ],
)
def test_dependencies_in_a_line(line: str, needs: str) -> None:
    """Ids behind the usual words count, also in a continuation line; other text in brackets does not."""
    text = f"- [ ] T001 [P] A\n- [ ] T002 [P] B\n- [ ] T003 [P] C\n- [ ] {line.replace('D', '[P] D', 1)}\n"
    assert edges(plan("spec-kit", text))["T004"] == needs


def test_a_task_may_wait_for_a_later_one() -> None:
    """It then comes after that one, and those between them do not wait for it."""
    cascade = plan(
        "spec-kit", "- [ ] T001 A\n- [ ] T002 B (depends on T004 models)\n- [ ] T003 C\n- [ ] T004 D\n- [ ] T005 E\n"
    )
    assert edges(cascade) == {"T001": "", "T002": "T004", "T003": "T001", "T004": "T003", "T005": "T002 T004"}
    assert len(notes(cascade, NoteKind.RESOLVED)) == 1


def test_a_heading_may_name_a_dependency() -> None:
    """The brackets in a heading apply to the tasks below it."""
    text = "## Phase 1: A\n- [ ] T001 [P] A\n- [ ] T002 [P] B\n### Rename (depends on T001)\n- [ ] T003 [P] C\n"
    assert edges(plan("spec-kit", text))["T003"] == "T001"


HEADINGS = """\
# Tasks: Shop
## T001: Make it
- Status: Done (adapted)
- Dependencies: None
- Blocks: T003
## T002: Skip it
- Status: Skipped (not needed)
## T003: Sell it [P]
**Dependencies**: T002
Text of it.
- [ ] a step
## T004: Ship it
- Dependencies: T009
"""


def test_headings_can_be_tasks() -> None:
    """With their state and dependencies in text, and everything below them as details."""
    cascade = plan("spec-kit", HEADINGS)
    assert edges(cascade) == {"T001": "", "T002": "T001", "T003": "T001 T002", "T004": ""}
    assert (cascade.tasks["T001"].settled, cascade.tasks["T001"].dropped) == ("Done (adapted)", False)
    assert (cascade.tasks["T002"].settled, cascade.tasks["T002"].dropped) == ("Skipped (not needed)", True)
    assert "- [ ] a step" in cascade.tasks["T003"].details
    assert cascade.tasks["T004"].missing == ("T009",)
    assert [(mark.text, mark.ids) for mark in cascade.marks] == [("a step", ("T003",))]


def test_a_list_at_the_end_has_the_boxes_of_headings() -> None:
    """The same id further down is the box of that task, not another task."""
    cascade = plan(
        "spec-kit",
        "## A\n### T001: Make it\n### T002: Sell it\n## Task Checklist\n- [x] T001: Make\n- [ ] T002: Sell\n",
    )
    assert [task.settled for task in cascade.tasks.values()] == ["x", ""]
    assert [(mark.line, mark.ids) for mark in cascade.marks] == [(6, ("T002",))]


def test_a_box_may_stand_in_a_heading() -> None:
    """`### - [x] T001` is one task, with a box."""
    cascade = plan("spec-kit", "## Phase 0: A\n### - [x] T001 Make it\n### - [ ] T002 Sell it\n")
    assert [task.settled for task in cascade.tasks.values()] == ["x", ""]
    assert [mark.line for mark in cascade.marks] == [3]


def test_paragraphs_can_be_tasks() -> None:
    """Without any box, lines that begin with an id are tasks, and bullets below them details."""
    text = (
        "# Tasks: Shop\n## Phase 1: Setup\nT001 [P] Make it\n- File: a.py\nT002 [P] Sell it\n"
        "## Dependencies\nT002 after T001\n"
    )
    cascade = plan("spec-kit", text)
    assert edges(cascade) == {"T001": "", "T002": "T001"}
    assert cascade.tasks["T001"].details == "- File: a.py"


NO_TASKS = """\
# Tasks: Shop
## Format: `[ID] [P?] Description`
- **[P]**: Can run in parallel
## Phase 1: Setup
- [ ] T001 Make it
  - [ ] a step
  - [ ] 1. another step
## Notes
- [P] tasks = different files
## Acceptance Criteria (AC)
- [ ] AC1: It sells
## Validation Checklist
- [ ] All contracts have tests
- [x] All entities have models
"""


def test_legends_steps_and_checklists_are_not_tasks() -> None:
    """Only T001 is a task; what was left out is reported, by section."""
    cascade = plan("spec-kit", NO_TASKS)
    assert list(cascade.tasks) == ["T001"]
    assert cascade.tasks["T001"].details == "- [ ] a step\n- [ ] 1. another step"
    assert notes(cascade, NoteKind.DROPPED) == [
        "10: 1 box is not a task: below 'Acceptance Criteria (AC)'",
        "12: 2 boxes are not tasks: below 'Validation Checklist'",
    ]


@pytest.mark.parametrize(
    "heading", ["阶段 {}：设置", "Fase {}: Fundação", "PHASE {} - SETUP", "フェーズ {}：準備", "단계 {}: 설정"]
)
def test_phases_in_other_languages(heading: str) -> None:
    """A phase is a barrier in every language."""
    text = f"## {heading.format(1)}\n- [ ] T001 [P] A\n- [ ] T002 [P] B\n## {heading.format(2)}\n- [ ] T003 [P] C\n"
    assert edges(plan("spec-kit", text))["T003"] == "T001 T002"


@pytest.mark.parametrize(
    ("mark", "settled", "kind"),
    [("x", "x", None), ("X", "X", None), (" ", "", None), ("-", "", NoteKind.RESOLVED), ("~", "", NoteKind.GUESSED)],
)
def test_marks(mark: str, settled: str, kind: NoteKind | None) -> None:
    """Ticked is done; started is open, with a note."""
    cascade = plan("spec-kit", f"- [{mark}] T001 A\n")
    assert cascade.tasks["T001"].settled == settled
    assert [note.kind for note in cascade.notes] == ([kind] if kind else [])


def test_ids_that_are_made_survive_ticking() -> None:
    """A box without an id gets an id from its text, which neither a tick nor a new box above changes; reported once."""
    text = "## Phase 1: Setup\n- [ ] Make it\n- [ ] Sell it\n"
    draft = read("tasks.md", text, PlanOptions())
    assert [item.key for item in draft.items] == ["make-it", "sell-it"]
    ticked = read("tasks.md", text.replace("[ ]", "[x]"), PlanOptions())
    assert [item.key for item in ticked.items] == [item.key for item in draft.items]
    grown = read("tasks.md", text.replace("- [ ] Make", "- [ ] Plan it\n- [ ] Make"), PlanOptions())
    assert [item.key for item in grown.items] == ["plan-it", "make-it", "sell-it"]
    assert [note.kind for note in draft.notes] == [NoteKind.GUESSED]


def test_a_repeated_id_is_reported() -> None:
    """The second task gets another id."""
    cascade = plan("spec-kit", "- [ ] T001 A\n- [ ] T001 B\n")
    assert list(cascade.tasks) == ["T001", "T001-2"]
    assert len(notes(cascade, NoteKind.GUESSED)) == 1


def test_no_paths_become_outputs() -> None:
    """A path in prose is not an output: a wrong one would make a good task fail."""
    assert plan("spec-kit", "- [ ] T001 Create `src/a.py` in src/b.py\n").tasks["T001"].outputs == ()


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("- [ ] T001 A\n", True), ("## T001: A\n", True), ("T001 [P] A\n", True), ("- [x] **T001** A\n", True),
        ("# Plan\n- [ ] 1.1 A\n", False), ("No tasks.\n", False), ("- [ ] Test001 a\n", False),
    ],
)  # fmt: skip
def test_what_is_such_a_plan(text: str, known: bool) -> None:
    """Ids such as T001 identify it."""
    assert suits("tasks.md", text) is known
