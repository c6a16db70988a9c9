"""Recognising the kind of a plan by its contents."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from nova_core.errors import InputError
from nova_core.importers.formats import read_plan
from nova_core.model import PlanOptions
from nova_core.parser import Cascade

SUMMARY = """\
| Phase | Scope | Depends On |
|-------|-------|------------|
| 1 | Setup | - |
| 2 | Shop | Phase 1 |
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(name: str, text: str) -> Cascade:
    """The plan in a file of this name."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(dedent(text))
    return read_plan(name, PlanOptions())


@pytest.mark.parametrize(
    ("boxes", "kind"),
    [
        ("- [x] T001 Make it\n- [ ] T002 [P] Lint\n- [ ] T003 Sell", "spec-kit"),
        ("- [x] **T001** Make it\n- [ ] ~~T002~~ Lint\n- [ ] [T003] Sell", "spec-kit"),
        ("- [x] 1.1 Make it\n- [ ] 1.2 Lint\n- [ ]* 2.1 Sell\n  - _Requirements: 1.1_", "kiro"),
    ],
)
def test_a_checklist_with_a_table_of_its_phases(boxes: str, kind: str) -> None:
    """The boxes are the tasks, not the two rows that summarise them."""
    cascade = read("tasks.md", f"# Tasks: Shop\n\n## Phase 1: Setup\n{boxes}\n\n## Dependencies\n\n{SUMMARY}")
    assert cascade.format == kind
    assert len(cascade.tasks) == 3
    assert next(task.settled for task in cascade.tasks.values()) == "x"


@pytest.mark.parametrize("boxes", ["- [ ] 1.1 Colours are right\n- [ ] It opens", "- [ ] it opens\n" * 9, ""])
def test_a_table_with_criteria(boxes: str) -> None:
    """Boxes of the rows are criteria; few of them look like ids."""
    assert read("tasks.md", f"# Shop\n\n{SUMMARY}\n#### 2\n\n{boxes}\n").format == "cascade"


def test_boxes_without_ids_in_tasks_md() -> None:
    """A tasks.md is a checklist anywhere, even without the ids and folders of any tool."""
    cascade = read(
        "specs/0001-queue/tasks.md", "# Queue\n\n### Phase 1\n- [x] **TEST: names**\n- [ ] **IMPLEMENT: names**\n"
    )
    assert cascade.format == "spec-kit"
    assert [(task.name, task.settled) for task in cascade.tasks.values()] == [
        ("**TEST: names**", "x"), ("**IMPLEMENT: names**", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["README.md", "notes/today.md"])
def test_boxes_in_other_files(name: str) -> None:
    """A list in a README is not a plan."""
    with pytest.raises(InputError):
        read(name, "# Queue\n\n- [x] Write\n- [ ] Read\n")


@pytest.mark.parametrize("name", ["issues.jsonl", "beads.jsonl", "backup/issues.jsonl"])
def test_a_folder_of_beads(name: str) -> None:
    """Its issues are found under each name of the file, even if only a backup exists."""
    read(f".beads/{name}", '{"id": "a-1", "title": "A", "status": "open", "issue_type": "task"}\n')
    assert list(read_plan(".beads").tasks) == ["a-1"]


ROWS = """\
| # | Task | Depends On |
|---|------|------------|
| 1 | Till | - |
| 2 | Drawer | 1 |
"""


@pytest.mark.parametrize(
    ("boxes", "kind"),
    [
        ("- [x] **The till rounds**\n- [ ] **The drawer opens**\n", "spec-kit"),
        ("- [ ] The till rounds\n  - half up\n- [ ] The drawer opens\n", "spec-kit"),
        ("1. [x] The till rounds\n2. [ ] The drawer opens\n", "spec-kit"),
        ("- [ ] The till rounds\n- [ ] The drawer opens\n", "cascade"),
        ("- [x] The till rounds\n", "cascade"),
        ("- [x] 1: The till rounds\n- [ ] 2: The drawer opens\n", "cascade"),
        ("## Review Checklist\n- [x] It rounds\n- [ ] It opens\n", "cascade"),
    ],
)
def test_boxes_beside_a_table_that_repeats_them(boxes: str, kind: str) -> None:
    """The list with the ticks and the instructions is the plan, and a note says what was not read."""
    cascade = read("tasks.md", f"# Shop\n\n{boxes}\n## Summary\n\n{ROWS}")
    assert cascade.format == kind
    assert len(cascade.tasks) == 2
    told = [note.text for note in cascade.notes if "the table" in note.text]
    assert len(told) == (kind == "spec-kit" or (": The" not in boxes and "Review" not in boxes))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "openspec/changes/a/tasks.md",
            "## 1. Server\n1. Table\n2. Route\n## 2. Page\n- Form\n",
            "3 list items, but no",
        ),
        ("tasks.md", "# Plan\n* Table\n* Route\n", "2 list items, but no boxes"),
        (".kiro/specs/a/tasks.md", "# Plan\n- Table\n", "1 list item, but no boxes"),
        ("README.md", "# Shop\n- [ ] Table\n- [x] Route\n", "2 boxes, but neither its name nor ids"),
        ("notes.md", "# Shop\n\nWords.\n", "no tasks found"),
    ],
)
def test_a_file_without_tasks_says_what_was_seen(name: str, text: str, said: str) -> None:
    """Lists without boxes and boxes in prose are named, without a word about tables."""
    with pytest.raises(InputError) as caught:
        read(name, text)
    assert said in str(caught.value)
    assert "- [ ] 1.1" in caught.value.problems[0].hint


FOREIGN = """\
| Task ID | Title | Points | Dependencies |
|---------|-------|--------|--------------|
| K-1 | Till | 3 | - |
| K-2 | Drawer | 3 | {} |
| K-3 | Lock | 3 | K-1 |
"""


@pytest.mark.parametrize("cell", ["Phase 0 complete", "K-9", "the design"])
def test_a_table_that_was_not_written_for_nova(cell: str) -> None:
    """A dependency that does not exist holds back its task only, unless the table is Nova's own."""
    cascade = read("PLAN.md", FOREIGN.format(cell))
    assert [task.missing for task in cascade.tasks.values()] == [(), (cell,), ()]
    for name, text in (
        ("CASCADE.md", FOREIGN.format(cell)),
        ("PLAN.md", "## L1: Base\n" + FOREIGN.format(cell)),
        ("PLAN.md", f"| Task ID | Task Name | What Changes | Depends On |\n|-|-|-|-|\n| K-2 | a | b | {cell} |\n"),
    ):
        with pytest.raises(InputError):
            read(name, text)
    assert read_plan("PLAN.md", PlanOptions(lenient=True)).tasks["K-2"].missing == (cell,)


@pytest.mark.parametrize("words", ["All Phase 1 tasks", "Phase 1", "K-1, Phase 1", "Phase 1 complete"])
def test_rows_that_name_their_own_group(words: str) -> None:
    """They wait for the rest of it, not for each other, nor for what waits for them."""
    head = "| Task ID | Title | Points | Dependencies |\n|-|-|-|-|\n"
    rows = f"| K-1 | a | 3 | - |\n| K-2 | b | 3 | K-1 |\n| K-3 | c | 3 | {words} |\n| K-4 | d | 3 | {words} |\n"
    cascade = read(
        "PLAN.md", f"### Phase 1\n{head}{rows}| K-5 | e | 3 | K-3 |\n### Phase 2\n{head}| L-1 | f | 1 | Phase 1 |\n"
    )
    found = {task.id: set(task.depends_on) for task in cascade.tasks.values()}
    assert found["K-3"] == found["K-4"] == {"K-1", "K-2"}
    assert found["K-5"] == {"K-3"}
    assert found["L-1"] == {"K-1", "K-2", "K-3", "K-4", "K-5"}
