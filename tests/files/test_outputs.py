"""Declared outputs: present, not empty, fresh and inside the project, or reported with the problem."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.files.outputs import check_outputs

START = 1_700_000_000.5


def write(path: Path, text: str = "x", at: float = START + 1) -> None:
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
    "old": (lambda r: write(r / "a.txt", at=START - 60), "a.txt", "is older than this attempt"),
    "within a tick": (lambda r: write(r / "a.txt", at=START - 0.009), "a.txt", None),
    "whole seconds": (lambda r: write(r / "a.txt", at=START // 1), "a.txt", None),
    "pattern": (lambda r: write(r / "d/a.json"), "d/*.json", None),
    "deep pattern": (lambda r: write(r / "d/e/a.json"), "**/*.json", None),
    "pattern without match": (lambda r: write(r / "a.txt"), "*.json", "does not exist"),
    "one good match": (arrange_good_and_empty, "*.json", None),
    "no good match": (lambda r: write(r / "a.json", ""), "*.json", "is empty"),
    "brackets in a name": (lambda r: write(r / "[id].tsx"), "[id].tsx", None),
    "directory": (lambda r: write(r / "d/e/a.txt"), "d", None),
    "directory with slash": (lambda r: write(r / "d/a.txt"), "d/", None),
    "empty directory": (lambda r: (r / "d").mkdir(), "d", "is a directory without files"),
    "stale directory": (
        lambda r: write(r / "d/a.txt", at=START - 60),
        "d",
        "a valid file: the last one is older",
    ),
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
    problems = check_outputs([output], root, START)
    assert len(problems) == (problem is not None)
    assert (problem or "") in "".join(problems)


def test_every_problem_is_reported(tmp_path: Path) -> None:
    """All outputs are checked, in order."""
    write(tmp_path / "b")
    assert check_outputs(("a", "b", "c"), tmp_path, START) == ["output `a` does not exist", "output `c` does not exist"]
    assert check_outputs((), tmp_path, START) == []


def test_a_file_written_now_is_new(tmp_path: Path) -> None:
    """The coarse clock of the file system never makes a file older than the attempt that wrote it."""
    for i in range(300):
        since = time.time()
        (tmp_path / f"{i}").write_text("x")
        assert check_outputs([f"{i}"], tmp_path, since) == []


def test_a_link_to_the_root_works(tmp_path: Path) -> None:
    """A project reached through a link is the same project."""
    write(tmp_path / "real/a.txt")
    (tmp_path / "link").symlink_to("real")
    assert check_outputs(["a.txt"], tmp_path / "link", START) == []


@given(st.text(st.sampled_from("./*?[]!-ab\0é\ud800~"), max_size=12))
def test_any_output_gets_an_answer(output: str) -> None:
    """No text crashes the check or leads outside the project."""
    assert len(check_outputs([output], "/dev/null/nowhere", START)) == 1
