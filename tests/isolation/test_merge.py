"""Merging without a work tree, conflicts put into the tree of their task, and what people do to the run's branch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from iso_kit import AT, Run, commit, git, lines, repository, words, write

from nova_core.isolation.conflict import put_conflict, rest_of, sides
from nova_core.isolation.kinds import Rest, refined
from nova_core.isolation.merge import advance, bring, merge, merged_already
from nova_core.isolation.restored import restored
from nova_core.isolation.values import Candidate, Conflict, GitFailed, Limits, Nothing, NotTaken, Stale, Taken

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
Work = Callable[[Path], object]


def two(run: Run, first: Work, second: Work) -> tuple[Path, Taken]:
    """Two tasks at once; the first is merged, the second taken. Returns the tree of the second."""
    tree_a, tree_b = run.tree("A"), run.tree("B")
    first(tree_a)
    second(tree_b)
    taken = run.take("B")
    run.merged("A", run.take("A"))
    return tree_b, taken


def change(**changed: str) -> Work:
    """Change lines of the file `f`."""
    return lambda tree: write(tree, f=lines(20, **changed))


def remove(*names: str) -> Work:
    """Remove files."""
    return lambda tree: [(tree / name).unlink() for name in names]


def rename(old: str, new: str) -> Work:
    """Rename a file."""
    return lambda tree: (tree / old).rename(tree / new)


def put(name: str, content: bytes) -> Work:
    """Write a file of bytes, with the folders above it."""

    def work(tree: Path) -> None:
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_bytes(content)

    return work


def link(name: str, target: str) -> Work:
    """Make a symbolic link."""
    return lambda tree: (tree / name).symlink_to(target)


def test_nobody_merged_meanwhile(tmp_path: Path) -> None:
    """Case 4: the candidate is the task's own commit, and it was checked."""
    run = Run(repository(tmp_path))
    change(l3="A")(run.tree("A"))
    taken = run.take("A")
    candidate = run.merged("A", taken)
    assert (candidate.commit, candidate.is_checked, candidate.files) == (taken.commit, True, ("f",))


def test_other_lines_of_one_file(tmp_path: Path) -> None:
    """Case 3: merged with one parent and the task's lines; what is new is to be checked, in the task's tree."""
    run = Run(repository(tmp_path))
    tree, taken = two(run, change(l1="A"), change(l20="B"))
    tip = run.tip
    candidate = merge(run.repository, "B", tip, taken, words("B"))
    assert isinstance(candidate, Candidate)
    assert (candidate.tip, candidate.files, candidate.is_checked) == (tip, ("f",), False)
    bring(run.repository, "B", candidate)
    bring(run.repository, "B", candidate)
    assert (tree / "f").read_text() == lines(20, l1="A", l20="B")
    assert git(tree, "status", "--porcelain") == ""
    assert advance(run.repository, "B", candidate)
    assert advance(run.repository, "B", candidate), "again is the same"
    assert not advance(run.repository, "B", Candidate(tip, str(taken.commit)))
    assert git(run.root, "log", "--format=%s", run.place.branch).split("\n") == ["B: done", "A: done", "base"]


def test_bring_overwrites_what_checks_have_left(tmp_path: Path) -> None:
    """Criteria may have changed files after they were taken, and a killed git may have written half."""
    run = Run(repository(tmp_path))
    tree, taken = two(run, lambda tree: write(tree, n="new", f=lines(20, l1="A")), change(l20="B"))
    candidate = merge(run.repository, "B", run.tip, taken, words("B"))
    assert isinstance(candidate, Candidate)
    write(tree, f="dirty", n="half")
    bring(run.repository, "B", candidate)
    assert git(tree, "status", "--porcelain") == ""
    assert (tree / "n").read_text() == "new"


def test_the_same_change_twice(tmp_path: Path) -> None:
    """Case 9: both add the same file with the same content; there is nothing left to merge."""
    run = Run(repository(tmp_path))
    _, taken = two(run, put("n", b"same"), put("n", b"same"))
    assert merge(run.repository, "B", run.tip, taken, words("B")) == Nothing(run.tip)
    assert merge(run.repository, "C", run.tip, Taken(run.start, None, ""), words("C")) == Nothing(run.tip)


def remove_leftover(tree: Path) -> None:
    """Remove what git has put beside a folder of the same name."""
    for path in tree.glob("n~*"):
        path.unlink()


BOTH = dict.fromkeys(("f", "h", "i"), "rename/rename")
ODD = "a\n\xff"


def relink(tree: Path) -> None:
    """Let the link point elsewhere."""
    (tree / "n").unlink()
    (tree / "n").symlink_to("b")


CONFLICTS: dict[str, tuple[Work, Work, dict[str, str], Work]] = {
    "same line": (change(l3="A"), change(l3="B"), {"f": "contents"}, change(l3="AB")),
    "change and delete": (change(l3="A"), remove("f"), {"f": "modify/delete"}, remove("f")),
    "delete and change": (remove("f"), change(l3="B"), {"f": "modify/delete"}, change(l3="C")),
    "two renames": (rename("f", "h"), rename("f", "i"), BOTH, remove("h")),
    "rename and delete": (rename("f", "h"), remove("f"), {"h": "rename/delete"}, remove("h")),
    "binary": (put("n", b"\0a"), put("n", b"\0b"), {"n": "binary"}, put("n", b"\0ab")),
    "file and folder": (put("n", b"a"), put("n/x", b"b"), {"n~": "file/directory"}, remove_leftover),
    "links": (link("n", "f"), link("n", "g"), {"n": "symlink"}, relink),
    "a name with a line break": (put(ODD, b"a\n"), put(ODD, b"b\n"), {ODD: "add/add"}, put(ODD, b"ab")),
}
MARKED = ("contents", "add/add")


def rest(run: Run, first: Taken) -> Rest:
    """What is left of the conflict of B in its tree now."""
    return rest_of(run.repository, "B", run.take("B"), run.tip, str(first.commit))


@pytest.mark.parametrize("case", CONFLICTS)
def test_a_conflict_is_put_into_the_tree_and_resolved_there(tmp_path: Path, case: str) -> None:
    """Case 8: its paths and kinds are named, both versions can be had, and what resolves it is merged.

    What stays as it was put there is not resolved, unless somebody has said so in the index, where there is no mark.
    """
    first, second, expected, fix = CONFLICTS[case]
    run = Run(repository(tmp_path))
    tree, taken = two(run, first, second)
    found = merge(run.repository, "B", run.tip, taken, words("B"))
    assert isinstance(found, Conflict)
    kinds = {name.partition("~")[0] + "~" * ("~" in name): kind for name, kind in found.files.items()}
    assert kinds == expected
    for _ in range(2):
        held = put_conflict(run.repository, "B", taken, run.tip)
    assert git(run.root, "rev-parse", held) == taken.commit
    assert git(tree, "ls-files", "--unmerged") != ""
    assert git(tree, "rev-parse", "HEAD", "MERGE_HEAD").split() == [run.tip, taken.commit]
    has_marks = set(expected.values()) <= set(MARKED)
    untouched = rest(run, taken)
    assert untouched.marks == (tuple(expected) if has_marks else ())
    assert untouched.undecided == ({} if has_marks else found.files)
    git(tree, "add", "-A")
    assert bool(rest(run, taken).why) is (has_marks or case == "file and folder")
    put_conflict(run.repository, "B", taken, run.tip)
    fix(tree)
    assert rest(run, taken).why == ""
    solved = run.take("B")
    assert solved.own_commits == (), "what it had made before is no commit of its own"
    assert run.merged("B", solved).is_checked
    assert git(run.root, "log", "--format=%s", run.place.branch).split("\n") == ["B: done", "A: done", "base"]


def test_marks_that_were_left(tmp_path: Path) -> None:
    """Case 10: a resolver that leaves a mark, or moves it to another file, is found; a text about marks is not.

    Marks name the two sides; those that git writes again, with other names, and single lines of marks count, too.
    """
    run = Run(repository(tmp_path))
    tree, taken = two(run, change(l3="A"), change(l3="B"))
    put_conflict(run.repository, "B", taken, run.tip)
    ours, theirs = sides(run.repository, "B")
    marks = [f"<<<<<<< {ours}", "=======", f">>>>>>> {theirs}"]
    assert [line for line in (tree / "f").read_text().splitlines() if line[:1] in "<=>"] == marks
    write(tree, doc="<<<<<<< HEAD\n=======\n>>>>>>> theirs\n")
    git(tree, "checkout", "-q", "--merge", "f")
    assert "<<<<<<< ours" in (tree / "f").read_text()
    assert rest(run, taken).marks == ("f",)
    for line in ("=======", ">>>>>>> x"):
        write(tree, f=f"AB\n{line}\n")
        assert rest(run, taken).marks == ("f",)
    write(tree, f="AB\n==========\n")
    assert rest(run, taken).why == ""
    put_conflict(run.repository, "B", taken, run.tip)
    (tree / "f").rename(tree / "moved")
    assert rest(run, taken).marks == ("moved",)


def test_lines_like_marks_that_were_there_before(tmp_path: Path) -> None:
    """A document about marks may conflict, too: its own lines are no marks."""
    run = Run(repository(tmp_path))
    text = "Git writes\n\n<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> x\n\nand stops {}\n"
    tree, taken = two(run, *(put("doc", text.format(name).encode()) for name in "AB"))
    put_conflict(run.repository, "B", taken, run.tip)
    assert rest(run, taken).marks == ("doc",)
    write(tree, doc=text.format("AB"))
    assert rest(run, taken).why == ""


@pytest.mark.parametrize(
    ("kind", "numbers", "shas", "is_marked", "expected"),
    [
        ("contents", "1 2 3", "a b c", True, "contents"),
        ("contents", "2 3", "b c", True, "add/add"),
        ("contents", "1 2 3", "a b c", False, "binary"),
        ("add/add", "2 3", "b b", False, "mode"),
        ("distinct modes", "2 3", "b c", False, "distinct types"),
        ("directory rename suggested", "3", "b", False, "file location"),
        ("modify/delete", "1 3", "a b", False, "modify/delete"),
    ],
)
def test_kinds_that_git_gives_one_name(kind: str, numbers: str, shas: str, is_marked: bool, expected: str) -> None:
    """By their stages and marks; and git's words differ by its version."""
    stages = [f"100644 {sha} {n}\tf".encode() for n, sha in zip(numbers.split(), shas.split(), strict=True)]
    assert refined({b"f": kind}, stages, {b"f"} if is_marked else set()) == {b"f": expected}


@pytest.mark.parametrize("how", ["reset", "abort", "own", "take the merged"])
def test_work_that_is_thrown_away_is_no_resolution(tmp_path: Path, how: str) -> None:
    """A reset leaves nothing, which nobody has decided file by file; the work is held whatever happens to the tree."""
    run = Run(repository(tmp_path))
    own = how == "own"
    second = change(l3="B") if how == "take the merged" else lambda tree: (change(l3="B")(tree), put("n", b"B")(tree))
    tree, taken = two(run, change(l3="A"), second)
    held = put_conflict(run.repository, "B", taken, run.tip)
    if how == "take the merged":
        git(tree, "checkout", "-q", "--ours", "f")
        git(tree, "add", "f")
        assert rest(run, taken) == Rest(), "there was nothing else"
    elif own:
        change(l3="AB")(tree)
        (tree / "n").unlink()
        assert rest(run, taken) == Rest(dropped=("n",))
    else:
        git(tree, *(("reset", "-q", "--hard") if how == "reset" else ("merge", "--abort")))
        assert rest(run, taken).why == "nothing of the task's work is left"
    change(l3="C")(tree)
    run.take("B")
    assert git(run.root, "rev-parse", held) == taken.commit


def test_who_commits_the_merge_has_decided(tmp_path: Path) -> None:
    """In the tree's own repository, as with `git commit`; whatever else is there is not believed."""
    root = repository(tmp_path)
    git(root, "config", "core.splitIndex", "true")
    run = Run(root)
    tree, taken = two(run, put("n", b"\0a"), put("n", b"\0b"))
    put_conflict(run.repository, "B", taken, run.tip)
    commit(tree)
    assert rest(run, taken).why == ""
    put_conflict(run.repository, "B", taken, run.tip)
    (tree / ".git/index").write_bytes(b"rubbish")
    assert rest(run, taken).undecided == {"n": "binary"}


def test_a_task_has_one_ref_and_what_it_had_before_is_held(tmp_path: Path) -> None:
    """Whatever is taken next, no earlier work of a task is without a ref; the same work has one."""
    run = Run(repository(tmp_path))
    tree = run.tree("A")
    put("n", b"1")(tree)
    first = run.take("A")
    run.take("A")
    put("n", b"2")(tree)
    run.take("A")
    assert git(run.root, "for-each-ref", "--format=%(objectname)", f"refs/nova/{run.place.run}/kept") == first.commit


def test_union_and_own_drivers(tmp_path: Path) -> None:
    """Case 39: `merge=union` and a merge driver of the project are used as in `git merge`."""
    root = repository(tmp_path)
    write(root, _gitattributes="f merge=union\ng merge=own\n")
    commit(root)
    git(root, "config", "merge.own.driver", "echo driven > %A")
    run = Run(root)

    def both(line: str) -> Work:
        return lambda tree: write(tree, f=lines(20, l3=line), g=lines(20, l3=line))

    _, taken = two(run, both("A"), both("B"))
    run.merged("B", taken)
    assert run.content("f").split("\n")[2:4] == ["A", "B"]
    assert run.content("g") == "driven"


def test_a_person_adds_to_the_branch(tmp_path: Path) -> None:
    """Case 25: a branch that is further on is built upon; one that is back, aside or gone stops the queue."""
    run = Run(repository(tmp_path))
    change(l3="A")(run.tree("A"))
    taken = run.take("A")
    git(run.root, "switch", "-q", run.place.branch.removeprefix("refs/heads/"))
    write(run.root, person="x")
    ahead = commit(run.root)
    git(run.root, "switch", "-q", "main")
    candidate = merge(run.repository, "A", run.start, taken, words("A"))
    assert isinstance(candidate, Candidate)
    assert candidate.tip == ahead
    for where in (run.start, git(run.root, "commit-tree", "-m", "x", "HEAD^{tree}")):
        git(run.root, "update-ref", run.place.branch, where)
        with pytest.raises(Stale, match="was moved from"):
            merge(run.repository, "A", ahead, taken, words("A"))
    git(run.root, "update-ref", "-d", run.place.branch)
    with pytest.raises(Stale, match="is gone"):
        merge(run.repository, "A", ahead, taken, words("A"))


def test_a_person_resolves_with_git_alone(tmp_path: Path) -> None:
    """Case 12: a merge and a cherry-pick on the run's branch are found; other commits and other runs' lines are not."""
    run = Run(repository(tmp_path))
    _, taken = two(run, change(l3="A"), change(l3="B"))
    known = run.tip
    git(run.root, "switch", "-q", run.place.branch.removeprefix("refs/heads/"))
    assert merged_already(run.repository, "B", known, taken) is None
    write(run.root, person="Nova-Task: B")
    commit(run.root, "x\n\nNova-Task: B\nNova-Run: ffffffff")
    assert merged_already(run.repository, "B", known, taken) is None
    git(run.root, "cherry-pick", run.place.ref("B"), ok=(1,))
    change(l3="AB")(run.root)
    git(run.root, "add", "f")
    git(run.root, "-c", "core.editor=true", "cherry-pick", "--continue")
    picked = git(run.root, "rev-parse", "HEAD")
    commit(run.root, "later")
    assert merged_already(run.repository, "B", known, taken) == picked
    git(run.root, "reset", "-q", "--hard", known)
    git(run.root, "merge", "-q", run.place.ref("B"), ok=(1,))
    change(l3="AB")(run.root)
    merged = commit(run.root, "merged by a person")
    commit(run.root, "later")
    assert merged_already(run.repository, "B", known, taken) == merged


def test_objects_that_were_taken_away(tmp_path: Path) -> None:
    """Case 49: the branch never moves to a commit with missing objects; they are put back from the folder.

    So is the commit itself. But what criteria have written into the folder since then is no work of the task's.
    """
    run = Run(repository(tmp_path))
    tree = run.tree("A")
    put("n", b"new")(tree)
    taken = run.take("A")
    put("junk", b"of a criterion")(tree)

    def again() -> Taken:
        return restored(run.repository, "A", taken, words("A"), Limits())

    assert again() == taken, "nothing is missing"
    names = (f"{taken.commit}:n", str(taken.commit))
    paths = [run.root / ".git/objects" / sha[:2] / sha[2:] for sha in (git(run.root, "rev-parse", n) for n in names)]
    for path in paths:
        path.unlink()
        with pytest.raises(GitFailed, match="objects of the task's commit"):
            merge(run.repository, "A", run.tip, taken, words("A"))
        with pytest.raises(NotTaken, match="its folder has other files by now"):
            again()
        (tree / "junk").unlink()
        assert again().commit == taken.commit
        assert path.exists()
        put("junk", b"of a criterion")(tree)
    run.merged("A", taken)


def test_pruning_beside_a_run(tmp_path: Path) -> None:
    """Case 49: `gc --prune=now` and `worktree prune` between any two steps lose nothing, in the trees neither."""
    run = Run(repository(tmp_path))

    def prune() -> None:
        git(run.root, "worktree", "prune")
        git(run.root, "gc", "-q", "--prune=now")

    tree = run.tree("A")
    prune()
    put("n", b"new")(tree)
    commit(tree)
    prune()
    taken = run.take("A")
    prune()
    run.merged("A", taken)
    prune()
    assert git(tree, "fsck", "--no-dangling") == ""
    assert git(tree, "status", "--porcelain") == ""
    assert git(run.root, "rev-list", "--objects", "--quiet", run.tip) == ""


def test_commits_have_one_identity_and_are_never_signed(tmp_path: Path) -> None:
    """Case 35: without an identity, with `useConfigOnly`, and with signing without a key."""
    root = repository(tmp_path)
    for key, value in (("user.useConfigOnly", "true"), ("commit.gpgsign", "true"), ("gpg.program", "false")):
        git(root, "config", key, value)
    run = Run(root)
    run.done("A", put("n", b"new"))
    assert (
        git(root, "log", "-1", "--format=%an %ae %cn %at %ct %G?", run.tip) == f"Nova nova@localhost Nova {AT} {AT} N"
    )


def test_a_branch_that_is_checked_out_does_not_move(tmp_path: Path) -> None:
    """The files there would not follow: in the user's folder, and in a worktree; a detached one does not count."""
    run = Run(repository(tmp_path))
    name = run.place.branch.removeprefix("refs/heads/")
    write(run.tree("A"), new="1")
    candidate = merge(run.repository, "A", run.tip, run.take("A"), words("A"))
    assert isinstance(candidate, Candidate)
    git(run.root, "switch", "-q", name)
    with pytest.raises(Stale, match=f"{name} is checked out in {run.root}:"):
        advance(run.repository, "A", candidate)
    git(run.root, "switch", "-q", "main")
    git(run.root, "worktree", "add", "-q", str(tmp_path / "w"), name)
    with pytest.raises(Stale, match=f"{name} is checked out in {tmp_path / 'w'}:"):
        advance(run.repository, "A", candidate)
    git(tmp_path / "w", "switch", "-q", "--detach")
    assert advance(run.repository, "A", candidate)
