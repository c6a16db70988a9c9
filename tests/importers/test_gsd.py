"""The .planning folder of GSD: plans in phases and waves."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_core.errors import InputError
from nova_core.importers import folders
from nova_core.importers.formats import read_plan
from nova_core.model import PlanOptions
from nova_core.parser import Cascade

ROADMAP = """\
# Roadmap: Kiosk

- [x] **Phase 1: Base** - the shop
- [ ] **Phase 2: Till** - sells
- [ ] **Phase 3: Door** - opens
- [ ] **Phase 4: Sign** - shines

### Phase 2: Till
**Depends on**: Phase 1

### Phase 3: Door
**Depends on**: Nothing (beside the till)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(name: str, text: str = "", **fields: str) -> None:
    """Write a file below `.planning`, with a front matter."""
    path = Path(".planning", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "".join(f"{key}: {value}\n" for key, value in fields.items())
    path.write_text(f"---\n{head}---\n{text}" if fields else text)


def plan(name: str, title: str = "Make it.", **fields: str) -> None:
    add(f"phases/{name}-PLAN.md", f"\n<objective>\n{title}\n</objective>\n", plan=name[-2:], **fields)


def read() -> Cascade:
    return read_plan(".planning", PlanOptions())


def needs(cascade: Cascade) -> dict[str, set[str]]:
    """All that each task waits for, through others."""
    graph = {task.id: task.depends_on for task in cascade.tasks.values()}
    found: dict[str, set[str]] = {}
    for task_id in graph:
        todo = list(graph[task_id])
        seen: set[str] = set()
        while todo:
            need = todo.pop()
            if need not in seen:
                seen.add(need)
                todo += graph[need]
        found[task_id] = {need for need in seen if not cascade.tasks[need].gate}
    return found


def test_plans_phases_and_waves() -> None:
    """A plan waits for those it names, else for the wave before; a phase for those of the roadmap."""
    add("ROADMAP.md", ROADMAP)
    plan("01-base/01-01", "Make the floor.\n\nOf wood.", wave="1")
    add("phases/01-base/01-01-SUMMARY.md", "done")
    plan("01-base/01-02", wave="2")
    plan("02-till/02-01", wave="1", depends_on="[]")
    plan("02-till/02-02", wave="1", depends_on="[]")
    plan("02-till/02-03", wave="2", depends_on='["02-01"]')
    plan("02-till/02-04", wave="3", depends_on="[02-02-PLAN.md, 01]")
    plan("03-door/03-01", autonomous="false")
    cascade = read()
    assert cascade.format == "gsd"
    assert needs(cascade) == {
        "01-01": set(), "01-02": {"01-01"}, "02-01": {"01-01", "01-02"}, "02-02": {"01-01", "01-02"},
        "02-03": {"01-01", "01-02", "02-01"}, "02-04": {"01-01", "01-02", "02-01", "02-02"}, "03-01": set(),
    }  # fmt: skip
    first = cascade.tasks["01-01"]
    assert (first.name, first.settled, first.group) == ("Make the floor.", "has a summary", "Phase 1: Base")
    assert "Of wood." in first.details
    said = " ".join(note.text for note in cascade.notes)
    assert "Phase 4 (Sign) has no plans yet" in said
    assert "03-01 has checkpoints for a person" in said


def test_files_of_several_plans_are_locks() -> None:
    """Two plans that change one file never run at the same time."""
    plan("01-a/01-01", files_modified="[a.py, b.py]")
    plan("01-a/01-02", files_modified="[b.py, c.py]")
    cascade = read()
    assert [task.locks for task in cascade.tasks.values()] == [("b.py",), ("b.py",)]


@pytest.mark.parametrize(
    ("word", "kind"), [("01-07", "unresolved"), ("07-01", "guessed"), ("07", "guessed")]
)  # fmt: skip
def test_plans_that_are_not_there(word: str, kind: str) -> None:
    """A missing plan of a phase holds its user back; a phase of an earlier milestone is taken as done."""
    plan("01-a/01-01", depends_on=f'["{word}"]')
    cascade = read()
    assert [note.kind for note in cascade.notes] == [kind]
    assert bool(cascade.tasks["01-01"].missing) is (kind == "unresolved")


def test_other_files_and_old_milestones() -> None:
    """Research, summaries and finished milestones are no tasks; the roadmap stands for its folder."""
    add("ROADMAP.md", ROADMAP)
    plan("01-a/01-01")
    add("phases/01-a/01-RESEARCH.md", "x", phase="01")
    add("phases/01-a/SALES_PLAN.md", "x", title="x")
    add("milestones/v1.0-phases/00-x/00-01-PLAN.md", "<objective>x</objective>", plan="01")
    assert list(read().tasks) == ["01-01"]
    assert list(read_plan(".planning/ROADMAP.md", PlanOptions()).tasks) == ["01-01"]


@pytest.mark.parametrize(("title", "noted"), [("Sign ✅", False), ("Sign (complete)", False), ("Complete sign", True)])
def test_phases_that_are_done_need_no_plans(title: str, noted: bool) -> None:
    """Only of an open phase it is said that nothing will run."""
    add("ROADMAP.md", f"# R\n## Phase 1: Base\n## Phase 2: {title}\n")
    plan("01-a/01-01")
    assert any("has no plans yet" in note.text for note in read().notes) is noted


def test_nothing_planned_yet() -> None:
    """Phases without plans are no tasks, and the message says what to do."""
    add("ROADMAP.md", ROADMAP)
    add("STATE.md", "x")
    with pytest.raises(InputError, match=r"no phase has a PLAN\.md yet"):
        read()


def test_a_roadmap_in_other_words() -> None:
    """A roadmap of which no line is understood says nothing; the plans are there."""
    add("ROADMAP.md", "# Way\n\nFirst the floor, then the door.\n")
    plan("01-a/01-01")
    plan("02-b/02-01")
    assert needs(read()) == {"01-01": set(), "02-01": {"01-01"}}


@pytest.mark.parametrize(
    "own", ["  a: 1\n  a: 2", "  - x: &y z\n  - *y", "  [", "\t- x", "- a: 1\n  a: 2", "# x\n\n  a: {"]
)
def test_fields_that_only_gsd_reads(own: str) -> None:
    """What stands below them may be no YAML at all."""
    add(
        "phases/01-a/01-01-PLAN.md", "<objective>A</objective>", wave="1", must_haves=f"\n{own}", depends_on="\n- 01-02"
    )
    plan("01-a/01-02")
    cascade = read()
    assert needs(cascade) == {"01-01": {"01-02"}, "01-02": set()}
    assert cascade.tasks["01-01"].details == "<objective>A</objective>"
    assert not cascade.notes


def test_a_folder_with_too_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is rejected in one line: a part of a plan is not the plan."""
    monkeypatch.setattr(folders, "MOST_FILES", 3)
    for number in range(1, 4):
        plan(f"01-a/01-{number:02d}")
    assert len(read().tasks) == 3
    plan("01-a/01-04")
    with pytest.raises(InputError, match="more than 3 files"):
        read()
