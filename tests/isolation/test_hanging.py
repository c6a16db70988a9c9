"""Gits that do not come to their end, and what they print when the disk is full."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from iso_kit import Run, repository, write

from nova_core.isolation.hanging import Running, pipe_in
from nova_core.isolation.repository import Repository, Result, failed
from nova_core.isolation.values import DiskFull, GitFailed, NotTaken

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def test_a_pipe_that_git_would_wait_for_is_named(tmp_path: Path) -> None:
    """Its task fails at once, not after the time limit of git; no other git starts once the run is to end."""
    run = Run(repository(tmp_path))
    write(run.tree("F1"), n="new", sub__n="new")
    os.mkfifo(f"{run.place.tree('F1')}/sub/.gitignore")
    run.repository.slow = 0.05
    with pytest.raises(NotTaken, match=r"git waits for a pipe, where it expects a file: sub/\.gitignore"):
        run.take("F1")
    run.repository.interrupt()
    with pytest.raises(GitFailed, match="the run ends"):
        run.take("F1")


@pytest.mark.parametrize(
    ("name", "found"),
    [("a/.gitattributes", True), (".git/objects/info/alternates", True), (".git/logs/HEAD", False), ("a/pipe", False)],
)
def test_which_pipes_git_waits_for(tmp_path: Path, name: str, found: bool) -> None:
    """Those with the name of a file that it reads, and all among the objects that a worker has made."""
    (tmp_path / name).parent.mkdir(parents=True)
    os.mkfifo(tmp_path / name)
    assert pipe_in(str(tmp_path)) == (name if found else "")


class Rubbish(Repository):
    """A git that prints something else."""

    def start(self, command: list[str], where: str, environ: dict[str, str], stdin: bytes = b"") -> Result:
        if "rev-list" in command:
            return Result(0, b"\xff\xfe\0 x\n", "")
        return super().start(command, where, environ, stdin)


def test_rubbish_instead_of_names_of_objects(tmp_path: Path) -> None:
    """It is a failure of git, not of Nova."""
    run = Run(repository(tmp_path), Rubbish)
    with pytest.raises(GitFailed, match="rev-list printed something unexpected"):
        run.repository.is_whole(run.tip, run.tip)


@pytest.mark.parametrize("late", [False, True])
def test_programs_end_when_the_run_does(late: bool) -> None:
    """Also one that has just started."""
    running = Running()
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    if late:
        running.over()
    running.add(process.pid)
    running.over()
    assert process.wait() == -9
    running.discard(process.pid)


@pytest.mark.parametrize(
    ("said", "full"),
    [
        ("error: unable to write file: No space left on device\n", True),
        ("fatal: sha1 file 'x' write error. Out of diskspace", True),
        ("error: file write error: Disk quota exceeded\nfatal: failed\n", True),
        ('error: open("No space left on device"): Permission denied\n', False),
        ("fatal: pathspec 'x: No space left on device' did not match\n", False),
    ],
)
def test_what_git_prints_when_the_disk_is_full(said: str, full: bool) -> None:
    """A file of that name does not fill it."""
    assert isinstance(failed("git failed", said), DiskFull) == full
