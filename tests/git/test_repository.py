"""What git reports of a task: the commit and files it changed, cheaply, safely, and silently where there is no git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nova_core.git import repository as gitinfo

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
OLD = 1.0  # a time before every file
ENV = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e", "GIT_COMMITTER_NAME": "n",
    "GIT_COMMITTER_EMAIL": "e",
}  # fmt: skip


def git(root: Path, *arguments: str) -> str:
    """Run git in a test repository."""
    return subprocess.run(
        ["git", *arguments], cwd=root, env=ENV, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(root: Path, **files: str) -> str:
    """Commit files with these contents and return the commit."""
    for name, text in files.items():
        (root / name).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x", "--allow-empty")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit of `a` and `b`."""
    git(tmp_path, "init", "-q", "-b", "main", "repo")
    commit(tmp_path / "repo", a="1", b="1")
    return tmp_path / "repo"


def after(path: Path) -> float:
    """A time after the last change of `path`, so that only later changes count."""
    return path.lstat().st_ctime + 0.1


def test_outside_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a repository the result is empty, and no process is started."""
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("started a process"))
    assert gitinfo.find_repository(tmp_path) is None
    assert gitinfo.head(tmp_path) is None
    assert gitinfo.changes(tmp_path, None) == (None, ())


def test_without_the_program(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without git a repository is read as far as its files allow, without an error."""
    monkeypatch.setattr(gitinfo, "program", lambda: None)
    (repo / "a").write_text("2")
    assert gitinfo.head(repo) == git(repo, "rev-parse", "HEAD")
    assert gitinfo.changes(repo, gitinfo.head(repo), OLD) == (None, ())


@pytest.mark.parametrize("how", ["branch", "packed", "detached", "slash", "worktree", "sha256", "reftable"])
def test_head(repo: Path, tmp_path: Path, how: str) -> None:
    """In whatever form git stores HEAD, the answer equals git's."""
    place = repo
    if how == "packed":
        git(repo, "pack-refs", "--all")
    elif how == "detached":
        git(repo, "checkout", "-q", "--detach")
    elif how == "slash":
        git(repo, "checkout", "-qb", "feature/x")
        commit(repo, a="2")
    elif how == "worktree":
        git(repo, "worktree", "add", "-q", str(tmp_path / "tree"))
        place = tmp_path / "tree"
        commit(place, a="2")
    elif how in ("sha256", "reftable"):
        option = "--object-format=sha256" if how == "sha256" else "--ref-format=reftable"
        try:
            git(tmp_path, "init", "-q", option, "other")
        except subprocess.CalledProcessError:
            pytest.skip(f"this git has no {how}")
        place = tmp_path / "other"
        commit(place, a="1")
    assert gitinfo.head(place) == git(place, "rev-parse", "HEAD")
    assert gitinfo.head(place) is not None


def test_head_before_the_first_commit(tmp_path: Path) -> None:
    """An empty repository has no head; its first commit is a change of everything in it."""
    git(tmp_path, "init", "-q")
    assert gitinfo.head(tmp_path) is None
    assert gitinfo.changes(tmp_path, None, OLD) == (None, ())
    sha = commit(tmp_path, a="1")
    assert gitinfo.changes(tmp_path, None, OLD) == (sha, ("a",))


def test_changes_of_every_kind(repo: Path) -> None:
    """Committed, changed, deleted, moved, untracked and oddly named files all count, once and sorted."""
    base = gitinfo.head(repo)
    commit(repo, c="1", a="2")
    (repo / "a").write_text("3")
    (repo / "b").rename(repo / "new name\n")
    (repo / "d").mkdir()
    (repo / "d" / "é").write_text("1")
    sha, files = gitinfo.changes(repo, base, OLD)
    assert sha == git(repo, "rev-parse", "HEAD")
    assert files == ("a", "b", "c", "d/é", "new name\n")


def test_no_change(repo: Path) -> None:
    """A clean work tree at the same commit is no change."""
    assert gitinfo.changes(repo, gitinfo.head(repo), OLD) == (None, ())


def test_what_was_dirty_before_does_not_count(repo: Path) -> None:
    """A file that differed before the task started and did not change since is not its work."""
    (repo / "a").write_text("2")
    since = after(repo / "a")
    assert gitinfo.changes(repo, gitinfo.head(repo), since) == (None, ())
    assert gitinfo.changes(repo, gitinfo.head(repo), since - 1) == (None, ("a",))


def test_novas_own_files_do_not_count(repo: Path) -> None:
    """State and logs change all the time and belong to no task."""
    for folder in (".nova", "logs"):
        (repo / folder).mkdir()
        (repo / folder / "x").write_text("x")
    (repo / "cascade_state.json").write_text("{}")
    (repo / "cascade_state.json.lock").write_text("")
    assert gitinfo.changes(repo, gitinfo.head(repo), OLD) == (None, ())


def test_project_below_the_repository(repo: Path) -> None:
    """Files are reported relative to the project, including those outside it."""
    (repo / "sub").mkdir()
    (repo / "sub" / "x").write_text("1")
    (repo / "a").write_text("2")
    assert gitinfo.changes(repo / "sub", gitinfo.head(repo / "sub"), OLD) == (None, ("../a", "x"))


def test_many_files_are_capped(repo: Path) -> None:
    """At most a thousand files are kept."""
    for i in range(1_100):
        (repo / f"f{i}").touch()
    assert len(gitinfo.changes(repo, gitinfo.head(repo), OLD)[1]) == gitinfo.MAX_FILES


def test_hostile_repository_runs_nothing(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File monitors, hooks, a git in the work tree, and variables of an outer git have no effect."""
    trap = repo / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {repo.parent}/sprung\n")
    trap.chmod(0o755)
    shutil.copy(trap, repo / "git")
    git(repo, "config", "core.fsmonitor", str(trap))
    git(repo, "config", "diff.external", str(trap))
    hook = repo / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    shutil.copy(trap, hook)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")
    monkeypatch.chdir(repo)
    gitinfo.program.cache_clear()
    (repo / "a").write_text("2")
    base = gitinfo.head(repo)
    assert "a" in gitinfo.changes(repo, base, OLD)[1]
    assert gitinfo.changes(repo, "0" * 40, OLD)[0] == base
    assert not (repo.parent / "sprung").exists()


@pytest.mark.parametrize("content", ["", "ref: refs/heads/../../x", "ref: refs/heads/gone", "garbage", "ref: x"])
def test_broken_head(repo: Path, content: str) -> None:
    """A damaged repository has no head, and that is not an error."""
    (repo / ".git" / "HEAD").write_text(content)
    assert gitinfo.head(repo) is None
    assert gitinfo.changes(repo, None, OLD)[0] is None
