"""The tree of a task: a repository of its own with the files of what is merged, and what a worker sees there."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from iso_kit import RUN, Run, commit, git, lines, repository, words, write

from nova_core.isolation.carry import carry_out
from nova_core.isolation.merge import put
from nova_core.isolation.needs import note_written
from nova_core.isolation.survey import survey
from nova_core.isolation.sweep import finish, trees_left
from nova_core.isolation.trees import away, begin, made_at, make_tree, restore
from nova_core.isolation.values import Carried, GitFailed, Needs, Restored

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def test_a_tree_stands_beside_the_project_and_is_clean(tmp_path: Path) -> None:
    """It has the files of the base, a branch named like the user's, the history, and nothing to commit."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    assert tree == tmp_path / "r.nova" / RUN / "F1"
    assert git(tree, "status", "--porcelain", "-b") == "## main"
    assert git(tree, "log", "--format=%s") == "base"
    assert (tree / "f").read_text() == lines(20)
    assert made_at(run.repository, "F1") is not None
    assert trees_left(run.repository) == ("F1",)


def test_a_worker_reaches_nothing_of_the_users_repository(tmp_path: Path) -> None:
    """Commits, branches, stashes and pruning change nothing in the user's repository; no remote leads there."""
    root = repository(tmp_path)
    run = Run(root)
    before = git(root, "for-each-ref")
    tree = run.tree("F1")
    write(tree, f="changed")
    git(tree, "stash", "-q")
    git(tree, "switch", "-qc", "other")
    commit(tree)
    git(tree, "branch", "-D", "main")
    git(tree, "worktree", "prune")
    git(tree, "update-ref", run.place.branch, "HEAD")
    assert git(tree, "remote") == ""
    assert git(root, "for-each-ref") == before
    assert git(root, "stash", "list") == ""
    assert git(root, "worktree", "list").count("\n") == 0


def test_a_tree_has_the_settings_tags_and_remotes_of_the_project(tmp_path: Path) -> None:
    """The user's configuration of the repository counts, `git describe` works, branches can be compared with."""
    root = repository(tmp_path)
    git(root, "tag", "-am", "one", "v1")
    git(root, "branch", "side")
    git(root, "config", "remote.origin.url", "https://example.org/x.git")
    git(root, "config", "user.name", "Somebody Else")
    write(root, _git__info__exclude="*.tmp\n")
    run = Run(root)
    tree = run.tree("F1")
    write(tree, x_tmp="")
    assert git(tree, "describe") == "v1"
    assert git(tree, "remote", "get-url", "origin") == "https://example.org/x.git"
    assert git(tree, "diff", "side") == ""
    assert git(tree, "config", "user.name") == "Somebody Else"
    assert git(tree, "status", "--porcelain") == ""
    assert RUN not in git(tree, "for-each-ref")


def test_other_programs_can_rewrite_the_settings_of_a_tree(tmp_path: Path) -> None:
    """Values are quoted whole or not at all: GitPython, which aider uses, takes others for several lines."""
    run = Run(repository(tmp_path))
    settings = (run.tree("F1") / ".git/config").read_text().splitlines()
    values = [line.partition(" = ")[2] for line in settings if " = " in line]
    assert {value[0] + value[-1] for value in values if '"' in value} == {'""'}
    assert all(value.count('"') in (0, 2) for value in values)


def test_hooks_run_for_a_workers_commits_and_for_none_of_novas(tmp_path: Path) -> None:
    """Case 36: failing hooks of all kinds stop no step; a worker's own commit runs `pre-commit` as in the project."""
    root = repository(tmp_path)
    hooks = root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    kinds = ("post-checkout", "pre-commit", "commit-msg", "reference-transaction", "post-index-change", "post-merge")
    for kind in kinds:
        (hooks / kind).write_text(f"#!/bin/sh\necho {kind} >> {tmp_path}/ran\nexit 1\n")
        (hooks / kind).chmod(0o755)
    run = Run(root)
    run.done("F1", lambda tree: write(tree, n="new"))
    assert not (tmp_path / "ran").exists()
    tree = run.tree("F2")
    git(tree, "commit", "-q", "--allow-empty", "-m", "x", ok=(1,))
    assert "pre-commit" in (tmp_path / "ran").read_text()


def test_making_a_tree_again_removes_what_was_there(tmp_path: Path) -> None:
    """Also folders that their owner may not write, and files that are in nobody's commit."""
    run = Run(repository(tmp_path))
    tree = run.tree("F1")
    write(tree, left="x", deep__er__file="x", f="changed")
    (tree / "deep/er").chmod(0)
    (tree / "deep").chmod(0)
    run.tree("F1")
    assert git(tree, "status", "--porcelain", "--ignored") == ""
    away(run.repository, "F1")
    assert not any(run.place.trees and os.listdir(run.place.trees))
    assert made_at(run.repository, "F1") is None


def test_a_filter_that_is_missing_fails_the_tree_by_its_name(tmp_path: Path) -> None:
    """Case 37: a required filter without its program."""
    root = repository(tmp_path)
    write(root, _gitattributes="*.bin filter=big\n", x_bin="text")
    commit(root)
    git(root, "config", "filter.big.smudge", "no-such-program")
    git(root, "config", "filter.big.required", "true")
    run = Run(root)
    with pytest.raises(GitFailed, match="filter big failed"):
        run.tree("F1")
    assert trees_left(run.repository) == ()
    finish(run.repository, run.tip)
    assert not (root / ".git/nova").exists()


def test_trees_are_made_at_once(tmp_path: Path) -> None:
    """Case 48: eight threads make trees in one repository, and none fails."""
    run = Run(repository(tmp_path))
    names = [f"F{n}" for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(run.tree, names))
    assert [git(tree, "status", "--porcelain") for tree in trees] == [""] * 8


def test_ids_become_distinct_folders_and_refs(tmp_path: Path) -> None:
    """Case 26: `a`, `a/1`, `A.b` and `kept` beside each other; an id that is no file name is rejected."""
    run = Run(repository(tmp_path))
    for task_id in ("a", "a/1", "A.b", "kept"):
        run.done(task_id, lambda tree, name=task_id: write(tree, **{f"new__{name.replace('/', '+')}": name}))  # type: ignore[misc]
    assert git(run.root, "for-each-ref", "--format=%(refname)", "refs/nova").split() == [
        f"refs/nova/{RUN}/{name}" for name in ("A.b", "a", "a+1", "kept+")
    ]
    for bad in ("../x", "-rf", "a//b", "a\nb", ".git", "x.lock"):
        with pytest.raises(ValueError, match="not a safe task id"):
            run.place.tree(bad)


def test_a_branch_called_nova_changes_the_name_of_the_runs_branch(tmp_path: Path) -> None:
    """Case 26: git cannot have `nova` and `nova/x`."""
    root = repository(tmp_path)
    git(root, "branch", "nova")
    assert Run(root).place.branch == f"refs/heads/nova-{RUN}"


def test_begin_takes_uncommitted_files_on_request(tmp_path: Path) -> None:
    """They are a commit on the run's branch; the user's folder, index and branch stay as they are."""
    root = repository(tmp_path)
    write(root, f="changed", new="x")
    (root / "g").unlink()
    found = survey(root)
    assert sorted(found.dirty) == ["f", "g", "new"]
    run = Run(root)
    git(root, "update-ref", "-d", run.place.branch)
    first = begin(run.repository, found.head, found.dirty, 1_700_000_000)
    assert run.content("f", first) == "changed"
    assert "g" not in run.files(first)
    assert "new" in run.files(first)
    assert git(root, "rev-parse", "HEAD") == found.head
    assert survey(root).dirty == found.dirty
    assert begin(run.repository, found.head) == first


def test_ignored_files_that_a_tree_needs(tmp_path: Path) -> None:
    """Case 41: by pattern and by `.worktreeinclude`, only if ignored; linked folders; none of it is ever committed."""
    root = repository(tmp_path)
    write(root, _env="K=1", a___env="K=2", out__cache__big="x", debug_log="x")
    write(root, _worktreeinclude="*.log\nf\nout/cache/*\n")
    commit(root)
    write(root, modules__m="x", _git__info__exclude="modules/\n")
    run = Run(root)
    tree = run.tree("F1", Needs(copy=(".env",), link=("modules",)))
    assert (tree / ".env").read_text() == "K=1"
    assert (tree / "a/.env").read_text() == "K=2"
    assert (tree / "debug.log").exists()
    assert (tree / "out/cache/big").exists()
    assert os.readlink(tree / "modules") == str(root / "modules")
    write(tree, _gitignore="", new="x")  # now nothing is ignored
    taken = run.take("F1")
    assert run.changed(taken) == ["M .gitignore", "A new"]
    assert set(taken.withheld) == {".env", "a/.env", "debug.log", "modules", "out/cache/big"}


def test_a_tracked_file_in_the_list_stays_that_of_the_base(tmp_path: Path) -> None:
    """Case 41: the user's uncommitted change of a tracked file does not get into a tree."""
    root = repository(tmp_path)
    write(root, f="changed by the user")
    tree = Run(root).tree("F1", Needs(copy=("f", "*.log"), outputs=("f",)))
    assert (tree / "f").read_text() == lines(20)


def test_nothing_is_copied_through_a_link_out_of_the_tree(tmp_path: Path) -> None:
    """A folder of the base that is a link to elsewhere gets no file."""
    root, outside = repository(tmp_path), tmp_path / "outside"
    outside.mkdir()
    (root / "conf").symlink_to(outside)
    commit(root)
    write(root, out__x="1")
    tree = Run(root).tree("F1", Needs(outputs=("conf/x", "../r/f", "out/x", ".git/hooks/x")))
    assert os.listdir(outside) == []
    assert (tree / "out/x").read_text() == "1"


def test_a_project_without_tracked_files_has_its_folder_in_a_tree(tmp_path: Path) -> None:
    """A worker starts there, also after its tree became that of a merge."""
    root = repository(tmp_path)
    (root / "fresh").mkdir()
    run = Run(root / "fresh")
    tree = run.tree("F1")
    write(tree, fresh__n="1")
    taken = run.take("F1")
    assert taken.files == ("n",)
    shutil.rmtree(tree / "fresh")
    put(run.repository, "F1", run.tip)
    assert os.listdir(run.place.folder("F1")) == []


def test_two_projects_of_one_repository(tmp_path: Path) -> None:
    """Case 53: runs of two folders of a work tree touch nothing of each other's."""
    root = repository(tmp_path)
    one = Run(root / "a")
    assert one.place.prefix == "a"
    assert one.place.folder("F1").endswith("/F1/a")
    found = survey(root / "b")
    tree = one.tree("F1")
    write(tree, a__x="1", b__y="2")
    taken = one.take("F1")
    assert taken.files == ("x", "../b/y")
    make_tree(one.repository, "F2", found.head)
    assert trees_left(one.repository) == ("F1", "F2")


def test_finish_leaves_nothing(tmp_path: Path) -> None:
    """Case 56: no tree, no folder, no branch once it has landed, no file of ours; refs of kept work stay."""
    run = Run(repository(tmp_path))
    run.done("F1", lambda tree: write(tree, n="new"))
    away(run.repository, "F1")
    git(run.root, "update-ref", run.place.kept("F2", 1), "HEAD")
    finish(run.repository, "0" * 40)
    assert run.repository.read_ref(run.place.branch) == run.tip
    finish(run.repository, run.tip)
    assert run.repository.read_ref(run.place.branch) is None
    assert run.repository.read_ref(run.place.kept("F2", 1))
    assert sorted(os.listdir(tmp_path)) == ["r"]
    assert not (run.root / ".git/nova").exists()


def carried(run: Run, task_id: str, *outputs: str) -> Carried:
    """What is carried out of the task's tree."""
    return carry_out(run.repository, task_id, outputs, run.tip, 1, words(task_id))


def test_outputs_that_git_ignores_are_brought_out_and_carried_on(tmp_path: Path) -> None:
    """Case 43: to the user's folder and into later trees, patterns and links, too; what is tracked is not."""
    root = repository(tmp_path)
    run = Run(root / "a")
    tree = run.tree("F1")
    write(tree, a__out__b__c="1", a__new="2", a__x_log="3", a__y_log="4", a__z="5")
    (tree / "a/out/link").symlink_to("b")
    (tree / "a/out/whole").symlink_to(tree / "a/z")
    (tree / "a/away.log").symlink_to(tmp_path)
    os.mkfifo(tree / "a/out/pipe")
    run.take("F1")
    outputs = ("out", "new", "?.log", "missing", "../../../secret", "away.log/secret", ".git/HEAD")
    assert sorted(carried(run, "F1", *outputs).files) == [
        "out/b/c",
        "out/link",
        "out/pipe",
        "out/whole",
        "x.log",
        "y.log",
    ]
    assert (root / "a/out/b/c").read_text() == "1"
    assert (root / "a/x.log").read_text() == "3"
    assert os.readlink(root / "a/out/link") == "b"
    assert os.readlink(root / "a/out/whole") == str(root / "a/z")
    assert not (root / "a/out/pipe").exists()
    assert not (root / "a/new").exists()
    assert carried(run, "F1", "out") == Carried()  # that is done
    later = run.tree("F2", Needs(outputs=("out", "*.log")))
    assert (later / "a/out/b/c").read_text() == "1"
    assert os.readlink(later / "a/out/link") == "b"
    assert (later / "a/y.log").read_text() == "4"
    assert run.take("F2").commit is None
    write(root, a__out__b__c="mine, since")
    assert carried(run, "F2", "out", "*.log") == Carried()  # none is its own


def test_outputs_never_replace_a_file_of_the_user(tmp_path: Path) -> None:
    """It stays; the task's own is held by a ref, and later trees have that. What Nova has put there is replaced."""
    root = repository(tmp_path)
    write(root, out__db="mine", x_log="mine", out__same="1", out__d="a file")
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "out/away").symlink_to(outside)
    run = Run(root)
    tree = run.tree("F1")
    write(tree, out__db="1", x_log="1", out__same="1", out__new="1", out__d__x="1", out__away__x="1")
    run.take("F1")
    found = carried(run, "F1", "out", "x.log")
    stayed = ("out/away/x", "out/d/x", "out/db", "x.log")
    assert (tuple(sorted(found.stayed)), found.ref) == (stayed, run.place.kept("F1", 1))
    assert [(root / name).read_text() for name in ("out/db", "x.log", "out/new")] == ["mine", "mine", "1"]
    assert os.listdir(outside) == []
    assert [run.content(name, found.ref) for name in stayed] == ["1"] * 4
    tree = run.tree("F2", Needs(outputs=("out", "x.log")))
    assert [(tree / name).read_text() for name in (*stayed, "out/new")] == ["1"] * 5
    write(tree, out__new="2", out__db="2")
    run.take("F2")
    assert carried(run, "F2", "out").stayed == ("out/db",)
    assert [(root / name).read_text() for name in ("out/db", "out/new")] == ["mine", "2"]
    assert (run.tree("F3", Needs(outputs=("out",))) / "out/db").read_text() == "2"
    write(root, out__new="mine, since")
    write(run.tree("F4"), out__new="4")
    assert carried(run, "F4", "out").stayed == ("out/new",)
    assert (root / "out/new").read_text() == "mine, since"


def test_of_earlier_outputs_a_tree_gets_only_what_git_ignores(tmp_path: Path) -> None:
    """Files that a task has deleted or moved stay away, as do the user's own; what is new below an output is taken."""
    root = repository(tmp_path)
    write(root, a__mine="untracked", a__y_log="ignored", out__1_js="1", out__2_map="2")
    (root / "a/latest.log").symlink_to("y.log")
    run = Run(root)
    tree = run.tree("F1")
    (tree / "a/x").unlink()
    write(tree, a__gone__n="1")
    run.merged("F1", run.take("F1"))
    tree = run.tree("F2", Needs(outputs=("a", "out/*.js", "b/*", "no*")))
    assert sorted(os.listdir(tree / "a")) == ["gone", "latest.log", "y.log"]
    assert os.listdir(tree / "out") == ["1.js"]
    write(tree, a__gone__new="1", _gitignore=".env\n")
    assert run.changed(run.take("F2")) == ["M .gitignore", "A a/gone/new", "A a/latest.log", "A a/y.log", "A out/1.js"]


def test_what_nova_writes_into_a_tree_is_not_taken_until_a_worker_changes_it(tmp_path: Path) -> None:
    """Tracked or not; a file of that name that the worker makes is its work."""
    root = repository(tmp_path)
    write(root, own__tracked="1")
    commit(root)
    run = Run(root)
    tree = run.tree("F1")
    write(tree, own__tracked="nova", own__new="nova")
    note_written(run.repository, "F1", ("own/tracked", "own/new", "own/later"))
    assert run.take("F1").commit is None
    write(tree, own__tracked="worker", own__later="worker")
    assert run.changed(run.take("F1")) == ["A own/later", "M own/tracked"]


def test_a_deleted_branch_is_restored(tmp_path: Path) -> None:
    """From its recorded commit, or, once git has pruned that, where it landed, with the tasks whose work is lost."""
    run = Run(repository(tmp_path))
    first = run.tip
    commits = {"A": run.done("A", lambda tree: write(tree, n="n\n")).commit}
    assert restore(run.repository, run.tip, first, commits) is None
    git(run.root, "update-ref", "-d", run.place.branch)
    assert restore(run.repository, run.tip, first, commits) == Restored(run.tip)
    assert git(run.root, "rev-parse", run.place.branch) == run.tip
    for ref in (run.place.branch, run.place.ref("A")):
        git(run.root, "update-ref", "-d", ref)
    shutil.rmtree(run.place.trees)
    git(run.root, "reflog", "expire", "--expire=now", "--all")
    git(run.root, "gc", "-q", "--prune=now")
    for _ in "ab":  # the second time, we were killed before it was on record
        assert restore(run.repository, run.tip, first, commits) == Restored(first, ("A",))
    assert git(run.root, "rev-parse", run.place.branch) == first
