"""Kiro and OpenSpec: numbers in levels, order as dependency, optional tasks, waves."""

from __future__ import annotations

import json

import pytest
from reading import above, edges, notes, plan

from nova_core.importers.kiro import suits
from nova_core.importers.openspec import suits as is_openspec
from nova_core.model import NoteKind

SPEC = """\
# Implementation Plan: Sign in

## Tasks

- [x] 1. Set up
  - [x] 1.1 Schema
    - Tables
    - _Requirements: 1.1, 2.3_

  - [ ]* 1.2 Property tests
    - **Property 1: It holds**
- [-] 2. Service
  - What all of it needs
  - [ ] 2.1 Hash
  - [~] 2.2 Session
- [ ] 3. Checkpoint - Ensure all tests pass

## Notes
- Tasks marked with `*` are optional
"""


def test_the_order_of_a_spec_is_its_graph() -> None:
    """Parents hold tasks and are not tasks; each task waits for the one before it; optional ones are left out."""
    cascade = plan("kiro", SPEC)
    assert edges(cascade) == {"1.1": "", "1.2": "1.1", "2.1": "1.1 1.2", "2.2": "2.1", "3": "2.2"}
    assert [task.settled for task in cascade.tasks.values()] == ["x", "optional", "", "", ""]
    assert cascade.tasks["1.2"].dropped
    assert cascade.tasks["2.1"].group == "2. Service"
    assert (cascade.name, cascade.tasks["1.1"].branch) == ("Sign in", "Sign in")
    assert cascade.tasks["1.1"].details == "- Tables\n- _Requirements: 1.1, 2.3_"
    assert "What all of it needs" in cascade.tasks["2.1"].details
    assert notes(cascade, NoteKind.DROPPED) == ["10: 1.2 is optional: it was left out"]
    assert notes(cascade, NoteKind.GUESSED) == ["15: 2.2 has the mark [~]: it will run"]


def test_the_boxes_of_parents_wait_for_their_tasks() -> None:
    """A parent is ticked with the last of its open tasks; tasks that will not be done do not matter."""
    marks = {mark.line: mark.ids for mark in plan("kiro", SPEC).marks}
    assert marks == {12: ("2.1", "2.2"), 14: ("2.1",), 15: ("2.2",), 16: ("3",)}


@pytest.mark.parametrize("star", ["*", "\\*"])
def test_optional_tasks_are_done_when_asked_for(star: str) -> None:
    """`*` behind the box, also as Prettier escapes it, and for all below a parent that has it."""
    text = f"- [ ] 1. A\n- [ ]{star} 2. B\n  - [ ] 2.1 C\n- [x]{star} 3. D\n"
    without, asked = plan("kiro", text), plan("kiro", text, optional=True)
    assert [task.settled for task in without.tasks.values()] == ["", "optional", "x"]
    assert [task.settled for task in asked.tasks.values()] == ["", "", "x"]


@pytest.mark.parametrize(
    "text",
    [
        "- [ ] 1. A\n  - [ ] 1.1 B\n  - [ ] 1.2 C\n",
        "- [ ] 1. A\n- [ ] 1.1 B\n- [ ] 1.2 C\n",
        "- [ ] 1. A\n\t- [ ] 1.1. B\n\n\t- [ ] 1.2. C\n",
        "- [ ] 1. A\r\n  - [ ] 1.1 B\r\n  - [ ] 1.2 C\r\n",
        "\ufeff- [ ] 1. A\n    - [ ] 1.1 B\n    - [ ] 1.2 C\n",
        "- [ ] １．設定\n  - [ ] １．１　作成\n  - [ ] １．２　確認\n",
        "- [ ] **1. A**\n  - [ ] **1.1** B\n  - [ ] **1.2** C\n",
        "## 1. A\n- [ ] 1.1 B\n- [ ] 1.2 C\n",
        "- [ ] 1.1 B\n- [ ] 1.2 C\n",
    ],
)
def test_levels_come_from_numbers_or_indents(text: str) -> None:
    """However parents are written, or if there are none, the tasks are 1.1 and 1.2."""
    for kind in ("kiro", "openspec"):
        assert edges(plan(kind, text)) == {"1.1": "", "1.2": "1.1"}


CC_SDD = """\
# Implementation Plan
- [ ] 1. Foundation
- [ ] 1.1 Project
- [ ] 2. Core
- [ ] 2.1 (P) Api
  - _Boundary: Api, Store_
- [ ] 2.2 (P) Page
  - _Boundary: Page_
  - _Requirements: 1.1_, _Depends: 1.1_
- [ ] 2.3 (P) Search
  - _Depends: 2.1_
- [ ] 3. Integration
- [ ] 3.1 Wire
  - _Depends: 2.1, 9.9_
"""


def test_parallel_marks_and_annotations() -> None:
    """`(P)` does not depend on its neighbours, `_Depends:_` is a dependency, one task holds a `_Boundary:_`."""
    cascade = plan("kiro", CC_SDD)
    assert edges(cascade) == {
        "1.1": "", "2.1": "1.1", "2.2": "1.1", "2.3": "1.1 2.1", "3.1": "2.1 2.2 2.3",
    }  # fmt: skip
    assert cascade.tasks["2.1"].locks == ("Api", "Store")
    assert cascade.tasks["3.1"].missing == ("9.9",)
    assert notes(cascade, NoteKind.UNRESOLVED) == ["14: 3.1 depends on '9.9', which does not exist"]


def test_a_parent_may_be_parallel() -> None:
    """Its tasks do not wait for the parent next to it, but for each other."""
    text = "- [ ] 1. A\n- [ ] 2. (P) B\n  - [ ] 2.1 C\n  - [ ] 2.2 D\n- [ ] 3. (P) E\n  - [ ] 3.1 F\n- [ ] 4. G\n"
    assert edges(plan("kiro", text)) == {"1": "", "2.1": "1", "2.2": "2.1", "3.1": "1", "4": "2.2 3.1"}


def test_state_of_parents_and_children() -> None:
    """The boxes of the tasks count; an open one below a ticked parent is reported."""
    cascade = plan("kiro", "- [x] 1. A\n  - [ ] 1.1 B\n- [ ] 2. C\n  - [x] 2.1 D\n")
    assert [task.settled for task in cascade.tasks.values()] == ["", "x"]
    assert notes(cascade, NoteKind.GUESSED) == ["2: 1.1 is not ticked, but 1 around it is: 1.1 is to be done"]


LEAVES = """\
# Implementation Plan
- [ ] 1. A
  - [ ] 1.1 B
  - [ ] 1.2 C
- [ ] 2. Checkpoint
- [ ] 3. D
  - [ ] 3.1 E
  - [ ] 3.2 F
- [ ] 4. Checkpoint
## Task Dependency Graph
"""
WAVES = {"1.1": "", "1.2": "1.1", "2": "1.1 1.2", "3.1": "1.1", "3.2": "1.2 2 3.1", "4": "2 3.1 3.2"}


@pytest.mark.parametrize(
    "graph",
    [
        {"waves": [{"id": 0, "tasks": ["1.1"]}, {"id": 1, "tasks": ["1.2", "3.1"]}, {"id": 2, "tasks": ["3.2"]}]},
        {"waves": [["1.1"], ["1.2", "3.1"], ["3.2"]]},
        {"waves": [[1.1], [1.2, 3.1], [3.2]]},
        {
            "waves": [
                {"wave": 1, "description": "a", "tasks": "1.1"},
                {"wave": 2, "tasks": "1.2, 3.1"},
                {"wave": 3, "tasks": "3.2"},
            ]
        },
        {"waves": {"1": ["1.1"], "2": ["1.2", "3.1"], "3": ["3.2"]}},
        {
            "waves": [
                {"id": 0, "name": "a", "tasks": ["1.1"], "depends_on": []},
                {"id": 1, "name": "b", "tasks": ["1.2", "3.1"], "depends_on": [0]},
                {"id": 2, "name": "c", "tasks": ["3.2"], "depends_on": [1]},
            ]
        },
    ],
)  # fmt: skip
def test_waves_replace_the_order(graph: object) -> None:
    """In every layout: a wave waits for the one before it; a checkpoint for all above it, and later waves below the
    checkpoint for the checkpoint."""
    cascade = plan("kiro", f"{LEAVES}```json\n{json.dumps(graph)}\n```\n")
    assert edges(cascade) == WAVES
    assert [text.split(":")[0] for text in notes(cascade, NoteKind.GUESSED)] == ["5", "9"]


def test_ids_in_waves_are_not_numbers() -> None:
    """1.10 is not 1.1."""
    text = '- [ ] 1.1 A\n- [ ] 1.10 B\n```json\n{"waves": [[1.10], [1.1]]}\n```\n'
    assert edges(plan("kiro", text)) == {"1.1": "1.10", "1.10": ""}


@pytest.mark.parametrize("arrows", ["T1 --> T3 --> T2", "1 → 3\n  → 2", "Task 1 -> Task 3\nTask 3 -> Task 2"])
def test_arrows_replace_the_order(arrows: str) -> None:
    """A graph of arrows is read, too."""
    text = f"- [ ] 1. A\n- [ ] 2. B\n- [ ] 3. C\n## Task Dependency Graph\n```\n{arrows}\n```\n"
    assert edges(plan("kiro", text)) == {"1": "", "2": "3", "3": "1"}


def test_a_parent_in_a_wave_stands_for_its_tasks() -> None:
    """They are done one after the other, in the order of the file."""
    text = '- [ ] 1. A\n  - [ ] 1.1 B\n  - [ ] 1.2 C\n- [ ] 2. D\n```json\n{"waves": [["2"], ["1"]]}\n```\n'
    assert edges(plan("kiro", text)) == {"1.1": "2", "1.2": "1.1 2", "2": ""}


@pytest.mark.parametrize(
    ("graph", "kind"),
    [
        ('{"waves": [["1"], ["7"], ["2"]]}', NoteKind.UNRESOLVED),
        ('{"waves": [{"tasks": ["1"], "depends_on": [9]}, ["2"]]}', NoteKind.UNRESOLVED),
        ('{"waves": [["1"], ["1", "2"]]}', NoteKind.GUESSED),
        ('{"waves": [["8"], ["9"]]}', NoteKind.UNRESOLVED),
        ('{"waves": 7}', NoteKind.GUESSED),
        ('{"waves": [', NoteKind.GUESSED),
    ],
)
def test_waves_with_mistakes_are_reported(graph: str, kind: NoteKind) -> None:
    """Nothing is skipped silently, and the plan can still be read."""
    cascade = plan("kiro", f"- [ ] 1. A\n- [ ] 2. B\n```json\n{graph}\n```\n")
    assert notes(cascade, kind)
    assert edges(cascade)["2"] in ("1", "")


def test_a_checkpoint_between_waves_makes_no_cycle() -> None:
    """Tasks from both sides of a checkpoint may share a wave: it does not delay those of the waves above it."""
    text = (
        "- [ ] 1. A\n- [ ] 2. B\n- [ ] 3. Check\n- [ ] 4. C\n- [ ] 5. D\n- [ ] 6. Check\n"
        '```json\n{"waves": [["1", "4"], ["2"], ["5"]]}\n```\n'
    )
    assert above(plan("kiro", text)) == {
        "1": set(), "4": set(), "2": {"1", "4"}, "3": {"1", "2", "4"}, "5": {"1", "2", "3", "4"},
        "6": {"1", "2", "3", "4", "5"},
    }  # fmt: skip


OPENSPEC = """\
## 1. Group
- [x] 1.1 Make it
  - [x] step
- [ ] 1.2 Sell it,
  and repeat
- [ ] Ship it
## Phase 2: Other
- [ ] 1.1 Again
- [ ] 2.1.1 Deep
"""


def test_an_openspec_change_is_done_in_order() -> None:
    """Strictly one after the other: the format cannot express another order."""
    cascade = plan("openspec", OPENSPEC, "openspec/changes/add-shop/tasks.md")
    assert edges(cascade) == {
        "1.1": "", "1.2": "1.1", "ship-it": "1.2", "1.1-2": "ship-it", "2.1.1": "1.1-2",
    }  # fmt: skip
    assert (cascade.name, cascade.tasks["1.2"].group) == ("add-shop", "1. Group")
    assert cascade.tasks["1.2"].name == "Sell it, and repeat"
    assert cascade.tasks["1.1"].details == "- [x] step"
    assert len(notes(cascade, NoteKind.GUESSED)) == 2


def test_an_archived_change_is_reported() -> None:
    """An archived change is read if it is requested by path, with a note."""
    cascade = plan("openspec", OPENSPEC, "openspec/changes/archive/2025-add-shop/tasks.md")
    assert "archived" in notes(cascade, NoteKind.GUESSED)[0]


@pytest.mark.parametrize(
    ("path", "text", "kiro", "openspec"),
    [
        (".kiro/specs/a/tasks.md", "- [ ] a\n", True, False),
        ("tasks.md", "- [ ] 1. A\n  - _Requirements: 1_\n", True, False),
        ("tasks.md", "# Implementation Plan\n- [ ] 1. A\n", True, False),
        ("tasks.md", "- [ ]* 1.1 A\n", True, False),
        ("tasks.md", "- [ ] 1.1 A\n", False, True),
        ("openspec/changes/a/tasks.md", "- [ ] A\n", False, True),
        ("a.md", "- [ ] A\n", False, False),
        ("a.md", "# Implementation Plan\n", False, False),
        ("a.md", "# Shop Implementation Plan\n- [ ] **Step 1: Test**\n", False, False),
    ],
)
def test_what_is_such_a_plan(path: str, text: str, kiro: bool, openspec: bool) -> None:
    """The folder identifies it, or else content that only such a file has."""
    assert (suits(path, text), is_openspec(path, text)) == (kiro, openspec)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("# Tasks: Shop", "Shop"), ("# Implementation Plan: Shop", "Shop"), ("# Shop Implementation Plan", "Shop"),
        ("# Implementation Plan", "shop-folder"), ("# Tasks", "shop-folder"),
        ("# 任务：商店", "商店"), ("# 実装計画", "shop-folder"), ("", "shop-folder"),
    ],
)  # fmt: skip
def test_the_name_is_the_feature(title: str, name: str) -> None:
    """The first heading without the words common to such files, or else the folder."""
    assert plan("kiro", f"{title}\n- [ ] 1. A\n", ".kiro/specs/shop-folder/tasks.md").name == name


def test_what_a_finished_task_waited_for() -> None:
    """The missing dependency is reported, but blocks no task."""
    cascade = plan(
        "kiro",
        """\
        # Implementation Plan
        - [x] 1. Base
          - _Depends: other-spec 9.9_
        - [ ] 2. Shop
        """,
    )
    assert cascade.tasks["1"].missing == ()
    assert notes(cascade, NoteKind.UNRESOLVED) == []
    assert notes(cascade, NoteKind.RESOLVED) == [
        "3: 1 does not depend on 'other-spec 9.9', which does not exist: it is settled"
    ]


@pytest.mark.parametrize("kind", ["kiro", "openspec"])
@pytest.mark.parametrize("spaces", [1, 2, 4])
def test_numbers_side_by_side_are_not_parts(kind: str, spaces: int) -> None:
    """An additional space does not make the task above a parent."""
    indent = " " * spaces
    cascade = plan(kind, f"## 1. Base\n- [x] 1.1 A\n{indent}- [ ] 1.2 B\n{indent}  - [ ] step\n- [ ] 1.3 C\n")
    assert edges(cascade) == {"1.1": "", "1.2": "1.1", "1.3": "1.2"}
    assert [bool(task.settled) for task in cascade.tasks.values()] == [True, False, False]
    assert "step" in cascade.tasks["1.2"].details
