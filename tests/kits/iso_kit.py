"""Git repositories for the tests of the git steps, and a run in one of them, driven as an engine would."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from nova_core.files.disk import Disk
from nova_core.isolation.merge import advance, merge
from nova_core.isolation.repository import Repository
from nova_core.isolation.survey import choose_place, survey
from nova_core.isolation.take import take
from nova_core.isolation.trees import begin, make_tree
from nova_core.isolation.values import Candidate, Limits, Needs, Place, Taken, Words

AT = 1_700_000_000
RUN = "0a1b2c3d"
ENV = {
    **{key: text for key, text in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "u", "GIT_AUTHOR_EMAIL": "u@e",
    "GIT_COMMITTER_NAME": "u", "GIT_COMMITTER_EMAIL": "u@e", "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always",
}  # fmt: skip


def git(root: str | Path, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    """Run git as a user or a worker would; its output."""
    done = subprocess.run(["git", *arguments], cwd=root, env=ENV, capture_output=True, check=False)
    assert done.returncode in ok, f"git {arguments}: {done.returncode} {done.stderr!r}"
    return os.fsdecode(done.stdout).strip("\n")


def write(root: str | Path, **files: str) -> None:
    """Write files; in their names `__` is a slash and `_` a dot."""
    for name, text in files.items():
        path = Path(root, name.replace("__", "/").replace("_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def lines(count: int, **changed: str) -> str:
    """The numbers from 1, a line each; `l3="x"` makes the third line another."""
    return "".join(f"{changed.get(f'l{n}', n)}\n" for n in range(1, count + 1))


def make_repository(root: Path, *options: str) -> Path:
    """A repository with one commit: files `f`, `g` of 20 lines, `a/x`, `b/y`, and a `.gitignore`."""
    git(root.parent, "init", "-q", "-b", "main", "--template=", *options, str(root))
    write(root, f=lines(20), g=lines(20), a__x="x\n", b__y="y\n", _gitignore=".env\nout/\n*.log\n")
    commit(root, "base")
    return root


def commit(root: str | Path, words: str = "own") -> str:
    """Commit everything as a user or worker would."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", words)
    return git(root, "rev-parse", "HEAD")


class QuickDisk(Disk):
    """A disk that is not waited for."""

    def sync(self, fd: int, path: str) -> None:
        """Do nothing, but count as a step."""
        self.step("fsync", path)


class Run:
    """A run in a repository; the parts of an engine that the git steps need."""

    def __init__(self, root: Path, make: Callable[[Place, Disk], Repository] = Repository) -> None:
        self.root = root
        found = survey(root)
        assert not found.problem, found.problem
        self.place = choose_place(found, RUN)
        self.repository = make(self.place, QuickDisk())
        self.tip = begin(self.repository, found.head)
        self.start = found.head

    def tree(self, task_id: str, needs: Needs | None = None) -> Path:
        """A new tree for the task, from what is merged."""
        make_tree(self.repository, task_id, self.tip, needs)
        return Path(self.place.tree(task_id))

    def take(self, task_id: str, base: str | None = None, limits: Limits | None = None) -> Taken:
        """Take what is in the tree."""
        return take(self.repository, task_id, base or self.tip, words(task_id), limits or Limits())

    def merged(self, task_id: str, taken: Taken) -> Candidate:
        """Merge what cannot conflict."""
        candidate = merge(self.repository, task_id, self.tip, taken, words(task_id))
        assert isinstance(candidate, Candidate), candidate
        assert advance(self.repository, task_id, candidate)
        self.tip = candidate.commit
        return candidate

    def done(self, task_id: str, change: Callable[[Path], object]) -> Candidate:
        """A whole task: tree, what its worker does there, take, merge."""
        change(self.tree(task_id))
        return self.merged(task_id, self.take(task_id))

    def files(self, commit: str | None = None) -> list[str]:
        """The names in a commit."""
        return git(self.root, "ls-tree", "-r", "-z", "--name-only", commit or self.tip).rstrip("\0").split("\0")

    def changed(self, taken: Taken) -> list[str]:
        """Status and name of what a task's commit changes."""
        assert taken.commit is not None
        out = git(self.root, "diff-tree", "-r", "-z", "--no-renames", "--name-status", taken.base, taken.commit)
        fields = out.rstrip("\0").split("\0")
        return [f"{status} {name}" for status, name in zip(fields[::2], fields[1::2], strict=True)]

    def content(self, name: str, commit: str | None = None) -> str:
        """A file in a commit."""
        return git(self.root, "cat-file", "-p", f"{commit or self.tip}:{name}")


def words(task_id: str) -> Words:
    """What a task's commit says."""
    return Words(f"{task_id}: done", AT)


def repository(tmp_path: Path, *options: str) -> Path:
    """A repository of `make_repository` in `tmp_path / "r"`: a copy of one that is made once, which is much cheaper."""
    template = tmp_path.parent / f"template{''.join(options)}"
    if not template.exists():
        make_repository(template, *options)
    root = tmp_path / "r"
    shutil.copytree(template, root, symlinks=True)
    git(root, "update-index", "-q", "--refresh")  # the files have other inodes
    return root
