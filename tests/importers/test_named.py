"""Checklists of Conductor, Agent OS and superpowers, user stories in Markdown, and plans of no tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_core.errors import InputError
from nova_core.importers.formats import FORMATS, read_plan
from nova_core.model import PlanOptions
from nova_core.parser import Cascade

CONDUCTOR = """\
# Implementation Plan: Kiosk

## Phase 1: Till [checkpoint: 3b6b31d]
Make the till.
- [x] Task: Draw the till (fadab8f)
    - [x] Write a test
    - [x] Make it pass
- [ ] Task: Conductor - User Manual Verification 'Phase 1: Till' (Protocol in workflow.md)

## Phase 2: Drawer [checkpoint: ]
- [ ] Task: Build the drawer
    - [ ] Write a test
- [~] **Task: Oil the drawer**
"""
AGENT_OS = """\
# Task Breakdown: Kiosk

## Task List

### Data

#### Task Group 1: Tables
**Dependencies:** None

- [ ] 1.0 Complete the tables
  - [ ] 1.1 Write the tests
  - [ ] 1.2 Make the tables

**Acceptance Criteria:**
- The tests of 1.1 pass

#### Task Group 2: Pages
**Dependencies:** None (can run in parallel with Task Group 1)

- [ ] 2.0 Complete the pages
  - [ ] 2.1 Draw the form

#### Task Group 3: Docs

- [ ] 3.0 Complete the documents
  - [ ] 3.1 Write them

#### Task Group 4: Trial
**Dependencies:** Task Groups 1, 2 (all of it)

- [ ] 4.0 Try it
  - [ ] 4.1 Sell one
"""
SUPERPOWERS = """\
# Kiosk Implementation Plan

> **For agentic workers:** REQUIRED SUB-SKILL: Use superpowers:executing-plans

**Goal:** Sell.

### Task 1: Till

**Files:**
- Create: `till.py`

- [x] **Step 1: Write the failing test**

````markdown
### Task 9: Not a task
- [ ] nor this
````

- [x] **Step 2: Make it pass**

### Task 2: Drawer

Install dependencies: `zod`, `@mysten/sui`

- [x] **Step 1: Write the failing test**
- [ ] **Step 2: Make it pass**

## Task 3: Lock

- [ ] **Step 1: Write the failing test**
"""
SUPERPOWERS_IN_PHASES = """\
# Kiosk Implementation Plan

> **For agentic workers:** REQUIRED SUB-SKILL: Use superpowers:executing-plans

## Phase 1: Base

### Task 1.1: Till
- [x] **Step 1: Test**
- [x] **Step 2: Build**

### Task 1.2: Drawer
- [ ] **Step 1: Test**

## Phase 2: Door

### Task 2.1: Lock
- [ ] **Step 1: Test**
"""
PRD = """\
# PRD: Kiosk

## Goals
- Sell

## User Stories

### US-001: Till
**Description:** As a seller, I want a till.

**Acceptance Criteria:**
- [x] It rounds
- [x] `pytest -q` passes

### US-002 - Drawer
**Acceptance Criteria:**
- [ ] It opens
- [ ] `pytest -q` passes

### US-003: Lock
**Acceptance Criteria:**
- It holds
- `true` succeeds

Notes.

## 4. Rules for all stories
- [ ] No warnings

## Functional Requirements
- FR-1: Sell
"""
PHASES = """\
# Plan

## Phase 1: Till

### 1.1 Draw it
- With a pen

### 1.2 Build it
Of wood.

## Phase 2: Drawer

### 2.1 Oil it

## Open questions

### 9.1 Who pays?
"""
BOARD = """\
# Fix plan

## In Progress

- [ ] Till

## Backlog

- [ ] Drawer

## 3. Success Criteria

- [ ] It sells

## Completed

- [x] Door
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(name: str, text: str) -> Cascade:
    """The plan in a file of this name."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    return read_plan(name, PlanOptions())


def names(cascade: Cascade) -> list[tuple[str, str]]:
    """The names of the tasks, and whether they are done."""
    return [(task.name, task.settled) for task in cascade.tasks.values() if not task.gate]


def edges(cascade: Cascade) -> dict[str, str]:
    """What each task waits for."""
    return {task.id: " ".join(task.depends_on) for task in cascade.tasks.values()}


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("conductor/tracks/kiosk_20260101/plan.md", CONDUCTOR, "conductor"),
        ("conductor/archive/kiosk/plan.md", "# Plan\n- [ ] Draw\n", "conductor"),
        ("any.md", CONDUCTOR, "conductor"),
        ("agent-os/specs/kiosk/tasks.md", AGENT_OS, "agent-os"),
        ("any.md", AGENT_OS, "agent-os"),
        ("docs/superpowers/plans/2026-01-01-kiosk.md", SUPERPOWERS, "superpowers"),
        ("any.md", SUPERPOWERS, "superpowers"),
        ("docs/plans/kiosk.md", "# Plan\n### Task 1: Till\nBuild.\n", "superpowers"),
        ("fix_plan.md", "# Plan\n## Phase 1: Till\n### Task 1.1: Build\nText.\n### Task 1.2: Oil\n", "checklist"),
        ("tasks/prd-kiosk.md", PRD, "prd"),
        ("any.md", PRD, "prd"),
        *((name, BOARD, "checklist") for name in ("fix_plan.md", "@fix_plan.md", "tasks/todo.md", "PLAN.md", "TODO.md",
          "IMPLEMENTATION_PLAN.md", "docs/implementation-plan.md", "plan_v2.md", "ROADMAP.md", "todo-list.md")),
        ("any.md", "## Phase 1: A\n- [ ] a\n- [ ] b\n## Phase 2: B\n- [ ] c\n", "checklist"),
        ("specs/1/tasks.md", "### US-001: Registry\n- [ ] T001 [US-001] Add it\n", "spec-kit"),
    ],
)  # fmt: skip
def test_recognized_by_path_and_by_content(name: str, text: str, kind: str) -> None:
    """A plan is recognized by its place, or by what only such a plan has."""
    assert read(name, text).format == kind


@pytest.mark.parametrize(
    ("name", "text"),
    [("README.md", "# Kiosk\n- [ ] Fork it\n- [ ] Star it\n- [ ] Run it\n"),
     ("CONTRIBUTING.md", "## Phase 1\n- [ ] One\n## Checklist\n- [ ] a\n- [ ] b\n- [ ] c\n"),
     ("docs/plans/design.md", "# Design\n\nWe will build a till.\n")],
)  # fmt: skip
def test_other_files_are_no_plans(name: str, text: str) -> None:
    """Some boxes or a folder do not make a plan of a file."""
    with pytest.raises(InputError):
        read(name, text)


def test_conductor() -> None:
    """Boxes are tasks in the order of the file, boxes below them steps; verification by hand gets a note."""
    cascade = read("conductor/tracks/kiosk/plan.md", CONDUCTOR)
    assert names(cascade) == [
        ("Draw the till (fadab8f)", "x"),
        ("Conductor - User Manual Verification 'Phase 1: Till' (Protocol in workflow.md)", ""),
        ("Build the drawer", ""),
        ("Oil the drawer", ""),
    ]
    tasks = list(cascade.tasks.values())
    assert tasks[2].depends_on == (tasks[1].id,)
    assert "Write a test" in tasks[2].details
    assert "a person" in " ".join(note.text for note in cascade.notes)
    assert [mark.line for mark in cascade.marks] == [8, 11, 13]


def test_agent_os() -> None:
    """A group waits for what it names, a group that names nothing for all before it; the first task is no whole."""
    cascade = read("agent-os/specs/kiosk/tasks.md", AGENT_OS)
    assert edges(cascade) == {"1.1": "", "1.2": "1.1", "2.1": "", "3.1": "1.2 2.1", "4.1": "1.1 1.2 2.1"}
    assert [c.text for c in cascade.tasks["1.2"].criteria] == ["The tests of 1.1 pass"]
    assert {mark.text.split()[0]: mark.ids for mark in cascade.marks}["1.0"] == ("1.1", "1.2")


def test_superpowers() -> None:
    """Headings are tasks in sequence. A task is done when its steps are, and its steps are ticked when it is done."""
    cascade = read("docs/superpowers/plans/kiosk.md", SUPERPOWERS)
    assert names(cascade) == [("Till", "x"), ("Drawer", ""), ("Lock", "")]
    assert edges(cascade) == {"1": "", "2": "1", "3": "2"}
    assert [(mark.line, mark.ids) for mark in cascade.marks] == [(25, ("2",)), (26, ("2",)), (30, ("3",))]
    assert not cascade.tasks["2"].missing, "packages are no tasks"
    assert "has 1 of 2 steps ticked" in " ".join(note.text for note in cascade.notes)
    assert "### Task 9" in cascade.tasks["1"].details


def test_superpowers_in_phases() -> None:
    """Tasks with numbers such as 1.2; their steps are no tasks."""
    cascade = read("docs/superpowers/plans/kiosk.md", SUPERPOWERS_IN_PHASES)
    assert names(cascade) == [("Till", "x"), ("Drawer", ""), ("Lock", "")]
    assert edges(cascade) == {"1.1": "", "1.2": "1.1", "2.1": "1.2"}
    assert [(mark.line, mark.ids) for mark in cascade.marks] == [(12, ("1.2",)), (17, ("2.1",))]


def test_user_stories() -> None:
    """The boxes of a story are its criteria, with commands, and say whether it is done."""
    cascade = read("tasks/prd-kiosk.md", PRD)
    assert names(cascade) == [("Till", "x"), ("Drawer", ""), ("Lock", "")]
    assert edges(cascade) == {"US-001": "", "US-002": "US-001", "US-003": "US-002"}
    assert [(c.text, c.command) for c in cascade.tasks["US-003"].criteria] == [
        ("It holds", None), ("`true` succeeds", "true"),
    ]  # fmt: skip
    assert "1 box is not a task: below '4. Rules for all stories'" in [note.text for note in cascade.notes]
    assert [(c.text, c.command) for c in cascade.tasks["US-002"].criteria] == [
        ("It opens", None), ("`pytest -q` passes", "pytest -q"),
    ]  # fmt: skip
    assert len(cascade.marks) == 2


def test_numbered_headings_below_phases() -> None:
    """In a plan without boxes they are its tasks, and a note says so."""
    cascade = read("IMPLEMENTATION_PLAN.md", PHASES)
    assert edges(cascade) == {"1.1": "", "1.2": "1.1", "2.1": "1.2"}
    assert cascade.tasks["1.1"].details == "- With a pen"
    assert "3 numbered headings" in " ".join(note.text for note in cascade.notes)


def test_a_board() -> None:
    """The backlog of a board is work; success criteria are none, also below a number."""
    cascade = read("fix_plan.md", BOARD)
    assert names(cascade) == [("Till", ""), ("Drawer", ""), ("Door", "x")]
    assert "1 box is not a task: below '3. Success Criteria'" in [note.text for note in cascade.notes]


@pytest.mark.parametrize(
    ("text", "seen"),
    [("## 2. Success Criteria\n- [ ] It sells\n- [ ] It opens\n", "2 boxes are not tasks: below '2. Success Criteria'"),
     ("## Phase 1\n- Draw\n- Build\n## Phase 2\n1. Oil\n", "2 phases, 3 list items, but no boxes"),
     ("# Till\n\nWe will build it.\n\n## Why\n\nTo sell.\n", "2 headings, but no list items and no boxes"),
     ("We will build it.\n", "text without headings, list items or boxes")],
)  # fmt: skip
def test_the_message_for_prose_says_what_was_seen(text: str, seen: str) -> None:
    """The message says what is there, and the hint what would help."""
    with pytest.raises(InputError) as caught:
        read("PLAN.md", text)
    assert seen in caught.value.problems[0].message
    assert "- [ ] 1.1" in caught.value.problems[0].hint


DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["man/nova.1", "importing.md"])
def test_every_format_is_documented(name: str) -> None:
    """The help (which is the manual page) and the documents list what can be named with `-f`."""
    text = (DOCS / name).read_text().replace("\\-", "-")
    assert [known.name for known in FORMATS if known.name not in text] == []
