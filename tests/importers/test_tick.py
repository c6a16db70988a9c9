"""Ticking boxes: what changes, what never does, and how the file is written."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import READERS

from nova_core.errors import InputError
from nova_core.files.disk import Disk
from nova_core.importers.build import build
from nova_core.importers.tick import Ticked, TickError, tick, tick_file
from nova_core.model import Mark, PlanOptions
from nova_core.plan.changes import compare, fingerprint
from nova_core.state.schema import TaskState

TEXT = "# A\n- [ ] T001 Make\n- [-] T002 Sell\n- [~] T003 Ship\n- [x] T004 Done\n"


def ticked(text: str, *done: str, was: str = "") -> Ticked:
    """A text with the boxes of some tasks ticked, as they were in `was`."""
    marks = build(READERS["spec-kit"]("tasks.md", was or text, PlanOptions())).marks
    return tick(text, marks, done)


def test_only_the_boxes_of_finished_tasks_change() -> None:
    """Open and started ones are ticked when they are done."""
    assert ticked(TEXT, "T001", "T003").text == TEXT.replace("[ ]", "[x]").replace("[~]", "[x]")
    assert ticked(TEXT, "T001", "T003").lines == (2, 4)
    assert ticked(TEXT).text == TEXT


@pytest.mark.parametrize(
    "text", ["\ufeff- [ ] T001 A  \r\n\r\n- [ ] T002 B\r\n", "- [ ] T001 A\r- [ ] T002 B", "- [ ]\tT001 A\n"]
)
def test_every_other_byte_stays(text: str) -> None:
    """Line ends, byte order mark, trailing spaces and a missing last line end."""
    assert ticked(text, "T001").text == text.replace("[ ]", "[x]", 1)


def test_a_file_keeps_its_habit() -> None:
    """If most boxes are ticked with X, the new ones are, too."""
    assert ticked("- [X] T001 A\n- [X] T002 B\n- [x] T003 C\n- [ ] T004 D\n", "T004").text.endswith("[X] T004 D\n")
    assert ticked("- [X] T001 A\n- [x] T003 C\n- [ ] T004 D\n", "T004").text.endswith("[x] T004 D\n")


def test_a_parent_is_ticked_with_its_last_task() -> None:
    """Not before, and not for an optional task."""
    text = "- [ ] 1. A\n  - [x] 1.1 B\n  - [ ] 1.2 C\n  - [ ] 1.3 D\n  - [ ]* 1.4 E\n"
    marks = build(READERS["kiro"]("tasks.md", text, PlanOptions())).marks
    assert tick(text, marks, {"1.2"}).text == text.replace("[ ] 1.2", "[x] 1.2")
    done = text.replace("[ ] 1.", "[x] 1.")
    assert tick(text, marks, {"1.2", "1.3", "1.4"}).text == done


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("new\n- [ ] T001 A\n- [ ] T002 B\n", "new\n- [x] T001 A\n- [ ] T002 B\n"),
        ("- [ ] T002 B\n- [ ] T001 A\n", "- [ ] T002 B\n- [x] T001 A\n"),
        ("- [ ] T001 A, and more\n- [ ] T002 B\n", "- [x] T001 A, and more\n- [ ] T002 B\n"),
        ("- [x] T001 A\n- [ ] T002 B\n", "- [x] T001 A\n- [ ] T002 B\n"),
    ],
)
def test_a_box_is_found_in_an_edited_file(now: str, expected: str) -> None:
    """By its text in any position, or else by its id."""
    found = ticked(now, "T001", was="- [ ] T001 A\n- [ ] T002 B\n")
    assert (found.text, found.missed) == (expected, ())


@pytest.mark.parametrize(
    "now",
    [
        "- [ ] T003 C\n- [ ] T002 B\n",
        "T001 A\n",
        "```\n- [ ] T001 A\n```\n",
        "x\n- [ ] T001 A\n- [ ] T001 A\n",
        "x\n- [ ] T001 B\n- [ ] T001 C\n",
        "",
    ],
)
def test_what_is_not_found_is_unchanged(now: str) -> None:
    """If a line now holds another task or no box, or two boxes match, nothing changes, and the mark is reported."""
    found = ticked(now, "T001", was="- [ ] T001 A\n- [ ] T002 B\n")
    assert found.text == now
    assert [mark.ids for mark in found.missed] == [("T001",)]


BOXES = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "\t", "    "]),
        st.sampled_from(
            [
                "- [ ] ",
                "* [x] ",
                "- [X] ",
                "- [-] ",
                "- [ ]* ",
                "- [] ",
                "text ",
                "## ",
                "```",
                "<!--",
                "- ",
                "**Checkpoint**: ",
                "## Phase 1: ",
                "_Requirements: 1.1_ ",
            ]
        ),
        st.sampled_from(["T001 a", "1.1 b", "1. c", "2.1. d", "same", "", "\u3000全角", "x --> y"]),
        st.sampled_from(["\n", "\r\n", "\n\n", "  \n"]),
    ),
    max_size=25,
).map(lambda parts: "".join("".join(part) for part in parts))


@given(BOXES, st.sampled_from(sorted(READERS)), st.booleans())
def test_ticking_all_changes_nothing_but_marks(text: str, kind: str, bom: bool) -> None:
    """Whatever a checklist contains, each byte except the marks of boxes survives, and a second time changes
    nothing."""
    text = "\ufeff" * bom + text
    try:
        cascade = build(READERS[kind]("tasks.md", text, PlanOptions()))
    except InputError:
        return
    found = tick(text, cascade.marks, set(cascade.tasks))
    assert found.missed == ()
    assert len(found.lines) == len([mark for mark in cascade.marks if mark.line in found.lines])
    blank = str.maketrans(dict.fromkeys("xX -~"))
    assert found.text.translate(blank) == text.translate(blank)
    assert tick(found.text, cascade.marks, set(cascade.tasks)).lines == ()
    after = build(READERS[kind]("tasks.md", found.text, PlanOptions()))
    assert list(after.tasks) == list(cascade.tasks)
    boxed = {task_id for mark in cascade.marks for task_id in mark.ids}  # spec-kit has tasks without a box too
    assert all(after.tasks[task_id].settled for task_id in boxed)


def edited(kind: str, text: str, after: str) -> list[str]:
    """The tasks that Nova would run again, or consider new, with another text of the plan."""
    plans = [build(READERS[kind]("tasks.md", plan, PlanOptions())).tasks for plan in (text, after)]
    before, now = ({task_id: fingerprint(task) for task_id, task in plan.items()} for plan in plans)
    changes = compare(plans[1], {i: TaskState(fingerprint=mark) for i, mark in before.items()}, now)
    return [*changes.added, *changes.removed, *changes.edited]


@pytest.mark.parametrize("done", [("T001",), ("T002",), ("T001", "T002"), ("T001", "T002", "T003")])
def test_a_checkpoint_stays_where_it_is(done: tuple[str, ...]) -> None:
    """The box belongs to the last task, even when it is ticked, which would otherwise edit another one."""
    text = "## Phase 1: A\n- [ ] T001 A\n- [ ] T002 B\n\n**Checkpoint**: ready\n\n## Phase 2: B\n- [ ] T003 C\n"
    assert edited("spec-kit", text, ticked(text, *done).text) == []


@given(BOXES, st.sampled_from(sorted(READERS)), st.randoms(use_true_random=False))
def test_ticking_some_edits_no_other_task(text: str, kind: str, chance: Random) -> None:
    """Open tasks keep their text: otherwise Nova's own ticks would make it repeat finished work."""
    try:
        cascade = build(READERS[kind]("tasks.md", text, PlanOptions()))
    except InputError:
        return
    done = {task_id for task_id in cascade.tasks if chance.random() < 0.5}
    assert edited(kind, text, tick(text, cascade.marks, done).text) == []


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    """Bytes and mode stay the same, except for the box."""
    path = tmp_path / "tasks.md"
    path.write_bytes(b"- [ ] T001 A\r\n")
    path.chmod(0o664)
    marks = (Mark(str(path), 1, ("T001",), "T001 A"),)
    assert tick_file(path, marks, {"T001"}, root=tmp_path).lines == (1,)
    assert path.read_bytes() == b"- [x] T001 A\r\n"
    assert path.stat().st_mode & 0o7777 == 0o664
    assert os.listdir(tmp_path) == ["tasks.md"]


def test_a_file_without_changes_is_not_written(tmp_path: Path) -> None:
    """Its time and inode stay."""
    path = tmp_path / "tasks.md"
    path.write_text("- [x] T001 A\n")
    before = path.stat()
    tick_file(path, (Mark(str(path), 1, ("T001",), "T001 A"),), {"T001"}, root=tmp_path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_is_followed_inside_of_the_project_only(tmp_path: Path) -> None:
    """The link's target is written, and the link stays; a link that leads outside is rejected."""
    root = tmp_path / "project"
    root.mkdir()
    for target in (root / "real.md", tmp_path / "outside.md"):
        target.write_text("- [ ] T001 A\n")
        link = root / f"link-{target.name}"
        link.symlink_to(target)
        marks = (Mark(str(link), 1, ("T001",), "T001 A"),)
        if target.parent == root:
            tick_file(link, marks, {"T001"}, root=root)
            assert target.read_text() == "- [x] T001 A\n"
            assert link.is_symlink()
        else:
            with pytest.raises(TickError, match="outside the project"):
                tick_file(link, marks, {"T001"}, root=root)
            assert target.read_text() == "- [ ] T001 A\n"


def test_a_folder_that_is_a_link_leads_out_too(tmp_path: Path) -> None:
    """Any part of a path can be a link, not only the last one."""
    root, other = tmp_path / "project", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (other / "tasks.md").write_text("- [ ] T001 A\n")
    (root / "specs").symlink_to(other)
    with pytest.raises(TickError):
        tick_file(root / "specs" / "tasks.md", (Mark("", 1, ("T001",), "T001 A"),), {"T001"}, root=root)


def test_a_failing_disk_leaves_the_file(tmp_path: Path) -> None:
    """Either all of it is written or nothing, at every step."""

    class Failing(Disk):
        def __init__(self, left: int) -> None:
            self.left = left

        def step(self, call: str, path: str) -> None:
            self.left -= 1
            if self.left < 0:
                raise OSError(28, "no space left")

    path = tmp_path / "tasks.md"
    path.write_text("- [ ] T001 A\n")
    marks = (Mark(str(path), 1, ("T001",), "T001 A"),)
    for left in range(4):
        with pytest.raises(OSError, match="no space"):
            tick_file(path, marks, {"T001"}, root=tmp_path, disk=Failing(left))
        assert path.read_text() == "- [ ] T001 A\n"
    assert os.listdir(tmp_path) == ["tasks.md"]


def test_what_is_not_text_is_rejected(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 would not survive."""
    path = tmp_path / "tasks.md"
    path.write_bytes(b"- [ ] T001 A\n\xff\n")
    with pytest.raises(TickError, match="UTF-8"):
        tick_file(path, (Mark(str(path), 1, ("T001",), "T001 A"),), {"T001"}, root=tmp_path)
