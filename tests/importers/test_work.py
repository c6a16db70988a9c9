"""Which lines of a checklist are tasks: none vanishes without a note."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import edges, notes, plan

from nova_core.importers.formats import read_plan
from nova_core.model import NoteKind, PlanOptions

FORMATS = {"spec-kit": ("T001", "T002"), "openspec": ("1.1", "1.2"), "kiro": ("1.1", "1.2")}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("mark", "settled"),
    [("[?]", ""), ("[!]", ""), ("[>]", ""), ("[ x ]", "x"), ("[  ]", ""), ("[ ]", ""), ("[]", ""), ("[*]", ""),
     ("[D]", ""), ("[o]", ""), ("[✔]", "✔"), ("[✅]", "✅"), ("[X ]", "X"), ("[.]", "")],
)  # fmt: skip
def test_a_box_with_any_mark_is_a_task(kind: str, mark: str, settled: str) -> None:
    """A mark that Nova does not know is open, with a note at its line."""
    first, second = FORMATS[kind]
    cascade = plan(kind, f"- {mark} {first} A\n- [ ] {second} B\n")
    assert edges(cascade) == {first: "", second: first}
    assert cascade.tasks[first].settled == settled
    odd = not settled and bool(mark.strip("[ ]"))
    assert [note.line for note in cascade.notes] == ([1] if odd else [])


@pytest.mark.parametrize(
    "line", ["- [P] tasks run beside each other", "- [1] a footnote", "- [link](a.md)", "- [[wiki]]"]
)
def test_other_brackets_are_no_boxes(line: str) -> None:
    """Legends, links and footnotes."""
    assert list(plan("spec-kit", f"- [ ] T001 A\n\n## Format\n{line}\n").tasks) == ["T001"]


@pytest.mark.parametrize(
    "heading", ["Validation of orders", "Gate service", "Release", "Review page", "Notes table", "Verification mail"]
)
@pytest.mark.parametrize("box", ["T002 B", "**B**"])
def test_words_in_headings_of_phases_are_the_work(heading: str, box: str) -> None:
    """Below a phase, or with an id, a heading names what is to be done."""
    text = f"# F\n## Phase 1: Base\n- [ ] T001 A\n### {heading}\n- [ ] {box}\n## Phase 2: End\n- [ ] T003 C\n"
    assert len(plan("spec-kit", text).tasks) == 3
    assert len(plan("spec-kit", text.replace("T001 ", "").replace("T003 ", "")).tasks) == 3


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("shape", ["- {} B", "- [done] {} B", "- **{}** B", "* [TODO] {} B", "1. {} B"])
def test_an_item_with_an_id_and_no_box_gets_a_note(kind: str, shape: str) -> None:
    """It looks like a task; a line about a task that has a box does not."""
    first, second = FORMATS[kind]
    cascade = plan(kind, f"- [ ] {first} A\n\n## More\n{shape.format(second)}\n- {first} is the first\n")
    assert list(cascade.tasks) == [first]
    assert [note.line for note in cascade.notes] == [4]


LATER = ["Out of Scope", "Future Work", "Future", "Open Questions", "Notes", "PR Merge", "Deferred to v2", "Non-goals",
         "🔮 Future enhancements", "Follow-ups", "Nice to have", "Definition of Done", "Review Checklist"]  # fmt: skip


@pytest.mark.parametrize("heading", LATER)
@pytest.mark.parametrize("kind", FORMATS)
def test_boxes_below_later_work_are_left_out(kind: str, heading: str) -> None:
    """Boxes without ids there are no tasks where the tasks have ids; the note names the heading."""
    first, second = FORMATS[kind]
    text = f"# F\n- [ ] {first} A\n- [ ] {second} B\n\n## {heading}\n\n- [ ] Something\n  - [ ] and more\n"
    cascade = plan(kind, text)
    assert list(cascade.tasks) == [first, second]
    assert any(heading in note and note.startswith("5:") for note in notes(cascade, NoteKind.DROPPED))


@pytest.mark.parametrize("kind", FORMATS)
def test_ids_count_before_headings(kind: str) -> None:
    """A box with an id is a task wherever it stands."""
    first, second = FORMATS[kind]
    assert list(plan(kind, f"- [ ] {first} A\n\n## Future Work\n- [ ] {second} B\n").tasks) == [first, second]


HEADED = """\
# Tasks: Shop

## Tasks

### {1}: Till [DONE]
**Dependencies**: None

- Write till.py

### {2}: Drawer
**Dependencies**: {1}
- [ ] a step

### {3}: Lock
**Dependencies**: {2}

## Verification
- [ ] `pytest -q` passes
"""


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("ids", [("T1", "T2", "T3"), ("Task 1", "Task 2", "Task 3"), ("T001", "T002", "T003")])
def test_headings_are_tasks_in_every_format(kind: str, ids: tuple[str, str, str]) -> None:
    """With their state, their text and their dependencies; the boxes below them are steps."""
    text = HEADED
    for number, task_id in enumerate(ids, 1):
        text = text.replace(f"{{{number}}}", task_id)
    cascade = plan(kind, text)
    one, two, three = cascade.tasks.values()
    assert [task.name for task in cascade.tasks.values()] == ["Till", "Drawer", "Lock"]
    assert (one.settled, two.settled, two.depends_on, three.depends_on) == ("DONE", "", (one.id,), (two.id,))
    assert "- [ ] a step" in two.details
    assert "Write till.py" in one.details
    assert notes(cascade, NoteKind.DROPPED) == ["17: 1 box is not a task: below 'Verification'"]


@pytest.mark.parametrize("kind", ["openspec", "kiro"])
def test_a_zero_is_the_whole_of_what_is_below_it(kind: str) -> None:
    """`1.0` is ticked when its parts are done; no agent completes it before."""
    text = "- [ ] 1.0 Complete the base\n  - [ ] 1.1 A\n  - [ ] 1.2 B\n- [ ] 2.0 Complete the pages\n  - [ ] 2.1 C\n"
    cascade = plan(kind, text)
    assert edges(cascade) == {"1.1": "", "1.2": "1.1", "2.1": "1.2"}
    assert {mark.line: mark.ids for mark in cascade.marks} == {
        1: ("1.1", "1.2"), 2: ("1.1",), 3: ("1.2",), 4: ("2.1",), 5: ("2.1",),
    }  # fmt: skip
    flat = "- [ ] 1.0 Start\n- [ ] 1.1 A\n- [ ] 2.0 More\n"
    assert edges(plan(kind, flat)) == {"1.0": "", "1.1": "1.0", "2.0": "1.1"}


@pytest.mark.parametrize(
    "heading", ["Implementation checklist", "Development Checklist", "Task Checklist", "✅ Build checklist"]
)
def test_a_checklist_of_what_is_to_be_built(heading: str, tmp_path: Path) -> None:
    """Its boxes are the tasks; those of a checklist for a release are none."""
    file = tmp_path / "todo.md"
    file.write_text(f"# Till\n## {heading}\n- [ ] Draw it\n## Release checklist\n- [ ] Look at it\n")
    assert [task.name for task in read_plan(file, PlanOptions()).tasks.values()] == ["Draw it"]
