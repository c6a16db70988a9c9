"""`nova import`, `nova export` and `nova run --tick`, used as a person would."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cli_process import nova

from nova_core.parser import parse_cascade

KIRO = """\
# Implementation Plan

- [x] 1. Set up
  - [x] 1.1 Make the folder
- [ ] 2. Build
  - [ ] 2.1 Write the parser
  - [ ]* 2.2 Write tests
  - [-] 2.3 Write docs
- [ ] 3. Checkpoint - all passes
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A project with a spec of Kiro."""
    path = tmp_path / ".kiro" / "specs" / "search" / "tasks.md"
    path.parent.mkdir(parents=True)
    path.write_text(KIRO)
    return path


def test_an_import_shows_what_it_understood_and_changes_nothing(tmp_path: Path, spec: Path) -> None:
    """Counts, then each note with its place, then the next commands."""
    done = nova("import", ".kiro/specs/search", cwd=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "search (kiro): 5 tasks, 5 edges, 1 already done, 1 will not be done, 1 resolved, 1 dropped"
    assert lines[1].startswith(".kiro/specs/search/tasks.md:7: dropped: 2.2 is optional")
    assert done.stderr.startswith("next: run it with nova run .kiro/specs/search,")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".kiro"]


def test_an_import_as_json_holds_every_note(tmp_path: Path, spec: Path) -> None:
    """`--json` prints the same for programs."""
    data = json.loads(nova("import", str(spec), "--json", "--optional", cwd=tmp_path).stdout)
    assert (data["format"], data["tasks"], data["done"], data["dropped_tasks"]) == ("kiro", 5, 1, 0)
    assert [note["line"] for note in data["details"]] == [8]


def test_an_import_writes_a_plan_once(tmp_path: Path, spec: Path) -> None:
    """The exported plan has the same graph; an existing file is replaced only on request."""
    assert nova("import", str(spec), "-o", "CASCADE.md", cwd=tmp_path).returncode == 0
    plan = parse_cascade(tmp_path / "CASCADE.md")
    assert {i: task.depends_on for i, task in plan.tasks.items()}["2.3"] == ("2.2", "2.1")
    refused = nova("import", str(spec), "-o", "CASCADE.md", cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (
        2,
        "nova: CASCADE.md already exists\nhint: replace it with --force\n",
    )
    assert nova("import", str(spec), "-o", "CASCADE.md", "--force", cwd=tmp_path).returncode == 0


def test_a_run_ticks_what_it_finished_and_nothing_else(tmp_path: Path, spec: Path) -> None:
    """Boxes of optional tasks stay open; the box of a parent follows its parts; a second run has nothing to do."""
    done = nova("run", "--tick", str(spec), "--command", "true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ticked = KIRO.replace("[ ] 2.", "[x] 2.").replace("[-] 2.3", "[x] 2.3").replace("[ ] 3.", "[x] 3.")
    assert spec.read_text() == ticked
    assert "5/5 done" in nova("run", "--tick", str(spec), "--command", "true", cwd=tmp_path).stdout
    assert spec.read_text() == ticked


def test_a_run_says_once_that_there_is_nothing_to_tick(tmp_path: Path) -> None:
    """`--tick` reports a plan without boxes; a checklist that is already done is not reported."""
    said = "no boxes will be ticked: this plan has none for its tasks"
    (tmp_path / "CASCADE.md").write_text("| Task ID | Depends On | Command |\n|---|---|---|\n| A | - | true |\n")
    assert nova("run", "--tick", cwd=tmp_path).stdout.count(said) == 1
    assert said not in nova("run", cwd=tmp_path).stdout
    done = tmp_path / "done" / "tasks.md"
    done.parent.mkdir()
    phases = ("\n".join(f"- [x] T{phase}{n:02} [P] Make {n}" for n in range(16)) for phase in (1, 2))
    done.write_text("# Plan\n\n## Phase 1: A\n{}\n\n## Phase 2: B\n{}\n".format(*phases))  # with a gate between them
    assert said not in nova("run", "--tick", "tasks.md", "--command", "true", cwd=done.parent).stdout


def test_a_failure_is_not_ticked(tmp_path: Path, spec: Path) -> None:
    """A failed task is not ticked, nor what it blocks, nor its parent."""
    done = nova("run", "--tick", str(spec), "--command", 'test "$NOVA_TASK_ID" != 2.3', cwd=tmp_path)
    assert done.returncode == 1
    assert spec.read_text() == KIRO.replace("[ ] 2.1", "[x] 2.1")


def test_an_export_says_what_was_done_here(tmp_path: Path) -> None:
    """As a plan, and as JSON."""
    (tmp_path / "CASCADE.md").write_text(
        "# P\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n"
        "| A | a | true | - |\n| B | b | false | A |\n"
    )
    nova("run", cwd=tmp_path)
    (tmp_path / "out.md").write_text(nova("export", cwd=tmp_path).stdout)
    plan = parse_cascade(tmp_path / "out.md")
    assert [(task.id, task.settled, task.depends_on) for task in plan.tasks.values()] == [
        ("A", "done", ()),
        ("B", "", ("A",)),
    ]
    data = json.loads(nova("export", "-f", "json", cwd=tmp_path).stdout)
    assert [(task["id"], task.get("settled")) for task in data["tasks"]] == [("A", "done"), ("B", None)]


BAD = [
    (("import", "gone.md"), "gone.md: there is no such plan", 3),
    (("import", "notes.md"), "notes.md: no tasks found", 3),
    (("import", "notes.md", "-f", "kirro"), "unknown format 'kirro'", 2),
    (("import", "bad.json"), "bad.json", 3),
    (("import", "pipe.md"), "pipe.md: cannot be read", 3),
    (("import", "empty"), "empty: this folder has no plan", 3),
]


@pytest.mark.parametrize(("arguments", "said", "code"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_input_that_is_not_a_plan_is_rejected_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str, code: int
) -> None:
    """The error has a hint and the documented exit code."""
    (tmp_path / "notes.md").write_text("# Notes\n\nNothing to do.\n")
    (tmp_path / "bad.json").write_text("{" * 100_000)
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.md")
    done = nova(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr.splitlines()[0]
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
