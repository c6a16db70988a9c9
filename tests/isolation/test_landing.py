"""Landing beside a working user: files first, then the index, then the branch; whatever is the user's stays."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from iso_kit import AT, QuickDisk, Run, commit, git, lines, repository, write
from sampling import sampled

from nova_core.isolation import landing as module
from nova_core.isolation.landing import follow, land
from nova_core.isolation.put import stage
from nova_core.isolation.survey import survey
from nova_core.isolation.sweep import sweep
from nova_core.isolation.trees import begin
from nova_core.isolation.values import Conflict, Followed, GitFailed, Landed, Landing, Nothing, Postponed

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
MAIN = "refs/heads/main"
Act = Callable[[Path], object]


def merged(root: Path) -> Run:
    """A run whose branch changes `f`, adds `new` and `d/z`, removes `b/y` and makes `a` a file."""
    run = Run(root)

    def work(tree: Path) -> None:
        shutil.rmtree(tree / "a")
        (tree / "b/y").unlink()
        write(tree, f=lines(20, l1="A"), new="n\n", a="file", d__z="z")

    run.done("F1", work)
    return run


def landing(run: Run, *, is_open: bool = False) -> Landing:
    """From where the run began to where it is."""
    return Landing(MAIN, run.start, run.tip, is_open)


def state(root: Path) -> str:
    """All that a user sees in the folder, and the files themselves."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    seen = [git(root, *command) for command in (("status", "--porcelain"), ("diff",), ("diff", "--cached"))]
    return repr([*seen, [(path, path.read_bytes()) for path in files]])


def assert_landed(run: Run) -> None:
    """Branch and files are those of the run, and nothing is locked."""
    assert git(run.root, "rev-parse", "main") == run.tip
    assert run.root.joinpath("f").read_text() == lines(20, l1="A")
    assert run.root.joinpath("a").read_text() == "file"
    assert run.root.joinpath("d/z").read_text() == "z"
    assert not run.root.joinpath("b/y").exists()
    assert not list(run.root.joinpath(".git").rglob("*.lock"))


def ignoring(name: str, **files: str) -> Act:
    """The user has files that git ignores."""

    def act(root: Path) -> None:
        exclude = root / ".git/info/exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(f"{name}\n")
        write(root, **files)

    return act


def without(name: str) -> Act:
    """The user removes a file or folder, and no longer ignores one."""

    def act(root: Path) -> None:
        (root / ".git/info/exclude").unlink(missing_ok=True)
        path = root / name
        path.unlink() if path.is_file() or path.is_symlink() else shutil.rmtree(path)

    return act


def linked(root: Path) -> None:
    """The user has a link where the run needs a folder."""
    ignoring("d")(root)
    (root / "d").symlink_to(root.parent)


BESIDE: dict[str, tuple[Act, str]] = {
    "clean": (lambda root: None, ""),
    "another file changed": (lambda root: write(root, g="mine"), " M g"),
    "another file staged": (lambda root: (write(root, g="mine"), git(root, "add", "g")), "M  g"),
    "another file's mode": (lambda root: (root / "g").chmod(0o755), " M g"),
    "an untracked file": (lambda root: write(root, mine="x"), "?? mine"),
    "the same file, already there": (lambda root: write(root, new="n\n"), ""),
    "the same file, to be added": (lambda root: (write(root, new="n\n"), git(root, "add", "-N", "new")), ""),
    "the same file, staged": (lambda root: (write(root, new="n\n"), git(root, "add", "new")), ""),
    "the same file, ignored": (lambda root: (ignoring("new")(root), write(root, new="n\n")), ""),
    "empty folders where files are": (lambda root: (root / "new/e").mkdir(parents=True), ""),
    "a file only touched": (lambda root: os.utime(root / "f", (1, 1)), ""),
    "a file that goes is gone": (lambda root: (root / "b/y").unlink(), ""),
}  # fmt: skip


@pytest.mark.parametrize("case", BESIDE)
def test_it_lands_beside_what_is_not_touched(tmp_path: Path, case: str) -> None:
    """Case 27: other files of the user's stay as they are, changed or staged; landing again does nothing."""
    act, status = BESIDE[case]
    run = merged(repository(tmp_path))
    act(run.root)
    assert land(run.repository, landing(run)) == Landed(run.tip)
    assert_landed(run)
    assert git(run.root, "status", "--porcelain") == status
    assert land(run.repository, landing(run)) == Nothing(run.tip)
    assert land(run.repository, landing(run, is_open=True)) == Landed(run.tip)
    assert git(run.root, "status", "--porcelain") == status
    assert git(run.root, "reflog", "-1", "--format=%gs") == "nova: landed"


def merging(root: Path) -> None:
    """The user is in the middle of a merge that touches another file."""
    git(root, "switch", "-qc", "side")
    write(root, g="side")
    commit(root)
    git(root, "switch", "-q", "main")
    git(root, "merge", "-q", "--no-commit", "--no-ff", "side")


def do(*command: str) -> Act:
    """A command of git's by the user."""
    return lambda root: git(root, *command)


def removed(name: str) -> Act:
    """The user removes a file."""
    return lambda root: (root / name).unlink()


def renamed(old: str, new: str) -> Act:
    """The user renames a file."""
    return lambda root: (root / old).rename(root / new)


def staged(root: Path) -> None:
    """The user has staged a change of the same file."""
    write(root, f="mine")
    git(root, "add", "f")


def staged_other(root: Path) -> None:
    """The user has staged a change, and the file itself is as the run has it."""
    staged(root)
    write(root, f=lines(20, l1="A"))


def staged_new(root: Path) -> None:
    """The same, of a new file."""
    write(root, new="mine")
    git(root, "add", "new")
    write(root, new="n\n")


def stash_popped(root: Path) -> None:
    """The user is not in a merge, but has a conflict."""
    write(root, g="mine")
    git(root, "stash", "-q")
    write(root, g="other")
    git(root, "add", "g")
    git(root, "stash", "pop", "-q", ok=(1,))


CHECKOUT, RESET, MAIN_AGAIN = do("checkout", "-q", "f"), do("reset", "-q", "--hard"), do("switch", "-q", "main")
IN_THE_WAY: dict[str, tuple[Act, str, Act]] = {
    "same file changed": (lambda root: write(root, f="mine"), "files of yours .*f", CHECKOUT),
    "same file staged": (staged, "files of yours .*f", RESET),
    "same file deleted": (removed("f"), "files of yours .*f", CHECKOUT),
    "something else staged": (staged_other, "files of yours .*: f$", RESET),
    "something else staged, new": (staged_new, "files of yours .*: new$", RESET),
    "a conflict": (stash_popped, "conflicts of yours are not resolved.*: g$", RESET),
    "deletion staged": (do("rm", "-q", "f"), "files of yours .*f", RESET),
    "untracked in the way": (lambda root: write(root, new="mine"), "files of yours .*new", removed("new")),
    "untracked in a folder": (lambda root: write(root, a__mine="x"), "files of yours", removed("a/mine")),
    "ignored in the way": (ignoring("new", new="mine"), "files of yours .*: new$", without("new")),
    "ignored folder in the way": (ignoring("new", new__x="mine"), "files of yours .*: new/x$", without("new")),
    "ignored in a folder": (lambda root: write(root, a__mine_log="mine"), ": a/mine.log$", without("a/mine.log")),
    "ignored where a folder is": (ignoring("d", d="mine"), "files of yours .*: d$", without("d")),
    "a link where a folder is": (linked, "files of yours .*: d$", without("d")),
    "staged in a folder": (lambda root: (write(root, a__mine="x"), git(root, "add", "-A")), ": a/mine$", RESET),
    "a repository in a folder": (do("init", "-q", "a/sub"), "files of yours .*: a/sub/", without("a/sub")),
    "several": (lambda root: write(root, f="mine", a__x="mine"), "files of yours .*: a/x f$", RESET),
    "another branch": (do("switch", "-qc", "other"), "your folder is on other; it lands on main", MAIN_AGAIN),
    "no branch": (do("checkout", "-q", "--detach"), "on no branch", MAIN_AGAIN),
    "in a merge": (merging, "in the middle of a merge", do("merge", "--abort")),
    "index.lock": (lambda root: (root / ".git/index.lock").touch(), "another git", removed(".git/index.lock")),
    "no index": (renamed(".git/index", ".git/was"), "no index", renamed(".git/was", ".git/index")),
}


def test_it_waits_for_what_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases 28, 29, 30: postponed with a reason and the names, nothing touched; landed once nothing is in the way."""
    monkeypatch.setattr(module, "_WAIT", 0.05)
    run = merged(repository(tmp_path))
    for case, (act, why, undo) in IN_THE_WAY.items():
        act(run.root)
        before = state(run.root) if case not in ("index.lock", "no index") else ""
        found = land(run.repository, landing(run))
        assert isinstance(found, Postponed), case
        assert re.search(why, f"{found.why}: {' '.join(found.files)}"), case
        assert git(run.root, "rev-parse", "main") == run.start
        assert not before or state(run.root) == before, case
        assert (run.root / ".git/index.lock").exists() == (case == "index.lock")
        undo(run.root)
        assert git(run.root, "status", "--porcelain") == "", case
    assert land(run.repository, landing(run)) == Landed(run.tip)
    assert_landed(run)
    assert git(run.root, "status", "--porcelain") == ""


def included(root: Path) -> Run:
    """A run with the user's uncommitted files in its branch, of which its task changes or deletes each once more."""
    write(root, f=lines(20, l1="mine"), one="1\n", two="2\n", three="3\n", a__x="mine\n")
    (root / "g").unlink()
    git(root, "add", "three")
    run = Run(root)
    git(root, "update-ref", "-d", run.place.branch)
    run.tip = begin(run.repository, run.start, survey(root).dirty, AT)

    def work(tree: Path) -> None:
        (tree / "two").unlink()
        write(tree, f=lines(20, l1="mine", l20="A"), one="1A\n", three="3A\n", g="again\n", a__x="x\n")

    run.done("F1", work)
    return run


def test_included_files_are_brought_forward(tmp_path: Path) -> None:
    """What the user still has as it was included is in a commit: it is no change of theirs, nor after a cut landing."""
    run = included(repository(tmp_path))
    base = git(run.root, "rev-parse", f"{run.tip}^")
    write(run.root, one="1A\n", mine="x")  # one file was written when the landing was cut off
    assert isinstance(land(run.repository, landing(run)), Postponed)
    found = land(run.repository, Landing(MAIN, run.start, run.tip, included=base))
    assert found == Landed(run.tip)
    assert git(run.root, "status", "--porcelain") == "?? mine"
    assert (run.root / "f").read_text() == lines(20, l1="mine", l20="A")
    assert not (run.root / "two").exists()
    landed = run.tip
    write(run.root, one="1\n")
    run.done("F2", lambda tree: write(tree, one="1B\n"))
    assert isinstance(land(run.repository, Landing(MAIN, landed, run.tip, included=base)), Postponed)


CHANGED_SINCE: dict[str, tuple[Act, str]] = {
    "changed": (lambda root: write(root, f="since"), "f"),
    "changed, new": (lambda root: write(root, one="since"), "one"),
    "staged otherwise": (lambda root: (staged(root), write(root, f=lines(20, l1="mine"))), "f"),
    "made again": (lambda root: write(root, g="since"), "g"),
}


@pytest.mark.parametrize("case", CHANGED_SINCE)
def test_an_included_file_that_changed_since_is_in_the_way(tmp_path: Path, case: str) -> None:
    """It is named, and nothing is touched; so is one that has never been committed as it is staged."""
    run = included(repository(tmp_path))
    act, name = CHANGED_SINCE[case]
    act(run.root)
    before = state(run.root)
    base = git(run.root, "rev-parse", f"{run.tip}^")
    found = land(run.repository, Landing(MAIN, run.start, run.tip, included=base))
    assert isinstance(found, Postponed)
    assert found.files == (name,)
    assert state(run.root) == before


def test_commits_of_the_user_are_followed(tmp_path: Path) -> None:
    """Case 29: they are merged into the run's branch, at once and again with the same result; then it lands."""
    run = merged(repository(tmp_path))
    write(run.root, g="mine", mine="x")
    mine = commit(run.root)
    write(run.root, g="changed since")
    found = land(run.repository, landing(run))
    assert isinstance(found, Postponed)
    assert found.moved
    followed = follow(run.repository, landing(run), AT)
    assert isinstance(followed, Followed)
    assert follow(run.repository, landing(run), AT) == followed
    assert followed.landed == mine
    run.tip = followed.tip
    assert land(run.repository, Landing(MAIN, followed.landed, followed.tip)) == Landed(run.tip)
    assert_landed(run)
    assert git(run.root, "status", "--porcelain") == " M g"
    subject = f"Merge branch 'main' into nova/{run.place.run}"
    assert git(run.root, "log", "--merges", "--format=%s|%P", "main").startswith(f"{subject}|")
    assert git(run.root, "rev-parse", "main^2") == mine


def test_following_what_needs_no_merge(tmp_path: Path) -> None:
    """The user has merged the run's branch, and added to it: the branch is moved there."""
    run = merged(repository(tmp_path))
    git(run.root, "merge", "-q", "--ff-only", run.place.branch)
    mine = commit(run.root)
    assert follow(run.repository, landing(run), AT) == Followed(mine, mine)
    assert run.repository.read_ref(run.place.branch) == mine


def test_commits_that_cannot_be_followed(tmp_path: Path) -> None:
    """Case 29: a conflict with the user's commit is named, a rewritten branch is left alone; nothing moves."""
    run = merged(repository(tmp_path))
    write(run.root, f=lines(20, l1="mine"))
    commit(run.root)
    assert follow(run.repository, landing(run), AT) == Conflict(run.tip, {"f": "contents"})
    git(run.root, "commit", "-q", "--amend", "-m", "other")
    git(run.root, "update-ref", MAIN, git(run.root, "commit-tree", "-m", "x", "HEAD^{tree}"))
    assert isinstance(follow(run.repository, landing(run), AT), Postponed)
    assert run.repository.read_ref(run.place.branch) == run.tip


def half_landed(run: Run, *names: str) -> None:
    """What a killed landing leaves: some files as they will be, and the lock of the index under our mark."""
    for name in names:
        git(run.root, "--work-tree=.", "checkout", run.tip, "--", name)
    git(run.root, "read-tree", run.start)
    os.link(run.place.run_file("mark"), run.root / ".git/index.lock")


def test_a_landing_that_was_killed_is_brought_to_its_end(tmp_path: Path) -> None:
    """Half of the files written, one removed whose new one is not there yet, the index locked by us."""
    run = merged(repository(tmp_path))
    write(run.root, g="mine")
    Path(run.place.run_file("mark")).touch()
    shutil.rmtree(run.root / "a")
    half_landed(run, "new", "f")
    (run.root / ".git/HEAD.lock").touch()
    (run.root / ".git/refs/heads/main.lock").write_text(run.tip + "\n")
    sweep(run.repository, landing(run, is_open=True))
    assert land(run.repository, landing(run, is_open=True)) == Landed(run.tip)
    assert_landed(run)
    assert git(run.root, "status", "--porcelain") == " M g"


def test_a_landing_that_fails_midway_leaves_whole_files(tmp_path: Path) -> None:
    """Wherever it is cut, each file is the old one or the new one, and landing again ends it."""
    run = merged(repository(tmp_path))
    old = {name: run.content(name, run.start) for name in ("f", "b/y", "a/x")}
    new = {name: run.content(name) for name in ("f", "new", "a", "d/z")}
    run.repository.disk, found = FailingDisk(), None
    for _ in range(6):
        try:
            found = land(run.repository, landing(run, is_open=True))
        except OSError:
            for name, path in ((name, run.root / name) for name in {*old, *new}):
                assert not path.is_file() or path.read_text().rstrip("\n") in (old.get(name), new.get(name))
    assert found == Landed(run.tip)
    assert_landed(run)


class FailingDisk(QuickDisk):
    """Fails at every second change of the user's folder."""

    calls = 0

    def step(self, call: str, path: str) -> None:
        if "/.git/" not in path:
            self.calls += 1
            if self.calls % 2 == 0:
                raise OSError(5, "Input/output error", path)


def test_locks_of_others_stay(tmp_path: Path) -> None:
    """Case 30: a sweep removes no lock that is not ours: of the index, of the branch, of HEAD."""
    run = merged(repository(tmp_path))
    locks = [run.root / ".git" / name for name in ("index.lock", "refs/heads/main.lock", "HEAD.lock")]
    for lock in locks:
        lock.write_text("f" * 40)
    sweep(run.repository, landing(run, is_open=True))
    assert all(lock.exists() for lock in locks)
    for lock in locks[1:]:
        lock.write_text("")
    sweep(run.repository)
    assert all(lock.exists() for lock in locks), "no landing is open"


LATER: dict[str, Act] = {
    "longer": lambda root: write(root, new="n\nmore\n"),
    "shorter": lambda root: write(root, f=lines(3, l1="A")),
    "empty": lambda root: write(root, f=""),
    "removed": lambda root: (root / "f").unlink(),
    "a folder": lambda root: (root.joinpath("f").unlink(), write(root, f__x="mine")),
}


@pytest.mark.parametrize(("case", "is_open"), sampled(LATER, [True, False]))
def test_a_user_who_writes_after_a_killed_landing(tmp_path: Path, case: str, is_open: bool) -> None:
    """What the user made of a half landed folder is in the way, and stays; nothing else is touched."""
    run = merged(repository(tmp_path))
    Path(run.place.run_file("mark")).touch()
    half_landed(run, "f", "new")
    (run.root / ".git/index.lock").unlink()
    LATER[case](run.root)
    before = state(run.root)
    found = land(run.repository, landing(run, is_open=is_open))
    assert isinstance(found, Postponed)
    assert found.files[0].split("/")[0] == ("new" if case == "longer" else "f")
    assert state(run.root) == before


def test_a_file_that_changes_while_the_run_lands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays, and the landing that is repeated names it."""
    run = merged(repository(tmp_path))

    def late(*given: object) -> bytes:
        write(run.root, f="mine, just now")
        return stage(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "stage", late)
    with pytest.raises(GitFailed, match="f was changed while the run landed"):
        land(run.repository, landing(run))
    found = land(run.repository, landing(run, is_open=True))
    assert isinstance(found, Postponed)
    assert found.files == ("f",)
    assert (run.root / "f").read_text() == "mine, just now"


def test_a_folder_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the way, before anything is written."""
    run = merged(repository(tmp_path))
    shut, access = os.fsencode(run.root / "b"), os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != shut and access(path, mode))
    before = state(run.root)
    assert land(run.repository, landing(run)) == Postponed("files of yours are in the way", ("b",))
    assert state(run.root) == before


def test_a_branch_that_cannot_be_written(tmp_path: Path) -> None:
    """A lock of another git on the user's branch: it has begun, and the next call ends it."""
    run = merged(repository(tmp_path))
    lock = run.root / ".git/refs/heads/main.lock"
    lock.write_text("f" * 40)
    with pytest.raises(GitFailed, match="cannot move refs/heads/main"):
        land(run.repository, landing(run))
    lock.unlink()
    assert land(run.repository, landing(run, is_open=True)) == Landed(run.tip)
    assert_landed(run)
    assert git(run.root, "status", "--porcelain") == ""
