"""The fault campaign of the git steps: whatever is killed or fails, and when, the run is repeated to the same end.

A run of four tasks: a conflict and its second attempt, a repository inside, a rename, a file that becomes a folder and
the other way round, a worker that deletes `.git`, a user with changed and untracked files, landing after each merge.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import iso_campaign
import pytest
from iso_campaign import DISTURBED, faults, prepare
from iso_kit import git
from sampling import some

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
STEPS, CHANGES, GITS = 415, 213, 101
"""The numbers of steps, changes of files and gits of an undisturbed run, which a test checks."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the repository of the campaign: a copy of one that is made once."""
    template = tmp_path.parent / "campaign"
    if not template.exists():
        template.mkdir()
        prepare(template)
    shutil.copytree(template / "r", tmp_path / "r", symlinks=True)
    git(tmp_path / "r", "update-index", "-q", "--refresh", ok=(0, 1))
    return tmp_path


def run(folder: Path, at: int = 0, how: str = "none") -> subprocess.CompletedProcess[str]:
    """The run in a process of its own."""
    command = [sys.executable, iso_campaign.__file__, str(folder), str(at), how]
    paths = [str(Path(iso_campaign.__file__).parent), str(Path(__file__).parents[2])]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, capture_output=True, text=True, env=environ, check=False)


def repeated(folder: Path) -> None:
    """Run to the end, which is the same as ever."""
    done = run(folder)
    assert done.returncode == 0, done.stderr[-2000:]
    assert faults(folder) == []


@pytest.mark.slow
def test_an_undisturbed_run(folder: Path) -> None:
    """It has all the steps that the campaign tries, and ends as expected."""
    done = run(folder)
    counts = [int(count) for count in done.stdout.split()]
    assert [least <= count for least, count in zip((STEPS, CHANGES, GITS), counts, strict=True)] == [True] * 3
    assert faults(folder) == []


@pytest.mark.parametrize("at", some(range(1, STEPS + 1)))
def test_killed_between_two_steps(folder: Path, at: int) -> None:
    """(a) The process is killed before or after its n-th git, or before its n-th change of a file."""
    assert run(folder, at, "die").returncode == 9
    repeated(folder)


@pytest.mark.parametrize("at", some(range(1, STEPS + 1)))
def test_killed_twice(folder: Path, at: int) -> None:
    """(c) The repetition is killed, too, soon after it began."""
    assert run(folder, at, "die").returncode == 9
    run(folder, random.Random(at).randrange(1, 30), "die")
    repeated(folder)


@pytest.mark.parametrize("at", some(range(1, GITS + 1), 76))
@pytest.mark.parametrize("round_", range(int(os.environ.get("NOVA_TEST_ROUNDS", "1"))))
def test_killed_inside_git(folder: Path, at: int, round_: int) -> None:
    """(b) The n-th git is killed with the process at some time within 6 ms of its start."""
    seconds = random.Random(1000 * round_ + at).random() * 0.006
    assert run(folder, at, f"inside:{seconds:.4f}").returncode == 9
    repeated(folder)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EACCES"])
@pytest.mark.parametrize("at", some(range(1, CHANGES + 1)))
def test_a_change_of_a_file_fails(folder: Path, at: int, error: str) -> None:
    """(e) The n-th change of a file fails; the step fails, and is repeated when there is room again."""
    run(folder, at, error)
    repeated(folder)


@pytest.mark.parametrize("how", DISTURBED)
@pytest.mark.parametrize("at", some(range(1, GITS + 1)))
def test_a_git_that_does_not_do_its_work(folder: Path, at: int, how: str) -> None:
    """(f) The n-th git fails, fails when its work is done, prints rubbish or half of its answer, or hangs."""
    run(folder, at, how)
    repeated(folder)


@pytest.mark.parametrize(("how", "at"), some([("ENOSPC", 60), ("fails late", 45), ("prints half", 30)], "fails late"))
def test_a_sample_of_failures(folder: Path, how: str, at: int) -> None:
    """(e), (f) Some of them."""
    run(folder, at, how)
    repeated(folder)
