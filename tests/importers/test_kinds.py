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


@pytest.mark.parametrize("name", ["README.md", "todo.md"])
def test_boxes_in_other_files(name: str) -> None:
    """A list in a README is not a plan."""
    with pytest.raises(InputError):
        read(name, "# Queue\n\n- [x] Write\n- [ ] Read\n")


@pytest.mark.parametrize("name", ["issues.jsonl", "beads.jsonl", "backup/issues.jsonl"])
def test_a_folder_of_beads(name: str) -> None:
    """Its issues are found under each name of the file, even if only a backup exists."""
    read(f".beads/{name}", '{"id": "a-1", "title": "A", "status": "open", "issue_type": "task"}\n')
    assert list(read_plan(".beads").tasks) == ["a-1"]
