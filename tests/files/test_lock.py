"""The lock of an engine: one holder, seen by all, whatever happens to its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nova_core.errors import RunLockedError
from nova_core.files.lock import RunLock, engine_alive


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The lock file of a project."""
    (tmp_path / "a" / ".nova").mkdir(parents=True)
    return tmp_path / "a" / ".nova" / "run.lock"


@pytest.mark.parametrize("gone", ["nothing", "the file", "another in its place", "the folder"])
def test_there_is_one_holder(path: Path, gone: str) -> None:
    """A second engine is rejected, and a viewer sees the first, until it ends."""
    lock = RunLock(path)
    if gone in ("the file", "another in its place"):
        path.unlink()
    if gone == "another in its place":
        path.touch()
    if gone == "the folder":
        path.unlink()
        path.parent.rmdir()
        path.parent.mkdir()
    assert engine_alive(path) is not None
    with pytest.raises(RunLockedError):
        RunLock(path)
    assert lock.is_named() is (gone == "nothing")
    lock.close()
    assert engine_alive(path) is None
    RunLock(path).close()


def test_a_plan_is_locked_wherever_its_place_is(path: Path) -> None:
    """After everything was deleted, the same plan could choose another place: its name is claimed as well."""
    lock = RunLock(path, also=["one.md"])
    other = path.parent / "plans" / "one" / "run.lock"
    other.parent.mkdir(parents=True)
    with pytest.raises(RunLockedError):
        RunLock(other, also=["one.md"])
    RunLock(other, also=["two.md"]).close()
    lock.close()


def test_a_copy_is_another_folder_and_a_renamed_one_is_not(path: Path, tmp_path: Path) -> None:
    """The folder's inode decides, not its path."""
    lock = RunLock(path)
    copy = tmp_path / "b" / ".nova" / "run.lock"
    copy.parent.mkdir(parents=True)
    RunLock(copy).close()
    path.unlink()
    renamed = (tmp_path / "a").rename(tmp_path / "c") / ".nova" / "run.lock"
    assert engine_alive(renamed) is not None
    lock.close()


def test_it_ends_with_its_process(path: Path) -> None:
    """However that dies; nothing is stale."""
    imports = "import os; from pathlib import Path; from nova_core.files.lock import RunLock"
    code = f"{imports}; lock = RunLock(Path({str(path)!r})); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert engine_alive(path) is None
    RunLock(path).close()
