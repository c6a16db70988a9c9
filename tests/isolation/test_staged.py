"""What a worker has staged counts where the folder alone does not say it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from iso_kit import Run, commit, git, repository, write

from nova_core.isolation.values import Needs

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def test_ignored_files_that_a_worker_has_added(tmp_path: Path) -> None:
    """By `git add -f`, committed or not; not what Nova has copied there, nor what is gone."""
    root = repository(tmp_path)
    write(root, _env="KEY=1")
    run = Run(root)
    tree = run.tree("F1", Needs(copy=(".env",)))
    write(tree, out__x="1", out__y="1", out__z="1", gone_log="1", n="1")
    git(tree, "add", "-f", "out/x", "gone.log", ".env")
    git(tree, "commit", "-qm", "own")
    git(tree, "add", "-f", "out/y")
    (tree / "gone.log").unlink()
    taken = run.take("F1")
    assert run.changed(taken) == ["A n", "A out/x", "A out/y"]
    assert taken.withheld == (".env",)
    assert run.take("F1") == taken


@pytest.mark.parametrize("how", ["rm", "init", "no index"])
def test_files_that_git_is_to_ignore_from_now_on(tmp_path: Path, how: str) -> None:
    """By `git rm --cached` of what is ignored; a file that is not ignored stays, as all do without that index."""
    root = repository(tmp_path)
    write(root, out__made="1", out__other="1")
    git(root, "add", "-f", "out")
    commit(root)
    run = Run(root)
    tree = run.tree("F1")
    if how == "rm":
        git(tree, "rm", "-q", "--cached", "out/made", "g")
    elif how == "init":
        shutil.rmtree(tree / ".git")
        git(tree, "init", "-q")
        git(tree, "add", "-A")
    else:
        (tree / ".git/index").write_bytes(b"rubbish")
    write(tree, n="1")
    assert run.changed(run.take("F1")) == (["A n", "D out/made"] if how == "rm" else ["A n"])
    assert (tree / "out/made").exists()


def test_files_that_a_sparse_checkout_of_the_worker_hides_are_not_deleted(tmp_path: Path) -> None:
    """They are missing in the folder only; what it has really deleted is gone."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    git(tree, "sparse-checkout", "set", "a")
    (tree / "g").unlink()
    assert not (tree / "b/y").exists()
    assert run.changed(run.take("F1")) == ["D g"]


def test_a_change_of_case_with_settings_of_another_machine(tmp_path: Path) -> None:
    """`core.ignoreCase` of a disk that ignores it would hide the file."""
    root = repository(tmp_path)
    if (root / ".git/hEAD").exists():
        pytest.skip("the disk ignores case")
    git(root, "config", "core.ignoreCase", "true")
    run = Run(root)
    tree = run.tree("F1")
    (tree / "f").rename(tree / "F")
    assert run.changed(run.take("F1")) == ["A F", "D f"]
