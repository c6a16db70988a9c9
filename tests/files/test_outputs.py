"""Declared outputs: present, not empty, new and inside the project, or reported with the problem."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.files.outputs import check_outputs, lost_outputs, marks_of, missing
from nova_core.model import Task

START = 1_700_000_000.5  # far from the time at which these tests write files
OLD = "was there before this attempt, which has not changed it"


def write(path: Path, text: str = "x", at: float = START - 60) -> None:
    """A file with a given modification time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def arrange_link_out(root: Path) -> None:
    """A link to a good file outside."""
    write(root.parent / "outside.txt")
    (root / "link.txt").symlink_to(root.parent / "outside.txt")


def arrange_link_inside(root: Path) -> None:
    """A link to a good file of the project."""
    write(root / "a.txt")
    (root / "l").symlink_to("a.txt")


def arrange_good_and_empty(root: Path) -> None:
    """Two files that match one pattern."""
    write(root / "a.json", "")
    write(root / "b.json")


CASES: dict[str, tuple[Callable[[Path], None], str, str | None]] = {
    "file": (lambda r: write(r / "a.txt"), "a.txt", None),
    "file in a folder": (lambda r: write(r / "d/a.txt"), "d/a.txt", None),
    "dotted": (lambda r: write(r / "a.txt"), "./a.txt", None),
    "missing": (lambda r: None, "a.txt", "does not exist"),
    "empty": (lambda r: write(r / "a.txt", ""), "a.txt", "is empty"),
    "pattern": (lambda r: write(r / "d/a.json"), "d/*.json", None),
    "deep pattern": (lambda r: write(r / "d/e/a.json"), "**/*.json", None),
    "pattern without match": (lambda r: write(r / "a.txt"), "*.json", "does not exist"),
    "one good match": (arrange_good_and_empty, "*.json", None),
    "no good match": (lambda r: write(r / "a.json", ""), "*.json", "is empty"),
    "brackets in a name": (lambda r: write(r / "[id].tsx"), "[id].tsx", None),
    "directory": (lambda r: write(r / "d/e/a.txt"), "d", None),
    "directory with slash": (lambda r: write(r / "d/a.txt"), "d/", None),
    "empty directory": (lambda r: (r / "d").mkdir(), "d", "is a directory without files"),
    "link inside": (arrange_link_inside, "l", None),
    "link outside": (arrange_link_out, "link.txt", "leads outside the project"),
    "pattern to a link outside": (arrange_link_out, "*.txt", "leads outside the project"),
    "folder link outside": (lambda r: (r / "l").symlink_to("/"), "l/etc/passwd", "leads outside the project"),
    "dangling link": (lambda r: (r / "l").symlink_to("nowhere"), "l", "does not exist"),
    "link to itself": (lambda r: (r / "l").symlink_to("l"), "l", "cannot be read"),
    "pipe": (lambda r: os.mkfifo(r / "p"), "p", "is not a regular file"),
    "absolute": (lambda r: None, "/etc/passwd", "is not a path inside the project"),
    "parent": (lambda r: None, "../x", "is not a path inside the project"),
    "parent inside": (lambda r: write(r / "a.txt"), "d/../a.txt", "is not a path inside the project"),
    "nothing": (lambda r: None, "", "is not a path inside the project"),
    "NUL": (lambda r: None, "a\0b", "is not a path inside the project"),
    "too long": (lambda r: None, "a" * 5000, "does not exist"),
    "escape": (lambda r: None, "\x1b[2Ja", "output `a` does not exist"),
}


@pytest.mark.parametrize(("arrange", "output", "problem"), CASES.values(), ids=CASES)
def test_check_outputs(tmp_path: Path, arrange: Callable[[Path], None], output: str, problem: str | None) -> None:
    """Each kind of output is accepted, or rejected with the reason."""
    root = tmp_path / "root"
    root.mkdir()
    arrange(root)
    problems = check_outputs([output], root)
    assert len(problems) == (problem is not None)
    assert (problem or "") in "".join(problems)


def test_every_problem_is_reported(tmp_path: Path) -> None:
    """All outputs are checked, in order."""
    write(tmp_path / "b")
    assert check_outputs(("a", "b", "c"), tmp_path) == ["output `a` does not exist", "output `c` does not exist"]
    assert check_outputs((), tmp_path) == []


def untar(root: Path) -> None:
    """Unpack a file with the time it had when it was packed."""
    with tarfile.open(root / "t.tar") as archive:
        archive.extractall(root, filter="data")


def rewrite_with_the_same_time(root: Path) -> None:
    """Other content of the same length, in the same inode, with the old modification time."""
    status = (root / "a.txt").stat()
    (root / "a.txt").write_text("y")
    os.utime(root / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))


def make_the_link_again(root: Path) -> None:
    """The same link, in a new inode or at least with a new change time."""
    (root / "l").unlink()
    (root / "l").symlink_to("a.txt")


# What an attempt does, the output it promised, and whether that counts as made by it.
MADE: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "nothing": (lambda r: None, "a.txt", False),
    "reads it": (lambda r: (r / "a.txt").read_text(), "a.txt", False),
    "writes it": (lambda r: (r / "a.txt").write_text("x"), "a.txt", True),
    "appends": (lambda r: (r / "a.txt").open("a").write("x"), "a.txt", True),
    "same length, same time": (rewrite_with_the_same_time, "a.txt", True),
    "touch to an old time": (lambda r: os.utime(r / "a.txt", (1, 1)), "a.txt", True),
    "tar x": (untar, "t.txt", True),
    "tar x over a file": (untar, "old.txt", True),
    "cp -p": (lambda r: shutil.copy2(r / "src/m.txt", r / "c.txt"), "c.txt", True),
    "cp -p over a file": (lambda r: shutil.copy2(r / "src/m.txt", r / "a.txt"), "a.txt", True),
    "mv": (lambda r: (r / "src/m.txt").rename(r / "m.txt"), "m.txt", True),
    "mv over a file": (lambda r: (r / "src/m.txt").rename(r / "a.txt"), "a.txt", True),
    "mv into a directory": (lambda r: (r / "src/m.txt").rename(r / "d/m.txt"), "d", True),
    "mv of a directory": (lambda r: (r / "src").rename(r / "dist"), "dist", True),
    "directory untouched": (lambda r: None, "d", False),
    "pattern untouched": (lambda r: None, "d/*.txt", False),
    "pattern, one more": (lambda r: shutil.copy2(r / "src/m.txt", r / "d/m.txt"), "d/*.txt", True),
    "link untouched": (lambda r: None, "l", False),
    "link made again": (make_the_link_again, "l", True),
    "target of a link": (lambda r: (r / "a.txt").write_text("y"), "l", True),
}


@pytest.mark.parametrize(("act", "output", "made"), MADE.values(), ids=MADE)
def test_what_an_attempt_has_not_changed_is_not_its_output(
    tmp_path: Path, act: Callable[[Path], object], output: str, made: bool
) -> None:
    """New is what was not there before, or has changed; no time stamp of a file is compared with a clock."""
    for name in ("a.txt", "d/b.txt", "src/m.txt", "old.txt", "t.txt"):
        write(tmp_path / name)
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for name in ("t.txt", "old.txt"):
            archive.add(tmp_path / name, name)
    (tmp_path / "t.txt").unlink()
    (tmp_path / "l").symlink_to("a.txt")
    before = marks_of([output], tmp_path, START)
    act(tmp_path)
    problems = check_outputs([output], tmp_path, before)
    assert len(problems) == (not made)
    assert all(OLD in problem for problem in problems)


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_what_rsync_copies_with_its_time_is_new(tmp_path: Path) -> None:
    """`rsync -a` keeps the old time; its copy counts, and what it leaves alone does not."""
    write(tmp_path / "s/a.txt")
    for made in (True, False):
        before = marks_of(["a.txt"], tmp_path, START)
        subprocess.run(["rsync", "-a", "s/", "./"], cwd=tmp_path, check=True)
        assert (check_outputs(["a.txt"], tmp_path, before) == []) is made


def test_a_file_changed_just_before_the_attempt_has_no_mark(tmp_path: Path) -> None:
    """Within a tick of the file system's clock a second change leaves no trace, so the file counts for the attempt."""
    write(tmp_path / "a")
    changed = (tmp_path / "a").stat().st_ctime
    assert [len(marks_of(["a"], tmp_path, changed + later)) for later in (-0.1, 0.0, 0.009, 0.011, 3)] == [
        1,
        0,
        0,
        1,
        1,
    ]


@pytest.mark.parametrize(("first", "then"), [("link", "file"), ("file", "link")])
def test_a_link_has_a_mark_once_it_and_its_file_are_old(tmp_path: Path, first: str, then: str) -> None:
    """Whichever of the two changed just before the attempt, the attempt could change it again without a trace."""

    def write_link() -> None:
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to("file")

    make = {"file": lambda: write(tmp_path / "file"), "link": write_link}
    changed = {}
    make[first]()
    changed[first] = (tmp_path / first).lstat().st_ctime
    while changed.get(then, 0.0) <= changed[first] + 0.05:
        make[then]()
        changed[then] = (tmp_path / then).lstat().st_ctime
    assert [len(marks_of(["link"], tmp_path, changed[name])) for name in (first, then)] == [0, 0]
    assert len(marks_of(["link"], tmp_path, changed[then] + 3)) == 1


def test_a_file_written_now_is_new(tmp_path: Path) -> None:
    """A file that is written again and again counts every time, however coarse the clock of the file system is."""
    for _ in range(300):
        before = marks_of(["a"], tmp_path, time.time())
        (tmp_path / "a").write_text("x")
        assert check_outputs(["a"], tmp_path, before) == []


def test_marks_survive_a_move_of_the_project(tmp_path: Path) -> None:
    """The marks hold no path of the machine: an old file stays old when the folder is renamed meanwhile."""
    write(tmp_path / "one/a")
    before = marks_of(["a"], tmp_path / "one", START)
    (tmp_path / "one").rename(tmp_path / "two")
    assert len(check_outputs(["a"], tmp_path / "two", before)) == 1


def test_lost_outputs(tmp_path: Path) -> None:
    """An output that is gone, empty, or a directory without files is lost; one in the task's own folder is there."""
    for name in ("a", "own/w"):
        write(tmp_path / name)
    write(tmp_path / "e", "")
    (tmp_path / "d").mkdir()
    found = lost_outputs(Task("A", "A", outputs=("a", "b", "e", "d")), tmp_path)
    assert [problem.partition("` ")[2] for problem in found] == [
        "does not exist", "is empty", "is a directory without files",
    ]  # fmt: skip
    found = lost_outputs(Task("A", "A", outputs=("w", "v"), workspace="own"), tmp_path)
    assert found == ["output `own/v` does not exist"]


def test_missing_inputs(tmp_path: Path) -> None:
    """What a task needs must be inside the project, at one of its places; a file elsewhere does not count."""
    root = tmp_path / "project"
    for name in ("project/a", "project/own/w", "outside"):
        write(tmp_path / name)
    elsewhere = ["../outside", str(tmp_path / "outside"), "own/../a", "a\0b"]
    assert missing(["a", "*/w", "b", "b|a", "c|d", *elsewhere], root) == ["b", "c", *elsewhere]
    assert missing(["w", "a", "v"], root, "own") == ["own/v"]


def test_a_link_to_the_root_works(tmp_path: Path) -> None:
    """A project reached through a link is the same project."""
    write(tmp_path / "real/a.txt")
    (tmp_path / "link").symlink_to("real")
    assert check_outputs(["a.txt"], tmp_path / "link") == []


@given(st.text(st.sampled_from("./*?[]!-ab\0é\ud800~"), max_size=12))
def test_any_output_gets_an_answer(output: str) -> None:
    """No text crashes the check or leads outside the project."""
    assert marks_of([output], "/dev/null/nowhere", START) == frozenset()
    assert len(check_outputs([output], "/dev/null/nowhere")) == 1
