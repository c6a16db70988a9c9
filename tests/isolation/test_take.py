"""Taking what is in a tree: the folder is the truth, whatever its worker did to git."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from iso_kit import Run, commit, git, lines, repository, write

from nova_core.isolation.values import GitFailed, Limits, NotTaken

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def own_repository_inside(tree: Path) -> None:
    """A worker that runs `create-x`: repositories inside, one in another, one without a commit, one ignored file."""
    write(tree, app__m="m", app__x_log="log", app__inner__z="z", empty__v="v", _git__info__exclude="")
    for folder in ("app", "app/inner", "empty"):
        git(tree, "init", "-q", folder)
    commit(tree / "app/inner")


def commits_and_leaves(tree: Path) -> None:
    """A worker that commits on a branch of its own, amends, and is detached in the end."""
    write(tree, f="changed")
    commit(tree, "one")
    git(tree, "switch", "-qc", "fix")
    write(tree, n="new")
    commit(tree, "two")
    git(tree, "commit", "-q", "--amend", "-m", "three")
    git(tree, "checkout", "-q", "--detach")
    git(tree, "reset", "-q", "--soft", "HEAD~1")


def breaks_its_index(tree: Path) -> None:
    """A worker that leaves `index.lock`, hides a changed file, and takes one out of its index."""
    write(tree, f="changed", n="new")
    git(tree, "update-index", "--skip-worktree", "f")
    git(tree, "rm", "-q", "--cached", "g")
    (tree / ".git/index.lock").touch()


def makes_another_repository(tree: Path) -> None:
    """A worker that deletes `.git`, and begins another history."""
    shutil.rmtree(tree / ".git")
    git(tree, "init", "-q")
    write(tree, f="changed", n="new")
    commit(tree)
    git(tree, "worktree", "prune")


def sets_traps(tree: Path) -> None:
    """A worker whose `.git` would run programs, and lead git elsewhere."""
    write(tree, f="changed", n="new")
    trap = tree.parent.parent / "trapped"
    settings = f"[core]\n\tfsmonitor = touch {trap}\n\thooksPath = {tree}/hooks\n\tworktree = /\n"
    (tree / ".git/config").write_text(f'{settings}[filter "x"]\n\tclean = touch {trap}\n')
    write(tree, _git__info__attributes="* filter=x\n", _git__HEAD="ref: refs/heads/../../../x\n")
    (tree / ".git/objects/info/alternates").write_text("/nowhere\n")


def file_to_folder_and_back(tree: Path) -> None:
    """A file becomes a folder, another an empty one; a folder becomes a file, another a link with the same names."""
    (tree / "f").unlink()
    (tree / "g").unlink()
    (tree / "g").mkdir()
    shutil.rmtree(tree / "a")
    shutil.move(tree / "b", tree / "c")
    write(tree, f__x="x", a="file")
    (tree / "b").symlink_to("c")


CASES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "19: deletes .git": (lambda tree: (shutil.rmtree(tree / ".git"), write(tree, n="new"))[0], ["A n"]),
    "19: another repository": (makes_another_repository, ["M f", "A n"]),
    "17: commits, amends, resets": (commits_and_leaves, ["M f", "A n"]),
    "23: breaks its index": (breaks_its_index, ["M f", "A n"]),
    "21: repositories inside": (own_repository_inside, ["A app/inner/z", "A app/m", "A empty/v"]),
    "traps": (sets_traps, ["M f", "A n"]),
    "file to folder": (file_to_folder_and_back, ["A a", "D a/x", "A b", "D b/y", "A c/y", "D f", "A f/x", "D g"]),
    "git init in a tracked folder": (
        lambda tree: (git(tree, "init", "-q", "a"), write(tree, a__n="new", a__x="y"))[1], ["A a/n", "M a/x"],
    ),
    "mode, case": (lambda tree: ((tree / "f").chmod(0o755), (tree / "g").rename(tree / "G"))[0], ["A G", "M f", "D g"]),
    "ignored and empty": (lambda tree: (write(tree, x_log="x", n=""), (tree / "e").mkdir())[0], ["A n"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_worker_left_is_one_commit(tmp_path: Path, case: str) -> None:
    """Cases 17, 19, 21, 23: the files of the folder, all of them and nothing else, on top of the base."""
    work, expected = CASES[case]
    run = Run(repository(tmp_path))
    work(run.tree("F1"))
    taken = run.take("F1")
    assert run.changed(taken) == expected
    assert git(run.root, "log", "--format=%P|%an|%s|%(trailers:key=Nova-Task,valueonly)", "-1", str(taken.commit)) == (
        f"{run.tip}|Nova|F1: done|F1"
    )
    assert "160000" not in git(run.root, "ls-tree", "-r", str(taken.commit))
    assert git(run.root, "rev-parse", run.place.ref("F1")) == taken.commit
    assert not (tmp_path / "r.nova/trapped").exists()
    assert run.take("F1") == taken, "the same again is the same commit"


def test_names_of_all_kinds(tmp_path: Path) -> None:
    """Case 57: line breaks, dashes, pathspec magic, no UTF-8, trailing spaces, a change of case only."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    names = [b"a\nb", b"-rf", b":(top)x", b"\xff\xfe", b" sp ace ", b"*", b"a\\b", b'"', "ü".encode(), b"a/-\n"]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(tree), name))).write_text("x")
    (tree / "f").rename(tree / "F")
    taken = run.take("F1")
    assert {os.fsdecode(name) for name in names} | {"F"} <= set(run.files(taken.commit))
    assert "f" not in run.files(taken.commit)
    assert set(taken.files) == {name.decode("utf-8", "backslashreplace") for name in names} | {"F", "f"}
    assert all(file.encode() for file in taken.files)
    own_repository_inside_with_odd_names(tree)
    assert ":(top)app/:(glob)\n" in run.files(run.take("F1").commit)


def own_repository_inside_with_odd_names(tree: Path) -> None:
    """A repository inside the tree whose name and files look like pathspecs."""
    inner = tree / ":(top)app"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / ":(glob)\n").write_text("x")


def test_nothing_changed(tmp_path: Path) -> None:
    """Case 13: no commit and no ref, also if files were only touched, or written again."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, f=lines(20))
    os.utime(tree / "g", (1, 1))
    taken = run.take("F1")
    assert (taken.commit, taken.files) == (None, ())
    assert run.repository.read_ref(run.place.ref("F1")) is None


def test_a_folder_that_is_gone_or_emptied(tmp_path: Path) -> None:
    """Case 20: gone is not taken; emptied waits for a person, if it had 20 files at least."""
    root = repository(tmp_path)
    for n in range(30):
        write(root, **{f"many__{n}": "x"})
    commit(root)
    run = Run(root)
    tree = run.tree("F1")
    shutil.rmtree(tree)
    with pytest.raises(NotTaken, match="its folder is gone"):
        run.take("F1")
    tree = run.tree("F1")
    shutil.rmtree(tree / "a")
    assert not run.take("F1").deleted_most
    for entry in tree.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    assert run.take("F1").deleted_most
    assert run.take("F1").deleted_most
    small = run.tree("F2")
    shutil.rmtree(small / "many")
    (small / "f").unlink()
    assert run.take("F2").deleted_most
    shutil.copytree(run.tree("F3") / "many", small / "many")
    assert not run.take("F2").deleted_most


def test_limits(tmp_path: Path) -> None:
    """Case 24: a large new file and too many new files are named; the tree stays and can be taken."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, big="x" * 2000, f="y" * 2000)
    with pytest.raises(NotTaken, match="files over 1,000 bytes: big") as found:
        run.take("F1", limits=Limits(max_file=1000))
    assert found.value.names == ("big",)
    write(tree, **{f"n{n}": "" for n in range(5)})
    with pytest.raises(NotTaken, match=r"6 new files: big, n0, n1 and 3 more"):
        run.take("F1", limits=Limits(max_new=5))
    assert run.take("F1").files == ("big", "f", "n0", "n1", "n2", "n3", "n4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files(tmp_path: Path) -> None:
    """Case 24: a file or folder without permission is named, not left out in silence."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, secret="x", dark__x="x")
    (tree / "secret").chmod(0)
    with pytest.raises(NotTaken, match="unreadable files: secret"):
        run.take("F1")
    (tree / "secret").chmod(0o600)
    (tree / "dark").chmod(0)
    with pytest.raises(NotTaken, match="unreadable folders: dark"):
        run.take("F1")
    (tree / "dark").chmod(0o700)
    assert run.changed(run.take("F1")) == ["A dark/x", "A secret"]


def test_pipes_and_sockets_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 24: they are no files; nothing waits for them, also where git's own files would be."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, n="new", inner__x="x")
    os.mkfifo(tree / "pipe")
    monkeypatch.chdir(tree)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("sock")
        (tree / ".git/HEAD").unlink()
        os.mkfifo(tree / ".git/HEAD")
        git(tree / "inner", "init", "-q")
        shutil.rmtree(tree / "inner/.git")
        os.mkfifo(tree / "inner/.git")
        assert run.changed(run.take("F1")) == ["A inner/x", "A n"]


def test_a_filter_that_fails(tmp_path: Path) -> None:
    """Case 37: a required filter that fails on the way in is a verdict on the tree, with its name."""
    root = repository(tmp_path)
    write(root, _gitattributes="*.bin filter=big\n")
    commit(root)
    git(root, "config", "filter.big.clean", "false")
    git(root, "config", "filter.big.smudge", "cat")
    git(root, "config", "filter.big.required", "true")
    run = Run(root)
    write(run.tree("F1"), x_bin="text")
    with pytest.raises(NotTaken, match=r"a filter of the project failed: .*big"):
        run.take("F1")


def test_a_filter_that_stores_elsewhere(tmp_path: Path) -> None:
    """Case 37: the pointer is in the commit, the file in the tree; its size does not count."""
    root = repository(tmp_path)
    write(root, _gitattributes="*.bin filter=big\n", a_bin="pointer\n")
    git(root, "config", "filter.big.clean", "sed s/.*/pointer/")
    git(root, "config", "filter.big.smudge", "sed s/.*/content/")
    commit(root)
    run = Run(root)
    tree = run.tree("F1")
    assert (tree / "a.bin").read_text() == "content\n"
    write(tree, x_bin="x" * 2000 + "\n")
    taken = run.take("F1", limits=Limits(max_file=1000))
    assert run.changed(taken) == ["A x.bin"]
    assert run.content("x.bin", taken.commit) == "pointer"


def test_a_worktree_inside_is_left_out(tmp_path: Path) -> None:
    """Case 22: it is named, and nothing of it is in the user's repository."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, n="new")
    git(tree, "worktree", "add", "-q", "--detach", "inner")
    taken = run.take("F1")
    assert run.changed(taken) == ["A n"]
    assert taken.left_out == ("inner/",)
    assert git(run.root, "worktree", "list").count("\n") == 0


def with_submodule(folder: Path) -> tuple[Run, Path]:
    """A run in a repository with a submodule `mod`, and a tree in which that is filled."""
    other = folder / "other"
    git(folder, "init", "-q", "other")
    write(other, s="1\n")
    commit(other)
    root = repository(folder)
    git(root, "submodule", "--quiet", "add", str(other), "mod")
    commit(root)
    run = Run(root)
    tree = run.tree("F1")
    assert os.listdir(tree / "mod") == []
    assert run.take("F1").commit is None
    git(tree, "submodule", "--quiet", "update", "--init")
    assert run.take("F1").commit is None
    return run, tree


def test_submodules(tmp_path: Path) -> None:
    """Case 38: empty in a tree; filled it is no change, moved it is a link; one that the worker adds is a link, too."""
    run, tree = with_submodule(tmp_path)
    for where in ("the user's copy", "the remote"):
        moved = commit(tree / "mod")
        if where == "the remote":
            git(tree / "mod", "push", "-q", "origin", "HEAD:refs/heads/new")
        else:
            git(run.root / "mod", "fetch", "-q", str(tree / "mod"), "HEAD")
        git(tree, "submodule", "--quiet", "add", "--force", str(tmp_path / "other"), "more")
        taken = run.take("F1")
        assert run.changed(taken) == ["M .gitmodules", "M mod", "A more"]
        assert f"160000 commit {moved}\tmod" in git(run.root, "ls-tree", str(taken.commit))


@pytest.mark.parametrize("how", ["changed", "new", "commit", "branch", "stash"])
def test_what_only_a_submodule_in_the_tree_holds_is_not_lost(tmp_path: Path, how: str) -> None:
    """The tree is not taken, and the reason names the submodule, what is there and what to do."""
    run, tree = with_submodule(tmp_path)
    mod = tree / "mod"
    write(mod, **({"n": "new\n"} if how == "new" else {"s": "2\n"}))
    if how == "branch":
        git(mod, "switch", "-q", "-c", "side")
    if how in ("commit", "branch"):
        commit(mod)
    if how == "branch":
        git(mod, "switch", "-q", "--detach", "origin/HEAD")
    if how == "stash":
        git(mod, "stash", "-q")
    with pytest.raises(NotTaken) as raised:
        run.take("F1")
    said = str(raised.value)
    what = {"changed": "(s)", "new": "(n)"}.get(how, "commits that neither its remote nor your copy has")
    assert "submodule mod has " in said
    assert what in said
    assert f"{mod}" in said
    assert "nova retry F1" in said


def test_an_index_of_ours_that_was_deleted(tmp_path: Path) -> None:
    """All of Nova's files in `.git` may vanish; the tree is taken all the same."""
    run = Run(repository(tmp_path))
    write(run.tree("F1"), n="new")
    shutil.rmtree(run.place.own)
    assert run.changed(run.take("F1")) == ["A n"]


def test_stale_locks_of_our_own(tmp_path: Path) -> None:
    """Case 50: those of our index and of the task's ref are removed; `config.lock` is not needed."""
    run = Run(repository(tmp_path))
    (run.root / ".git/config.lock").touch()
    write(run.tree("F1"), n="new")
    Path(f"{run.place.task_file('F1', 'index')}.lock").touch()
    lock = run.root / ".git" / f"{run.place.ref('F1')}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    assert run.changed(run.take("F1")) == ["A n"]
    assert not lock.exists()
    branch = run.root / ".git" / f"{run.place.branch}.lock"
    branch.write_text("f" * 40)
    with pytest.raises(GitFailed, match="cannot move"):
        run.merged("F1", run.take("F1"))
    assert branch.exists(), "a lock that holds another commit is not ours"
