"""The folder of Backlog.md: renamed prefixes, loose front matter, folders that stand for a state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nova_core.errors import InputError
from nova_core.importers import backlog, read_plan
from nova_core.model import NoteKind
from nova_core.parser import Cascade

CONFIG = 'project_name: "Shop"\nstatuses: ["To Do", "In Progress", "Done"]\n'


def write(top: Path, name: str, *fields: str, body: str = "") -> Path:
    """A task in a folder such as `tasks/back-1 - x.md`."""
    path = top / "backlog" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("---", *fields, "---", body)))
    return path


def cascade_of(top: Path, config: str = CONFIG) -> Cascade:
    (top / "backlog" / "tasks").mkdir(parents=True, exist_ok=True)
    (top / "backlog" / "config.yml").write_text(config)
    return read_plan(top / "backlog")


def kinds(cascade: Cascade) -> list[str]:
    return [note.kind.value for note in cascade.notes]


@pytest.mark.parametrize(
    ("word", "resolved"),
    [
        ("BACK-24.2", False),
        ("back-24.2", False),
        ("task-24.2", True),
        ("task-24.02", True),
        ("TASK-024.2", True),
        ("24.2", True),
    ],
)
def test_prefixes_that_were_renamed(tmp_path: Path, word: str, resolved: bool) -> None:
    """Ids match by their number, whatever the prefix, the case and the zeros; inexact matches are reported."""
    write(tmp_path, "tasks/back-24.2 - a.md", "id: BACK-24.2", "title: A", "status: To Do")
    write(tmp_path, "tasks/back-3 - b.md", "id: BACK-3", "title: B", "status: To Do", "dependencies:", f"  - {word}")
    cascade = cascade_of(tmp_path)
    assert cascade.tasks["BACK-3"].depends_on == ("BACK-24.2",)
    assert kinds(cascade) == (["resolved"] if resolved else [])
    assert not resolved or (cascade.notes[0].line, Path(cascade.notes[0].path).name) == (6, "back-3 - b.md")
    assert list(cascade.tasks) == ["BACK-3", "BACK-24.2"]


@pytest.mark.parametrize(
    ("status", "settled", "dropped", "noted"),
    [
        ("To Do", False, False, False), ("To do", False, False, False), ("In Progress", False, False, False),
        ("Done", True, False, False), ("Won't Do", True, True, False), ("Blocked", False, False, True),
        ("", False, False, False),
    ],
)  # fmt: skip
def test_states(tmp_path: Path, status: str, settled: bool, dropped: bool, noted: bool) -> None:
    """State words have their usual meaning."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: A", f"status: {status}")
    cascade = cascade_of(tmp_path)
    task = cascade.tasks["BACK-1"]
    assert (bool(task.settled), task.dropped, bool(cascade.notes)) == (settled, dropped, noted)


def test_the_last_state_of_the_settings_is_done(tmp_path: Path) -> None:
    """A project has its own state words, and the last of them means done; this is reported."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: A", "status: Live")
    cascade = cascade_of(tmp_path, "project_name: X\nstatuses: [Idea, Live]\n")
    assert cascade.tasks["BACK-1"].settled == "Live"
    assert kinds(cascade) == ["guessed"]
    assert cascade.name == "X"


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    """Unreadable settings are skipped with a note: the tasks matter."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: A")
    cascade = cascade_of(tmp_path, "project_name: X\nproject_name: Y\n")
    assert (cascade.name, kinds(cascade)) == (tmp_path.name, ["dropped"])


def test_folders(tmp_path: Path) -> None:
    """Tasks in `completed` are done; archive and drafts are skipped, and no task waits for the archive."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: A", "dependencies: [back-2, task-3, back-4, back-9]")
    write(tmp_path, "completed/back-2 - b.md", "id: BACK-2", "title: B", "status: In Progress")
    write(tmp_path, "archive/tasks/back-3 - c.md", "id: BACK-3", "title: C")
    write(tmp_path, "drafts/back-4 - d.md", "id: BACK-4", "title: D")
    cascade = cascade_of(tmp_path)
    assert list(cascade.tasks) == ["BACK-1", "BACK-2"]
    assert cascade.tasks["BACK-1"].depends_on == ("BACK-2",)
    assert cascade.tasks["BACK-1"].missing == ("back-4", "back-9")
    assert cascade.tasks["BACK-2"].settled == "In Progress"
    assert sorted(kinds(cascade)) == ["dropped", "dropped", "guessed", "resolved", "unresolved", "unresolved"]


def test_the_same_id_twice(tmp_path: Path) -> None:
    """The same task in `tasks` and `completed` is done; another one with its id gets a new id."""
    for folder, title in (("tasks", "A"), ("completed", "A"), ("completed", "B")):
        write(tmp_path, f"{folder}/back-1 - {title}.md", "id: BACK-1", f"title: {title}", "status: To Do")
    write(tmp_path, "tasks/back-2 - c.md", "id: BACK-2", "title: C", "dependencies: [BACK-1]")
    cascade = cascade_of(tmp_path)
    assert {i: (t.name, bool(t.settled), t.depends_on) for i, t in cascade.tasks.items()} == {
        "BACK-1": ("A", True, ()), "BACK-1-2": ("B", True, ()), "BACK-2": ("C", False, ("BACK-1",)),
    }  # fmt: skip
    assert NoteKind.GUESSED in [note.kind for note in cascade.notes]


def test_front_matter_that_is_not_yaml(tmp_path: Path) -> None:
    """A name with an @ is common and harmless; in a field that is used it gets a note."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: Fix: it", "assignee:", "  - @codex", "status: Done")
    cascade = cascade_of(tmp_path)
    assert cascade.tasks["BACK-1"].name == "Fix: it"
    assert cascade.tasks["BACK-1"].settled == "Done"
    assert [(note.kind.value, note.line) for note in cascade.notes] == [("guessed", 3)]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """All errors are reported at once, each with its line."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "id: BACK-2")
    write(tmp_path, "tasks/back-2 - b.md", "id: @x", "what")
    write(tmp_path, "tasks/notes.md", "title: no task")
    (tmp_path / "backlog/tasks/back-3 - c.md").write_bytes(b"\xff")
    with pytest.raises(InputError) as raised:
        cascade_of(tmp_path)
    assert [problem.line for problem in raised.value.problems] == [3, 3, 1]


def test_only_files_are_read(tmp_path: Path) -> None:
    """A folder or a pipe with the name of a task is ignored and does not block the import."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: A")
    (tmp_path / "backlog/tasks/back-2 - b.md").mkdir()
    os.mkfifo(tmp_path / "backlog/tasks/back-3 - c.md")
    assert list(cascade_of(tmp_path).tasks) == ["BACK-1"]


BODY = """
## Description

<!-- SECTION:DESCRIPTION:BEGIN -->
One.

```
## Acceptance Criteria
- [ ] no
```
<!-- SECTION:DESCRIPTION:END -->

## Acceptance Criteria
<!-- AC:BEGIN -->
- [x] #1 `make test` passes
- [ ] #2 fine
<!-- AC:END -->

## Implementation Plan

- [ ] a step

<!-- DOD:BEGIN -->
- [ ] #1 `make lint`
<!-- DOD:END -->
"""


def test_body(tmp_path: Path) -> None:
    """Criteria are between their marks or below their heading; a plan's steps and code are text."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: A", "priority: high", body=BODY)
    task = cascade_of(tmp_path).tasks["BACK-1"]
    assert [(c.text, c.command, c.line) for c in task.criteria] == [
        ("`make test` passes", "make test", 20), ("fine", None, 21), ("`make lint`", "make lint", 29),
    ]  # fmt: skip
    assert task.description == "One."
    assert task.details == "```\n## Acceptance Criteria\n- [ ] no\n```\n\n## Implementation Plan\n\n- [ ] a step"
    assert task.priority == 1


def test_parts(tmp_path: Path) -> None:
    """A task with parts is done when they are; its parts refer to it."""
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: A", body="Why.\n## Acceptance Criteria\n- [ ] all\n")
    write(tmp_path, "tasks/back-1.1 - b.md", "id: BACK-1.1", "title: B", "parent_task_id: task-01")
    write(tmp_path, "tasks/back-2 - c.md", "id: BACK-2", "title: C", "dependencies: [BACK-1]", "parent_task_id: task-9")
    cascade = cascade_of(tmp_path)
    assert {i: t.depends_on for i, t in cascade.tasks.items()} == {"BACK-1.1": (), "BACK-2": ("BACK-1.1",)}
    assert "Why." in cascade.tasks["BACK-1.1"].details
    assert cascade.tasks["BACK-1.1"].group == "A"
    assert sorted(kinds(cascade)) == ["dropped", "dropped"]


def test_suits(tmp_path: Path) -> None:
    """The folder is recognised by its settings and its tasks, also from its project."""
    assert not backlog.suits(str(tmp_path), "")
    write(tmp_path, "tasks/back-1 - a.md", "id: BACK-1", "title: A")
    assert not backlog.suits(str(tmp_path), "")
    cascade_of(tmp_path)
    assert backlog.suits(str(tmp_path), "")
    assert backlog.suits(str(tmp_path / "backlog"), "")
    assert read_plan(tmp_path).format == "backlog"


def test_a_folder_of_which_all_is_in_the_archive(tmp_path: Path) -> None:
    """It is still a Backlog.md folder, without tasks, and not a folder of task files."""
    write(tmp_path, "archive/tasks/back-1 - Set-up.md", "id: BACK-1", "title: A", "status: Done", "dependencies: []")
    (tmp_path / "backlog" / "config.yml").write_text(CONFIG)
    with pytest.raises(InputError, match="no tasks found"):
        read_plan(tmp_path / "backlog")
