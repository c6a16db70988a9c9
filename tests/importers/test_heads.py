"""The head of a task: id, labels and title, in every form that plans use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.importers.checklist import match_box, read_checklist
from nova_core.importers.heads import read_head


@pytest.mark.parametrize(
    ("text", "task_id", "labels", "title"),
    [
        ("T001 [P] [US1] Create it", "T001", "P US1", "Create it"),
        ("T001 [US1] [P] Create it", "T001", "US1 P", "Create it"),
        ("T001 [US1] [US1] Create it", "T001", "US1", "Create it"),
        ("[P] T001 Create it", "T001", "P", "Create it"),
        ("[T001] [P] Create it", "T001", "P", "Create it"),
        ("**T001**: Create it. [US1]", "T001", "US1", "Create it."),
        ("**T002 (US1)**: Create it. [P]", "T002", "US1 P", "Create it."),
        ("**T001** - Create it", "T001", "", "Create it"),
        ("**T001 Create** it", "T001", "", "Create it"),
        ("T001: [P] Create it", "T001", "P", "Create it"),
        ("T001a Create it", "T001a", "", "Create it"),
        ("Task 2: `a.py` and more", "2", "", "`a.py` and more"),
        ("T001: `a.py`", "T001", "", "`a.py`"),
        ("A.1 Create it", "A.1", "", "Create it"),
        ("T-001 Create it", "T-001", "", "Create it"),
        ("T001 [P] [Setup] Create it", "T001", "P", "[Setup] Create it"),
        ("T004 [P2] Limit it", "T004", "P2", "Limit it"),
        ("3. **[API]** Create it", "3", "", "[API] Create it"),
        ("1. Create it", "1", "", "Create it"),
        ("1.1 (P) Create it", "1.1", "P", "Create it"),
        ("8.1. Create it", "8.1", "", "Create it"),
        ("1.1.4.1 Create it", "1.1.4.1", "", "Create it"),
        ("Task 1: Create it (AC: #1)", "1", "", "Create it (AC: #1)"),
        ("TASK-001: Create it", "TASK-001", "", "Create it"),
        ("１．２　作成する", "1.2", "", "作成する"),
        ("12a.6 Make it", "12a.6", "", "Make it"),
        ("1．作成する", "1", "", "作成する"),
        ("1.1作成する", "1.1", "", "作成する"),
        ("TXXX [P] Create it", "", "P", "Create it"),
        ("AC1: It is there", "AC1", "", "It is there"),
        ("3 retries are enough", "", "", "3 retries are enough"),
        ("10 tests pass", "", "", "10 tests pass"),
        ("SHA-256 of the file", "", "", "SHA-256 of the file"),
        ("[docs](a.md) are read", "", "", "[docs](a.md) are read"),
        ("Add [Required] to it", "", "", "Add [Required] to it"),
        ("**Bold** and plain", "", "", "**Bold** and plain"),
    ],
)
def test_a_head_is_taken_apart(text: str, task_id: str, labels: str, title: str) -> None:
    """Ids are found in every usual position, and words that only look like one stay in the title."""
    head = read_head(text)
    assert (head.id, " ".join(head.labels), head.title) == (task_id, labels, title)


def test_a_struck_task_is_known() -> None:
    """Strike-through around all of a task takes it out; around a word it does not."""
    assert read_head("~~T003 Gone~~").struck
    assert read_head("~~T003 Gone~~").title == "Gone"
    assert not read_head("T003 ~~old~~ new").struck


@given(st.text(max_size=200))
def test_any_text_has_a_head(text: str) -> None:
    """Reading never fails, and adds no text."""
    head = read_head(text)
    assert head.id.isascii()
    assert len(head.title) <= len(text) + 2 * text.count("[")


@pytest.mark.parametrize(
    ("line", "mark", "star"),
    [
        ("- [ ] a", " ", False), ("* [x] a", "x", False), ("+ [X] a", "X", False), ("1. [ ] a", " ", False),
        ("\t- [~] a", "~", False), ("- [-] a", "-", False), ("- [] a", "", False), ("- [✓] a", "✓", False),
        ("- [ ]* a", " ", True), ("- [x]* a", "x", True), ("- [ ]\\* a", " ", True), ("- [ ]**a**", " ", False),
        ("-\t[ ] a", " ", False), ("-[ ] a", " ", False), ("[ ] a", " ", False), ("[x] a", "x", False),
        ("- [ ]T001 a", " ", False), ("- [x]1.2 a", "x", False), ("- \\[ ] a", " ", False), ("- ［x］ a", "x", False),
        ("### - [x] T001 a", "x", False), ("- [ ]", " ", False),
    ],
)  # fmt: skip
def test_a_box_is_a_bullet_with_one_mark(line: str, mark: str, star: bool) -> None:
    """All marks and bullets that occur are read."""
    match = match_box(line)
    assert match is not None
    assert (match["mark"], bool(match["star"])) == (mark, star)


@pytest.mark.parametrize(
    "line",
    [
        "- [P] tasks",
        "- **[P]**: run",
        "- [x](url)",
        "[-] a",
        "- [ab] c",
        "*[ ] a",
        "a - [ ] b",
        "[x]: url",
        "- [x]a",
        "☐ a",
    ],
)
def test_what_is_not_a_box(line: str) -> None:
    """Legends and links are not boxes."""
    assert match_box(line) is None


TRAPS = """\
---
title: x
---
# A
<!--
- [ ] T001 in a comment
-->
```
- [ ] T002 in a fence
```
- [ ] T003 real
  that continues
      - detail
  ```
  - [ ] T004 in a fence of the item
  ```
- [ ] T005 with <!-- a word --> words
**Checkpoint**: not a part
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_fences_comments_and_front_matter_hold_no_boxes(ends: str, bom: str) -> None:
    """Only real boxes count, with every line end and a byte order mark."""
    found = read_checklist(bom + TRAPS.replace("\n", ends))
    assert [(box.line, box.text) for box in found.boxes] == [
        (11, "T003 real that continues"),
        (17, "T005 with  words"),
    ]
    assert "T004 in a fence" in found.details(found.boxes[0])
    assert [line.text for line in found.loose] == ["**Checkpoint**: not a part"]


def test_rules_around_tasks_are_not_front_matter() -> None:
    """A file that begins with a rule keeps the tasks before the next one."""
    assert len(read_checklist("---\n- [ ] a\n---\n- [ ] b\n").boxes) == 2
