"""Gits that do not come to their end, and what they print when the disk is full."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from iso_kit import Run, commit, git, repository, words, write
from sampling import sampled

from nova_core.isolation.hanging import trap_among, trap_in
from nova_core.isolation.keep import clear
from nova_core.isolation.program import Result, Running, run_program
from nova_core.isolation.repository import Repository, failed
from nova_core.isolation.trees import away
from nova_core.isolation.values import DiskFull, GitFailed, NotTaken

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def pipe(path: Path) -> None:
    """A pipe that nobody writes into."""
    os.mkfifo(path)


def folder(path: Path) -> None:
    """A folder with a pipe in it."""
    path.mkdir()
    os.mkfifo(path / "pipe")


def huge(path: Path) -> None:
    """Two gigabytes that take no room."""
    path.touch()
    os.truncate(path, 2_000_000_000)


def to_device(path: Path) -> None:
    """A link to a device without an end."""
    path.symlink_to("/dev/zero")


def to_pipe(path: Path) -> None:
    """A link to a pipe outside."""
    os.mkfifo(path.parent / "outside")
    path.symlink_to("outside")


ODD = (pipe, folder, huge, to_device, to_pipe)


def test_a_pipe_that_git_would_wait_for_is_named(tmp_path: Path) -> None:
    """Its task fails at once, not after the time limit of git; no other git starts once the run is to end."""
    run = Run(repository(tmp_path))
    write(run.tree("F1"), n="new", sub__n="new")
    os.mkfifo(f"{run.place.tree('F1')}/sub/.gitignore")
    run.repository.slow = 0.05
    with pytest.raises(NotTaken, match=r"git cannot get past sub/\.gitignore: it expects a small file there"):
        run.take("F1")
    run.repository.interrupt()
    with pytest.raises(GitFailed, match="the run ends"):
        run.take("F1")


@pytest.mark.parametrize(
    ("name", "make", "found"),
    [
        ("a/.gitattributes", pipe, True), (".gitmodules", huge, True), ("a/.gitignore", to_device, False),
        (".gitignore", folder, False), (".git/HEAD", pipe, False), ("a/pipe", pipe, False),
    ],
)  # fmt: skip
def test_what_git_cannot_get_past_in_a_work_tree(
    tmp_path: Path, name: str, make: Callable[[Path], None], found: bool
) -> None:
    """What has the name of a file that it reads, and is none; git itself passes over links and folders there."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    make(tmp_path / name)
    assert trap_in(str(tmp_path)) == (name if found else "")


@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize("name", ["info/alternates", "pack/pack-1.idx", "ab/cd", "../other/info/alternates"])
def test_what_git_cannot_get_past_among_objects(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    """Anything but files, and too long a list of other folders; these are looked into, but for the user's own."""
    objects, user = tmp_path / "objects", tmp_path / "user"
    for folder in (objects, user, tmp_path / "other"):
        for below in ("info", "pack", "ab"):
            (folder / below).mkdir(parents=True)
    os.mkfifo(user / "pack/pipe")
    (objects / "info/alternates").write_text(f"# mine\n{user}\n{tmp_path}/gone\n../other\n\n")
    assert trap_among(str(objects), str(user)) == ""
    path = objects / name
    path.unlink(missing_ok=True)
    make(path)
    if make is huge and "alternates" not in name:
        assert trap_among(str(objects), str(user)) == ""  # as a pack may be
    else:
        assert os.path.realpath(trap_among(str(objects), str(user))).startswith(
            (os.path.realpath(path), "/dev/", f"{path.parent.resolve()}/outside")
        )


@pytest.mark.parametrize(
    ("name", "make"),
    sampled(["", "HEAD", "config", "index", "info/exclude", "packed-refs", "logs/HEAD", "refs/heads/main"], ODD),
)
def test_a_repository_of_a_tree_in_which_nothing_is_as_git_expects(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    """What is in the folder is taken all the same, and kept; Nova reads none of it."""
    run = Run(repository(tmp_path))
    git_dir = run.tree("F1") / ".git"
    write(git_dir.parent, n="new")
    path = git_dir / name
    path.parent.mkdir(exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    make(path)
    assert run.changed(run.take("F1")) == ["A n"]
    cleared = clear(run.repository, "F1", 1, run.tip, words("F1"))
    assert (cleared.ref, cleared.aside) == (run.place.kept("F1", 1), "")
    away(run.repository, "F1")
    assert not git_dir.parent.exists()


def test_commits_that_git_cannot_read_fail_their_task_and_are_not_lost(tmp_path: Path) -> None:
    """The tree is moved aside with them when the task runs again; the files are in a ref, too."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, n="new")
    commit(tree)
    (tree / "n").write_text("newer")
    os.mkfifo(tree / ".git/objects/pack/pack-1.idx")
    with pytest.raises(NotTaken, match=r"git expects a plain file at .*/\.git/objects/pack/pack-1\.idx"):
        run.take("F1")
    cleared = clear(run.repository, "F1", 1, run.tip, words("F1"))
    assert cleared.ref is not None
    assert "git expects a plain file" in cleared.why
    assert run.content("n", cleared.ref) == "newer"
    (Path(cleared.aside) / ".git/objects/pack/pack-1.idx").unlink()
    assert git(cleared.aside, "log", "-1", "--format=%s") == "own"


def test_a_slow_program_gets_all_that_it_reads() -> None:
    """Also what does not fit into a pipe, and after it was asked why it takes so long."""
    looks: list[None] = []
    command = ["sh", "-c", "sleep 0.3; wc -c"]
    clean = {"PATH": os.environ["PATH"]}
    done = run_program(command, "/", clean, b"x" * 5_000_000, limit=60, slow=0.05, look=lambda: looks.append(None))
    assert done.out.split() == [b"5000000"]
    assert looks


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
