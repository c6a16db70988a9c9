"""Repositories of other kinds, looking before a run and after it, and what a kill leaves for the next engine."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from iso_kit import RUN, Run, commit, git, lines, make_repository, repository, words, write
from sampling import some

from nova_core.errors import EnvironmentProblem
from nova_core.isolation import look
from nova_core.isolation.keep import keep
from nova_core.isolation.landing import land
from nova_core.isolation.merge import bring, merge
from nova_core.isolation.repository import Repository
from nova_core.isolation.survey import choose_place, choose_trees, survey
from nova_core.isolation.sweep import finish, forget, sweep, trees_left
from nova_core.isolation.trees import away
from nova_core.isolation.values import Candidate, Landed, Landing

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def plain(tmp_path: Path) -> Path:
    """An ordinary repository."""
    return repository(tmp_path)


def configured(**settings: str) -> Callable[[Path], Path]:
    """A repository with these settings, whose index was written with them."""

    def make(tmp_path: Path) -> Path:
        root = repository(tmp_path)
        for name, value in settings.items():
            git(root, "config", name.replace("_", "."), value)
        git(root, "read-tree", "--reset", "-u", "HEAD")
        return root

    return make


def shallow(tmp_path: Path) -> Path:
    """A clone of the newest commit alone."""
    origin = repository(tmp_path)
    origin = origin.rename(tmp_path / "origin")
    commit(origin, "base")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{origin}", "r")
    return tmp_path / "r"


def partial(tmp_path: Path) -> Path:
    """A clone that fetches files as it needs them."""
    origin = repository(tmp_path).rename(tmp_path / "origin")
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{origin}", "r")
    return tmp_path / "r"


def sparse(*options: str) -> Callable[[Path], Path]:
    """A sparse checkout of the folder `a` and the files of the top."""

    def make(tmp_path: Path) -> Path:
        root = repository(tmp_path)
        git(root, "sparse-checkout", "set", *options, "a")
        return root

    return make


def linked(tmp_path: Path) -> Path:
    """A worktree of another repository."""
    origin = repository(tmp_path).rename(tmp_path / "origin")
    git(origin, "checkout", "-q", "--detach")
    git(origin, "worktree", "add", "-q", str(tmp_path / "r"), "main")
    return tmp_path / "r"


def sha256(tmp_path: Path) -> Path:
    """A repository with SHA-256 names."""
    return repository(tmp_path, "--object-format=sha256")


def separate(tmp_path: Path) -> Path:
    """A repository whose `.git` is elsewhere, and named in the settings."""
    return make_repository(tmp_path / "r", f"--separate-git-dir={tmp_path / 'elsewhere'}")


def packed(tmp_path: Path) -> Path:
    """A repository with packed refs and objects."""
    root = repository(tmp_path)
    git(root, "gc", "-q")
    return root


KINDS: dict[str, Callable[[Path], Path]] = {
    "plain": plain,
    "shallow": shallow,
    "partial": partial,
    "sparse cone": sparse(),
    "sparse index": sparse("--sparse-index"),
    "sparse patterns": sparse("--no-cone", "/*", "!/b/"),
    "linked worktree": linked,
    "SHA-256": sha256,
    "separate git dir": separate,
    "packed": packed,
    "split index": configured(core_splitIndex="true"),
    "untracked cache, index v4": configured(core_untrackedCache="true", feature_manyFiles="true"),
    "fileMode, autocrlf": configured(core_fileMode="false", core_autocrlf="input"),
    "odd settings": configured(core_quotePath="false", diff_noprefix="true", core_ignoreCase="true"),
}  # fmt: skip


@pytest.mark.parametrize("kind", some(KINDS, "partial", "sparse index", "linked worktree", "SHA-256", "split index"))
def test_a_whole_run_in_a_repository_of_its_kind(tmp_path: Path, kind: str) -> None:
    """Cases 33, 34: tree, take, a real merge, landing beside a changed file, nothing left; also outside a cone."""
    root = KINDS[kind](tmp_path)
    before = git(root, "worktree", "list")
    write(root, g="mine")
    run = Run(root)
    one, two = run.tree("A"), run.tree("B")
    assert git(one, "status", "--porcelain") == ""
    write(one, f=lines(20, l1="A"), c__new="new")
    write(two, f=lines(20, l20="B"), two="x")
    (two / "f").chmod(0o755 if kind == "fileMode, autocrlf" else 0o644)
    first, second = run.take("A"), run.take("B")
    assert sorted(run.changed(first)) == ["A c/new", "M f"]
    assert sorted(run.changed(second)) == ["A two", "M f"]
    run.merged("A", first)
    found = merge(run.repository, "B", run.tip, second, words("B"))
    assert isinstance(found, Candidate)
    bring(run.repository, "B", found)
    assert git(two, "status", "--porcelain") == ""
    run.merged("B", second)
    assert land(run.repository, Landing("refs/heads/main", run.start, run.tip)) == Landed(run.tip)
    assert (root / "f").read_text() == lines(20, l1="A", l20="B")
    assert git(root, "status", "--porcelain") == " M g"
    for task_id in "AB":
        away(run.repository, task_id)
    forget(run.repository, ("A", "B"))
    finish(run.repository, run.tip)
    assert git(root, "worktree", "list").count("\n") == before.count("\n")
    assert git(root, "for-each-ref", "refs/nova", "refs/heads/nova") == ""
    assert not (tmp_path / "r.nova").exists()


def bare(tmp_path: Path) -> Path:
    """A repository without a work tree."""
    git(tmp_path, "init", "-q", "--bare", "r")
    (tmp_path / "r/.git").write_text("gitdir: .\n")
    return tmp_path / "r"


def unborn(tmp_path: Path) -> Path:
    """A repository without a commit."""
    git(tmp_path, "init", "-q", "r")
    return tmp_path / "r"


def ignored(tmp_path: Path) -> Path:
    """A folder that its repository ignores."""
    root = repository(tmp_path)
    write(root, out__x="x")
    return root / "out"


def outside(tmp_path: Path) -> Path:
    """A folder in no repository."""
    (tmp_path / "r").mkdir()
    return tmp_path / "r"


REFUSED: dict[Callable[[Path], Path], str] = {
    bare: "bare",
    unborn: "no commit yet",
    ignored: "git ignores",
    outside: "not in a git repository",
}


@pytest.mark.parametrize("make", REFUSED)
def test_where_tasks_cannot_be_isolated(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Case 32: the reason is one line."""
    problem = survey(make(tmp_path)).problem
    assert REFUSED[make] in problem
    assert "\n" not in problem


def test_git_that_is_too_old_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is named; without git the reason is that."""
    root = repository(tmp_path)
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.34.1\n")
    old.chmod(0o755)
    monkeypatch.setattr("nova_core.isolation.repository.program", lambda: str(old))
    assert survey(root).problem == "git is 2.34; trees need 2.38 or newer"
    monkeypatch.setattr("nova_core.isolation.repository.program", lambda: None)
    assert survey(root).problem == "git is not installed"


def test_what_the_user_is_in_the_middle_of(tmp_path: Path) -> None:
    """Cases 31, 32: a merge, a detached HEAD, and files by name, from the project's folder."""
    root = repository(tmp_path)
    git(root, "switch", "-qc", "side")
    write(root, g="side")
    commit(root)
    git(root, "checkout", "-q", "--detach", "main")
    write(root, f="changed", a__new="x")
    git(root, "merge", "-q", "--no-commit", "--no-ff", "side")
    found = survey(root / "a")
    assert (found.busy, found.branch, found.prefix) == ("a merge", None, "a")
    assert sorted(found.dirty) == ["../f", "../g", "new"]


def test_where_trees_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the project, where the settings say, or in the user's state if the project is inside a repository."""
    root = repository(tmp_path)
    assert choose_trees(str(root)) == f"{root}.nova"
    assert choose_trees(str(root), "../t") == f"{root}/../t"
    Path(f"{root}.nova").touch()
    assert choose_trees(str(root)) != f"{root}.nova"
    Path(f"{root}.nova").unlink()
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert choose_trees(str(root)).startswith(f"{tmp_path}/state/nova/trees/r-")


def test_the_next_engine_waits_for_a_git_of_the_last_one(tmp_path: Path) -> None:
    """Case 58: it holds the lock of the run; one that takes too long is ended; locks and half-removed trees go."""
    run = Run(repository(tmp_path))
    run.tree("A")
    trash = Path(run.place.trees, ".trash.1")
    Path(run.place.tree("A")).rename(trash)
    lock = run.root / ".git/refs/nova" / RUN / "A.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    outlived = subprocess.Popen(
        [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(600)"],
        pass_fds=(run.repository.busy,), stdout=subprocess.PIPE,
    )  # fmt: skip
    assert outlived.stdout is not None
    outlived.stdout.readline()
    run.repository.close()
    repository_ = Repository(run.place)
    sweep(repository_, patience=0.1)
    assert outlived.wait() == -9
    outlived.stdout.close()
    assert trees_left(repository_) == ()
    assert not trash.exists()
    assert not lock.exists()
    sweep(repository_)


def test_the_lock_of_packed_refs(tmp_path: Path) -> None:
    """Case 50: one from within a deletion of ours is removed, any other stays."""
    run = Run(repository(tmp_path))
    lock = run.root / ".git/packed-refs.lock"
    lock.touch()
    sweep(run.repository)
    assert lock.exists()
    note = Path(run.place.run_file("deleting"))
    note.touch()
    os.utime(note, ns=(lock.stat().st_mtime_ns,) * 2)
    sweep(run.repository)
    assert not lock.exists()
    assert not note.exists()


def test_diffs_of_commits_and_of_a_tree_at_work(tmp_path: Path) -> None:
    """The files of a running task, new ones included; nothing is left in the repository, and no program of its runs."""
    run = Run(repository(tmp_path))
    git(run.root, "config", "diff.external", "false")
    tree = run.tree("A")
    write(tree, f=lines(20, l3="A"), n="new\n", x_log="ignored")
    before = sorted(str(path) for path in (run.root / ".git").rglob("*"))
    found = look.tree_diff(run.place, "A", run.tip)
    assert "+new" in found
    assert "-3\n+A\n" in found
    assert "ignored" not in found
    assert sorted(str(path) for path in (run.root / ".git").rglob("*")) == before
    taken = run.take("A")
    assert look.diff(run.place, taken.base, str(taken.commit)) == found
    assert "+new" not in look.diff(run.place, taken.base, str(taken.commit), ("f",))
    assert "\x1b[" in look.diff(run.place, taken.base, str(taken.commit), colour=True)


def test_what_runs_have_left_and_its_removal(tmp_path: Path) -> None:
    """Case 55: trees, branch and kept refs by run, with what only these hold; a run at work is not removed."""
    run = Run(repository(tmp_path))
    write(run.tree("A"), n=os.urandom(3000).hex())
    keep(run.repository, "A", 1, run.tip, words("A"))
    found = survey(run.root)
    (left,) = look.leftovers(found)
    assert (left.run, left.branch, left.trees) == (RUN, f"refs/heads/nova/{RUN}", ("A",))
    assert [(kept.ref, kept.size > 3000) for kept in left.refs] == [(run.place.kept("A", 1), True)]
    fcntl.flock(run.repository.busy, fcntl.LOCK_SH)
    with pytest.raises(EnvironmentProblem, match="is at work"):
        look.remove(found, left)
    run.repository.close()
    look.remove(found, left)
    assert look.leftovers(found) == ()
    assert git(run.root, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert sorted(os.listdir(tmp_path)) == ["r"]
    write(tmp_path / "r.nova/deadbeef", mine="x")  # which no run has made
    assert look.leftovers(found) == ()
    assert not (run.root / ".git/nova").exists()


def test_two_clones_side_by_side(tmp_path: Path) -> None:
    """Case 53: their trees stand apart, and each has its own branch."""
    one = Run(repository(tmp_path))
    git(tmp_path, "clone", "-q", "r", "s")
    two = choose_place(survey(tmp_path / "s"), RUN)
    assert two.trees != one.place.trees
    assert two.common != one.place.common


def test_a_copy_with_the_folder_of_trees_of_its_original(tmp_path: Path) -> None:
    """What it cleans up is its own: the trees are neither listed nor removed."""
    run = Run(repository(tmp_path))
    write(run.tree("A"), n="new")
    run.repository.close()
    shutil.copytree(run.root, tmp_path / "s", symlinks=True)
    found, trees = survey(tmp_path / "s"), str(tmp_path / "r.nova")
    (left,) = look.leftovers(found, trees)
    assert (left.branch, left.trees) == (run.place.branch, ())
    look.remove(found, left)
    assert look.leftovers(found, trees) == ()
    assert Path(run.place.tree("A"), "n").read_text() == "new"
    assert [one.trees for one in look.leftovers(survey(run.root))] == [("A",)]


def test_a_merge_starts_few_gits(tmp_path: Path) -> None:
    """A task whose work is merged with another's, and the landing, of which a run has one; the benchmark counts 18."""
    started: list[str] = []

    class Counting(Repository):
        def start(self, command: list[str], *more: object) -> object:  # type: ignore[override]
            started.append(command[1])
            return super().start(command, *more)  # type: ignore[arg-type]

    run = Run(repository(tmp_path), Counting)
    write(run.tree("A"), f=lines(20, l1="A"))
    first = run.take("A")
    started.clear()
    write(run.tree("B"), f=lines(20, l20="B"))
    second = run.take("B")
    mine = len(started)
    run.merged("A", first)
    started.clear()
    run.merged("B", second)
    land(run.repository, Landing("refs/heads/main", run.start, run.tip))
    assert mine + len(started) <= 17
