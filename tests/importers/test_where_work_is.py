"""Plans whose work is not in all of their boxes, or in no box: phases in prose, checks, ids with letters."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import edges, notes, sorted_ids

from nova_core.errors import InputError
from nova_core.importers.formats import read_plan
from nova_core.importers.tick import tick
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser import Cascade

MIXED = """\
# Kiosk
## Phase 1: Till
- [ ] Draw it
## Phase 2: Drawer
- Build it
### Handle
Of brass.
## Phase 3: Lock
1. Oil it
## Phase 4: Door ✅
- Hung
## Phase 5: Trial
### Tests
- [ ] It opens
- [x] It closes
## Timeline
### Phase 1: one day
Long.
"""
LETTERS = """\
# Kiosk
## Phase A
### Group A: Till
**Dependencies:** None
- [x] A.0 Complete the till
  - [x] A.1 Draw it
  - [x] A.2 Build it
### Group B1: Drawer
**Dependencies:** Group A complete (drawn and built)
- [ ] B1.0 Complete the drawer
  - [ ] B1.1 Draw it
### Group B2: Lock
**Dependencies:** Group A must be complete
- [ ] B2.0 Complete the lock
  - [ ] B2.1 Oil it
### Group C: Door
**Dependencies:** Group B1 complete; the key is cut
- [ ] C.0 Hang it
  - [ ] C.1 Lift it

## Summary
| Phase | Groups | Depends On |
|-------|--------|------------|
| A | A | None |
| B | B1, B2 | Phase A |
| C | C | Phase B |
"""
STATES = """\
# Fix plan
## Priority: HIGH
### 1. [DONE] Count the coins
- **Problem:** the sum is wrong
### 2. Empty the drawer
## Priority: LOW
### 3. Oil the lock
"""


def read(folder: Path, name: str, text: str) -> Cascade:
    """The plan in a file of this name."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return read_plan(folder / name, PlanOptions())


@pytest.mark.parametrize("name", ["PLAN.md", "conductor/tracks/kiosk/plan.md", "specs/1/tasks.md"])
def test_phases_without_boxes_get_a_note(tmp_path: Path, name: str) -> None:
    """They are named where others have boxes; a phase that is done or has boxes elsewhere is not."""
    cascade = read(tmp_path, name, MIXED)
    assert [task.name for task in cascade.tasks.values()] == ["Draw it", "It opens", "It closes"]
    assert notes(cascade, NoteKind.DROPPED) == [
        "4: 2 phases have no boxes (`- [ ]`), and so no tasks: 'Phase 2: Drawer', ..."
    ]


def test_checks_that_will_run_get_a_note(tmp_path: Path) -> None:
    """Boxes below `Tests` in a phase may be work, so they run; those that are ticked are not counted."""
    cascade = read(tmp_path, "PLAN.md", MIXED)
    text = "13: 1 box below 'Tests' will run: are they checks of other tasks?"
    assert text in notes(cascade, NoteKind.GUESSED)
    more = MIXED.replace("## Timeline", "### Manual testing:\n- [ ] It shuts\n## Timeline")
    text = "13: 2 boxes below 'Tests' and 1 other heading will run: are they checks of other tasks?"
    assert text in notes(read(tmp_path, "PLAN.md", more), NoteKind.GUESSED)


@pytest.mark.parametrize(
    "heading",
    ["Success Criteria\n### Phase 1", "Phase 1 Complete When:", "**Phase 1 is done when:**", "✨ Future Ideas (v2)",
     "🔮 Future work", "1.1 체크리스트", "🎯 Definition of Done\n### 1. Till"],
)  # fmt: skip
def test_what_says_when_a_phase_is_done_is_no_work(tmp_path: Path, heading: str) -> None:
    """Criteria of phases are no tasks, also below a heading with the number of the phase; pictures do not count."""
    cascade = read(tmp_path, "PLAN.md", f"# Kiosk\n## Phase 1: Till\n- [ ] Draw it\n## {heading}\n- [ ] It sells\n")
    assert [task.name for task in cascade.tasks.values()] == ["Draw it"]
    assert "1 box is not a task" in " ".join(notes(cascade, NoteKind.DROPPED))


def test_ids_with_letters(tmp_path: Path) -> None:
    """`A.0` is the whole of `A.1`; the boxes are the plan, not a table of their groups; groups name each other."""
    cascade = read(tmp_path, "agent-os/specs/kiosk/tasks.md", LETTERS)
    assert edges(cascade) == {"A.1": "", "A.2": "A.1", "B1.1": "A.1 A.2", "B2.1": "A.1 A.2", "C.1": "A.2 B1.1 B2.1"}
    assert notes(cascade, NoteKind.DROPPED) == [
        "17: not fully understood: 'Dependencies: Group B1 complete; the key is cut'",
        "22: the table of 3 tasks was not read: the boxes of the file are its tasks",
    ]


def test_numbered_headings_with_states(tmp_path: Path) -> None:
    """They are the tasks of a file without boxes, where one of them says that it is done; else they are chapters."""
    cascade = read(tmp_path, "fix_plan.md", STATES)
    assert {task.name: task.settled for task in cascade.tasks.values()} == {
        "Count the coins": "DONE", "Empty the drawer": "", "Oil the lock": "",
    }  # fmt: skip
    assert edges(cascade) == {"1": "", "2": "1", "3": "2"}
    assert notes(cascade, NoteKind.GUESSED) == ["3: there are no boxes: 3 numbered headings are the tasks"]
    with pytest.raises(InputError):
        read(tmp_path, "fix_plan.md", STATES.replace("[DONE] ", ""))


def test_an_empty_list_of_features(tmp_path: Path) -> None:
    """The message says that the list is there, and empty."""
    with pytest.raises(InputError, match="its list `features` is empty"):
        read(tmp_path, "feature_list.json", '{"project": "kiosk", "features": []}')


def test_prose_has_one_problem(tmp_path: Path) -> None:
    """Where there is no plan, a heading that looks like an id is not reported as well."""
    text = "# Kiosk\n#### MAIN_TASK_1: Till\nA till.\n- [ ] It sells\n#### MAIN_TASK_2: Drawer\n- [ ] It opens\n"
    with pytest.raises(InputError) as caught:
        read(tmp_path, "product.md", text)
    assert ["2 boxes" in problem.message for problem in caught.value.problems] == [True]


def test_stories_with_a_full_width_colon(tmp_path: Path) -> None:
    """A story is one in any script."""
    cascade = read(tmp_path, "tasks/prd.md", "# 店\n## 故事\n### US-01：抽屉\n- 打开\n### US-02：锁\n- 关上\n")
    assert edges(cascade) == {"US-01": "", "US-02": "US-01"}


MARKS = """\
## 1. Work
- [x] 1.1 Done
-[ ] 1.2 No space
- [ ]1.3 None behind
[ ] 1.4 No bullet
- ☐ 1.5 Ballot
- ☑ 1.6 Ballot
- \\[ ] 1.7 Escaped
- **[ ]** 1.8 Bold
- (x) 1.9 Round
~~[ ] 1.10 Struck~~
- [WIP] Word
"""


def test_boxes_in_other_forms(tmp_path: Path) -> None:
    """What can only be a box is one; anything else that looks like a box gets a note."""
    cascade = read(tmp_path, "openspec/changes/kiosk/tasks.md", MARKS)
    assert {task.id: task.settled for task in cascade.tasks.values()} == {
        "1.1": "x", "1.2": "", "1.3": "", "1.4": "", "1.5": "", "1.6": "☑", "1.7": "",
    }  # fmt: skip
    assert [note.line for note in cascade.notes] == [9, 10, 11, 12]
    done = tick(MARKS, cascade.marks, cascade.tasks).text
    assert done == (
        MARKS.replace("-[ ]", "-[x]")
        .replace("- [ ]1", "- [x]1")
        .replace("[ ] 1.4", "[x] 1.4")
        .replace("☐", "☑")
        .replace("\\[ ] 1.7", "\\[x] 1.7")
    )


@pytest.mark.parametrize(
    ("title", "name", "state"),
    [
        ("✅ Task 2: Drawer", "Drawer", "done"), ("Task 2: Drawer - DONE", "Drawer", "DONE"),
        ("Task 2: Drawer ✅ DONE", "Drawer", "DONE"), ("Task 2: Drawer [x]", "Drawer", "x"),
        ("[x] Task 2: Drawer", "Drawer", "x"), ("[ ] Task 2: Drawer", "Drawer", ""),
        ("Task 2: Drawer [WONTFIX]", "Drawer", "WONTFIX"), ("Task 2: Drawer (deferred)", "Drawer", "deferred"),
        ("🔴 Task 2: Drawer", "Drawer", ""), ("Task 2: Done", "Done", ""),
    ],
)  # fmt: skip
def test_states_of_headings(tmp_path: Path, title: str, name: str, state: str) -> None:
    """A state or a picture before or behind the title of a heading does not hide the task."""
    cascade = read(tmp_path, "PLAN.md", f"# Kiosk\n## Task 1: Till\nDraw it.\n## {title}\nBuild it.\n")
    assert (cascade.tasks["2"].name, cascade.tasks["2"].settled) == (name, state)


def test_tasks_that_name_their_own_phase(tmp_path: Path) -> None:
    """Two tasks that wait for their whole phase wait for the rest of it, and not for each other."""
    text = (
        "## Phase 1: Till\n- [ ] T001 A\n- [ ] T002 [P] B\n- [ ] T003 [P] C (depends on Phase 1)\n"
        "- [ ] T004 [P] D (after all tasks in Phase 1)\n"
    )
    cascade = read(tmp_path, "specs/1/tasks.md", text)
    assert edges(cascade) == {"T001": "", "T002": "T001", "T003": "T001 T002", "T004": "T001 T002"}


STEPS = """\
# Kiosk
| Task | Description | Depends On |
|------|-------------|------------|
| 1 | Till | - |
| 2 | Drawer | Task 1 |

### Task 1: Till
- [x] Draw it
- [x] Build it
### Task 2: Drawer
- [x] Draw it
- [ ] Build it
"""


def test_steps_below_headings_beside_a_table(tmp_path: Path) -> None:
    """The headings with their steps are the plan, also what is ticked; a note names the table."""
    cascade = read(tmp_path, "docs/superpowers/plans/kiosk.md", STEPS)
    assert {task.name: task.settled for task in cascade.tasks.values()} == {"Till": "x", "Drawer": ""}
    assert notes(cascade, NoteKind.DROPPED) == [
        "2: the table of 2 tasks was not read: the boxes of the file are its tasks"
    ]
    assert read(tmp_path, "PLAN.md", STEPS.replace("- [x]", "-").replace("- [ ]", "-")).format == "cascade"


def test_phases_with_a_status(tmp_path: Path) -> None:
    """Phases that say how far they are, in a file without boxes, are the tasks."""
    text = (
        "# Kiosk\n## Stage 1: Till\n**Goal**: sell\n**Status**: Complete\n"
        "## Stage 2: Drawer\n**Status**: In Progress\n## Stage 3: Lock\n**Status**: Not Started\n"
    )
    cascade = read(tmp_path, "IMPLEMENTATION_PLAN.md", text)
    assert {task.name: task.settled for task in cascade.tasks.values()} == {
        "Till": "Complete", "Drawer": "", "Lock": "",
    }  # fmt: skip
    assert edges(cascade) == {"1": "", "2": "1", "3": "2"}
    assert [note.text for note in cascade.notes] == ["there are no boxes: 3 phases are the tasks"]


def test_phases_with_lists(tmp_path: Path) -> None:
    """In a plan without boxes whose phases all have a name and a list, the phases are the tasks."""
    text = (
        "# Kiosk\n## Phase 0 - Till (completed)\n- Draw it\n## Phase 1 - Drawer\n### Handle\n- Of brass\n"
        "## Phase 2 - Lock\n1. Oil it\n"
    )
    cascade = read(tmp_path, "IMPLEMENTATION_PLAN.md", text)
    assert {task.name: task.settled for task in cascade.tasks.values()} == {
        "Till": "completed", "Drawer": "", "Lock": "",
    }  # fmt: skip
    assert cascade.tasks["1"].details == "### Handle\n- Of brass"
    assert [note.text for note in cascade.notes] == ["there are no boxes: 3 phases are the tasks"]
    for name, old, new in (("notes.md", "", ""), ("PLAN.md", "- Of", "Of"), ("PLAN.md", " - Lock", "")):
        with pytest.raises(InputError):
            read(tmp_path, name, text.replace(old, new))


@pytest.mark.parametrize(
    ("below", "order"),
    [
        ("## 1. Till\nDepends on section 2.\n", "2.1 1.1"), ("## 1. Till (depends on 2)\n", "2.1 1.1"),
        ("## 1. Till\n**Blocked by:** 2\n", "2.1 1.1"), ("## 1. Till — after section 2\n", "2.1 1.1"),
        ("## 1. Till (draws the drawer)\n", "1.1 2.1"), ("## 1. Till\nDepends on section 2, or not.\n", "1.1 2.1"),
    ],
)  # fmt: skip
def test_what_sections_say_in_a_sentence_or_title(tmp_path: Path, below: str, order: str) -> None:
    """A sentence below a heading and a remark in it are about all of its tasks; half a sentence changes nothing."""
    cascade = read(tmp_path, "openspec/changes/kiosk/tasks.md", f"{below}- [ ] 1.1 A\n## 2. Drawer\n- [ ] 2.1 B\n")
    assert " ".join(sorted_ids(cascade)) == order
    assert bool(notes(cascade, NoteKind.DROPPED)) is ("or not" in below)


def test_a_phase_that_names_another_in_its_heading(tmp_path: Path) -> None:
    """Stories say in their headings what they wait for."""
    text = (
        "## Phase 1: User Story 1 (depends on US2)\n- [ ] T001 A\n## Phase 2: User Story 2\n- [ ] T002 B\n"
        "## Phase 3: User Story 3 - needs US1\n- [ ] T003 C\n"
    )
    cascade = read(tmp_path, "specs/1/tasks.md", text)
    assert edges(cascade) == {"T001": "T002", "T002": "", "T003": "T001"}


def test_a_whole_whose_parts_are_not_indented(tmp_path: Path) -> None:
    """`1.0 Complete the base` comes with its parts, not before them; any other `1.0` is a task."""
    text = "## 1. Base\n- [ ] 1.0 {} the base\n- [ ] 1.1 A\n- [ ] 1.2 B\n"
    cascade = read(tmp_path, "openspec/changes/kiosk/tasks.md", text.format("Complete"))
    assert edges(cascade) == {"1.1": "", "1.2": "1.1"}
    assert list(read(tmp_path, "openspec/changes/kiosk/tasks.md", text.format("Draw")).tasks) == ["1.0", "1.1", "1.2"]


def test_a_section_with_a_list_and_no_boxes(tmp_path: Path) -> None:
    """It is named where others have boxes."""
    assert not read(tmp_path, "openspec/changes/kiosk/tasks.md", "- Any list\n- [ ] 1.1 A\n").notes
    text = "## 1. Base\n- [ ] 1.1 A\n## 2. Page\n- Draw the form\n## 3. Notes\n- None\n"
    cascade = read(tmp_path, "openspec/changes/kiosk/tasks.md", text)
    assert notes(cascade, NoteKind.DROPPED) == ["3: the list below '2. Page' has no boxes (`- [ ]`), and so no tasks"]


@pytest.mark.parametrize("heading", ["Won't do", "Not in this release", "Post-MVP", "Phase 2: Cards (future)"])
def test_headings_of_what_is_not_to_be_done(tmp_path: Path, heading: str) -> None:
    """Also a phase whose heading ends with such a remark."""
    cascade = read(tmp_path, "PLAN.md", f"# Kiosk\n## Phase 1\n- [ ] Till\n## {heading}\n- [ ] Cards\n")
    assert list(cascade.tasks) == ["till"]
    assert notes(cascade, NoteKind.DROPPED) == [f"4: 1 box is not a task: below '{heading}'"]


def test_paragraphs_are_tasks_and_no_sentences(tmp_path: Path) -> None:
    """What a task without a box says about its order is read once."""
    text = "## Phase 1\n- T001 Till\n- T002 [P] Drawer (depends on T001)\n- T003 [P] Lock (depends on T002)\n"
    cascade = read(tmp_path, "specs/1/tasks.md", text)
    assert edges(cascade) == {"T001": "", "T002": "T001", "T003": "T001 T002"}
    assert not notes(cascade, NoteKind.DROPPED)


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [
        ("T002 Print (deferred to v2)", "deferred to v2", "will not run"),
        ("T002 [SKIPPED] Print", "SKIPPED", "will not run"),
        ("T002 Print - DONE", "", "is not ticked"), ("T002 Tests pass ✅", "", ""),
        ("T002 Filter orders (cancelled)", "", ""), ("T002 Print", "", ""),
    ],
)  # fmt: skip
def test_states_in_the_text_of_a_box(tmp_path: Path, text: str, state: str, said: str) -> None:
    """A deferred task is left out, with a note; the box decides whether a task is done."""
    cascade = read(tmp_path, "specs/1/tasks.md", f"## Phase 1\n- [ ] T001 Till\n- [ ] {text}\n")
    assert cascade.tasks["T002"].settled == state
    assert said in " ".join(notes(cascade, NoteKind.GUESSED))
