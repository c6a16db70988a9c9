"""Nothing that a worker made is lost with its tree: it is in a ref, or the tree is moved aside."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from iso_kit import Run, commit, git, repository, words, write
from test_take import with_submodule

from nova_core.isolation.conflict import put_conflict
from nova_core.isolation.keep import clear, keep
from nova_core.isolation.merge import bring, merge
from nova_core.isolation.trees import away
from nova_core.isolation.values import Candidate, Cleared

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def test_what_a_failed_attempt_left_is_kept(tmp_path: Path) -> None:
    """Case 14: limits do not count; a tree without changes, or gone, leaves nothing."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    assert keep(run.repository, "F1", 1, run.tip, words("F1")) is None
    write(tree, n="half", big="x" * 2000, **{f"many__{n}": "" for n in range(50)})
    (tree / "f").unlink()
    cleared = clear(run.repository, "F1", 1, run.tip, words("F1"))
    assert cleared == Cleared(run.place.kept("F1", 1))
    assert run.content("n", cleared.ref) == "half"
    assert len(run.files(cleared.ref)) == 5 - 1 + 52
    assert clear(run.repository, "F1", 1, run.tip, words("F1")) == cleared, "again"
    shutil.rmtree(tree)
    assert clear(run.repository, "F1", 2, run.tip, words("F1")) == Cleared()


def test_a_filter_that_fails_keeps_the_files_as_they_are(tmp_path: Path) -> None:
    """What the filter would have made of them is not known; the file itself is not lost."""
    root = repository(tmp_path)
    write(root, _gitattributes="*.bin filter=big\n")
    commit(root)
    for key, text in (("clean", "false"), ("smudge", "cat"), ("required", "true")):
        git(root, "config", f"filter.big.{key}", text)
    run = Run(root)
    write(run.tree("F1"), x_bin="text", n="new")
    cleared = clear(run.repository, "F1", 1, run.tip, words("F1"))
    assert not cleared.why
    assert run.content("x.bin", cleared.ref) == "text"


def test_files_without_permissions_are_kept(tmp_path: Path) -> None:
    """The worker is the same user: what it has closed is opened again."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, dark__er__x="x", secret="x")
    for name in ("secret", "dark/er", "dark"):
        (tree / name).chmod(0)
    cleared = clear(run.repository, "F1", 1, run.tip, words("F1"))
    assert {"secret", "dark/er/x"} <= set(run.files(cleared.ref))
    assert not cleared.aside


def loses_objects(run: Run, tree: Path) -> None:
    """A `git gc --prune=now` beside the run has removed what Nova's index names."""
    run.take("F1")
    git(run.root, "update-ref", "-d", run.place.ref("F1"))
    git(run.root, "gc", "-q", "--prune=now")


def breaks_git(run: Run, tree: Path) -> None:
    """No git can read what is in the tree: its base is gone."""
    name = git(run.root, "rev-parse", f"{run.tip}:f")
    (run.root / ".git/objects" / name[:2] / name[2:]).unlink()
    Path(run.place.task_file("F1", "index")).write_bytes(b"rubbish")
    Path(run.place.task_file("F1", "base")).write_text("1" * 40)


def makes_a_huge_file(run: Run, tree: Path) -> None:
    """Larger than git should hold; it has no blocks on the disk."""
    with open(tree / "huge", "wb") as file:
        file.truncate(1_000_000_001)


@pytest.mark.parametrize("work", [loses_objects, breaks_git, makes_a_huge_file])
def test_what_git_cannot_hold_is_moved_aside(tmp_path: Path, work: Callable[[Run, Path], None]) -> None:
    """The path of the tree is free for another attempt; the folder has no name of a task, and stays."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, n="new")
    work(run, tree)
    cleared = clear(run.repository, "F1", 1, run.tip, words("F1"))
    if work is loses_objects:
        assert cleared == Cleared(run.place.kept("F1", 1)), "read again"
        assert run.content("n", cleared.ref) == "new"
        return
    assert cleared.why
    assert cleared.aside == run.place.aside("F1", 1)
    assert Path(cleared.aside, "n").read_text() == "new"
    assert bool(cleared.ref) == (work is makes_a_huge_file)
    away(run.repository, "F1")
    tree.mkdir()
    assert clear(run.repository, "F1", 1, run.tip, words("F1")).aside != cleared.aside
    assert Path(cleared.aside, "n").exists()


def test_what_only_a_submodule_holds_is_moved_aside(tmp_path: Path) -> None:
    """A commit of the user's repository holds only its name."""
    run, tree = with_submodule(tmp_path)
    write(tree / "mod", s="2\n")
    moved = commit(tree / "mod")
    cleared = clear(run.repository, "F1", 1, run.tip, words("F1"))
    assert "commits that neither its remote nor your copy has" in cleared.why
    assert git(Path(cleared.aside, "mod"), "rev-parse", "HEAD") == moved


def test_files_of_a_worktree_inside_are_kept(tmp_path: Path) -> None:
    """They are not in the task's commit, but go with the tree; Nova's index of the tree is as before."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    git(tree, "worktree", "add", "-q", "--detach", "inner")
    write(tree, inner__n="new")
    assert run.take("F1").left_out == ("inner/",)
    ref = keep(run.repository, "F1", 1, run.tip, words("F1"))
    assert run.content("inner/n", ref) == "new"
    assert run.take("F1").commit is None


@pytest.mark.parametrize("how", ["bring", "put"])
def test_what_was_kept_is_apart_from_what_others_did(tmp_path: Path, how: str) -> None:
    """A tree that was brought to what is merged has others' changes, too: they are in the parent of what is kept."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, n="mine")
    if how == "put":
        write(tree, f="mine")
    taken = run.take("F1")
    run.done("F2", lambda tree: write(tree, f="theirs", other="x"))
    if how == "bring":
        found = merge(run.repository, "F1", run.tip, taken, words("F1"))
        assert isinstance(found, Candidate)
        bring(run.repository, "F1", found)
    else:
        put_conflict(run.repository, "F1", taken, run.tip)
    ref = keep(run.repository, "F1", 1, taken.base, words("F1"))
    assert git(run.root, "rev-parse", f"{ref}^") == run.tip
    assert "other" not in git(run.root, "diff", "--name-only", f"{ref}^", str(ref))


# commits of the worker's own


def leaves_a_branch(tree: Path) -> list[str]:
    git(tree, "switch", "-qc", "side")
    write(tree, lost="work")
    left = commit(tree)
    git(tree, "switch", "-q", "main")
    return [left]


def resets(tree: Path) -> list[str]:
    write(tree, lost="work")
    left = commit(tree)
    git(tree, "reset", "-q", "--hard", "HEAD~1")
    return [left]


def tags(tree: Path) -> list[str]:
    left = resets(tree)
    git(tree, "tag", "-am", "words", "v9", left[0])
    shutil.rmtree(tree / ".git/logs")
    return left


def detaches(tree: Path) -> list[str]:
    git(tree, "switch", "-q", "--detach")
    return [*resets(tree), *leaves_a_branch(tree)]


def stashes(tree: Path) -> list[str]:
    found = []
    for text in ("1", "2"):
        write(tree, f=text)
        git(tree, "stash", "-q")
        found.append(git(tree, "rev-parse", "refs/stash"))
    return found


def stops_in_a_rebase(tree: Path) -> list[str]:
    write(tree, f="one")
    left = commit(tree)
    git(tree, "switch", "-qc", "two", "HEAD~1")
    write(tree, f="two")
    commit(tree)
    mine = git(tree, "rev-parse", "HEAD")
    git(tree, "rebase", "-q", "main", ok=(1,))
    git(tree, "checkout", "-qf", "HEAD~1", "--", ".")
    return [left, mine]


def works_in_a_worktree(tree: Path) -> list[str]:
    git(tree, "worktree", "add", "-q", "--detach", "out/inner")
    write(tree / "out/inner", lost="work")
    return [commit(tree / "out/inner")]


@pytest.mark.parametrize(
    "work", [leaves_a_branch, resets, tags, detaches, stashes, stops_in_a_rebase, works_in_a_worktree]
)
def test_commits_that_are_in_no_result_are_kept(tmp_path: Path, work: Callable[[Path], list[str]]) -> None:
    """Case 18: they are named, and held with all their objects after the tree is gone."""
    run = Run(repository(tmp_path))
    left = work(run.tree("F1"))
    taken = run.take("F1")
    assert taken.commit is None
    assert set(taken.own_commits) == set(left)
    ref = keep(run.repository, "F1", 1, run.tip, words("F1"))
    assert run.take("F1").own_commits == taken.own_commits, "also if it is taken again"
    run.tree("F1")
    assert ref == run.place.kept("F1", 1)
    for name in left:
        assert git(run.root, "merge-base", "--is-ancestor", name, str(ref)) == ""
    assert git(run.root, "fsck", "--no-dangling", "--connectivity-only") == ""


def test_commits_of_the_worker_that_the_result_holds_are_not_kept(tmp_path: Path) -> None:
    """Case 17: a worker that commits its work as it goes leaves nothing that the result does not have.

    Nor does one that only looks at commits that the user has.
    """
    root = repository(tmp_path)
    write(root, old="1")
    for n in "ab":
        git(root, "switch", "-qc", n)
        commit(root)
    git(root, "switch", "-q", "main")
    run = Run(root)
    tree = run.tree("F1")
    git(tree, "checkout", "-q", "b~1")
    git(tree, "switch", "-q", "main")
    write(tree, n="one")
    commit(tree)
    git(tree, "commit", "-q", "--amend", "-m", "other words")
    git(tree, "switch", "-qc", "mine")
    write(tree, n="two")
    commit(tree)
    git(tree, "gc", "-q")
    assert run.take("F1").own_commits == ()


def test_pipes_instead_of_gits_own_files_stop_nothing(tmp_path: Path) -> None:
    """Nothing waits for a writer that never comes, nor follows very deep folders."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    leaves_a_branch(tree)
    shutil.rmtree(tree / ".git/logs")
    (tree / ".git/logs").mkdir()
    os.mkfifo(tree / ".git/logs/HEAD")
    os.mkfifo(tree / ".git/refs/heads/pipe")
    subprocess.run(["mkdir", "-p", tree / ".git/refs/heads" / "/".join("d" * 1500)], check=True)
    assert len(run.take("F1").own_commits) == 1
    (tree / ".git/refs").chmod(0)
    away(run.repository, "F1")
    assert not tree.exists()
