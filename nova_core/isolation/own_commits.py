"""Commits that a worker made in the repository of its tree: read as files and objects, by no git that runs there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nova_core.files.plain_file import open_plain
from nova_core.isolation.hanging import trap_among
from nova_core.isolation.held import is_held
from nova_core.isolation.repository import Repository, is_sha
from nova_core.isolation.values import DiskFull, GitFailed, NotTaken

_MOST = 2_000  # names of commits; a worker can make as many as it likes
_MOST_LOGS = 10_000_000  # bytes
_MOST_BYTES = 1_000_000
_FEW = 50  # of many that cannot be copied together
# Files beside the refs that name a commit: of a merge, rebase, bisect or worktree that is under way.
_HEADS = (
    "HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "MERGE_AUTOSTASH",
    "rebase-merge/orig-head", "rebase-merge/autostash", "rebase-apply/orig-head", "rebase-apply/autostash",
)  # fmt: skip


def own_commits(repository: Repository, task_id: str, base: str, tree: str) -> tuple[str, ...]:
    """The commits that the worker made and the result, tree object `tree`, does not hold; of a line only the last.

    They are those of branches, tags and stashes, and those that were left or replaced, which only logs of refs name.
    Mostly without starting git. An unreadable repository has none. Raises NotTaken for one that git cannot get past.
    """
    known = _known(repository) | {base}
    git = Path(repository.place.tree(task_id), ".git")
    if git.is_symlink():
        return ()  # where it leads to stays
    named = dict.fromkeys((*tips_of(git, ""), *_logged(git)))
    tips = [sha for sha in named if sha not in known and not is_held(repository, task_id, sha)][:_MOST]
    if not tips:
        return ()
    environ = _borrowing(repository, task_id)
    asked = "".join(f"{tip}^{{commit}}\n{tip}^{{tree}}\n" for tip in tips).encode()
    rows = repository.git("cat-file", "--batch-check=%(objectname)", stdin=asked, environ=environ).out.splitlines()
    there = {c.decode(): t.decode() for c, t in zip(rows[::2], rows[1::2], strict=False) if is_sha(c) and is_sha(t)}
    held = [tip for tip, its_tree in there.items() if its_tree == tree]
    left = [tip for tip in there if tip not in held]
    if not left:
        return ()
    users = ("--exclude=refs/nova/*", "--all")  # what is in the user's repository already
    beyond = repository.git("rev-list", *left, "--not", base, *held, *users, environ=environ, ok=(0, 128))
    if beyond.code == 0:
        new = set(beyond.out.decode().split())
        same = {its_tree for tip, its_tree in there.items() if tip not in new}  # only words were changed
        left = [tip for tip in left if tip in new and there[tip] not in same]
    return _last(repository, left, environ)


def _last(repository: Repository, commits: list[str], environ: dict[str, str]) -> tuple[str, ...]:
    """The commits without those that another one contains."""
    if len(commits) < 2:
        return tuple(commits)
    found = repository.git("merge-base", "--independent", *commits, environ=environ, ok=(0, 1, 128))
    last = set(found.out.decode().split())
    return tuple(sha for sha in commits if sha in last) if found.code == 0 else tuple(commits)


def _logged(git: Path) -> Iterator[str]:
    """The commits that the logs of refs name, of HEAD first."""
    worktrees = [f"worktrees/{name}/logs/HEAD" for name in _entries(git / "worktrees")]
    for path in (git / "logs/HEAD", *(git / name for name in worktrees), *files_below(git / "logs/refs")):
        for row in read_plain(path, _MOST_LOGS).splitlines():
            for word in row.split(" ", 2)[:2]:
                yield from _sha(word)


def fetch(repository: Repository, task_id: str, base: str, commits: tuple[str, ...]) -> tuple[str, ...]:
    """Copy commits of the worker's own into the user's repository; returns those that are whole. Raises DiskFull."""
    if _fetched(repository, task_id, base, commits):
        return commits
    return tuple(commit for commit in commits[:_FEW] if _fetched(repository, task_id, base, (commit,)))


def _fetched(repository: Repository, task_id: str, base: str, commits: tuple[str, ...]) -> bool:
    asked = "".join(f"{commit}\n" for commit in (*commits, f"^{base}")).encode()
    try:
        options = ("pack-objects", "--revs", "--stdout", "-q")
        pack = repository.git(*options, stdin=asked, environ=_borrowing(repository, task_id)).out
        repository.git("unpack-objects", "-q", "--strict", stdin=pack)
    except DiskFull:
        raise
    except GitFailed:
        return False
    return True


def _borrowing(repository: Repository, task_id: str) -> dict[str, str]:
    return borrowing(repository, f"{repository.place.tree(task_id)}/.git/objects")


def borrowing(repository: Repository, path: str) -> dict[str, str]:
    """An environment in which the user's git sees the objects in a folder, too (git(1)).

    Raises NotTaken if it would wait there, or read without end.
    """
    if trap := trap_among(path, f"{repository.place.common}/objects"):
        raise NotTaken(f"commits of its own cannot be read: git expects a plain file at {trap}", (trap,))
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{escaped}"'}


def _known(repository: Repository) -> set[str]:
    """The commits of the refs that trees are made with."""
    text = read_plain(Path(repository.place.run_file("refs")), None)
    return {row.split(" ")[0] for row in text.splitlines()}


def tips_of(git: Path, refs: str = "refs/heads/") -> Iterator[str]:
    """The commits that HEAD, a stash and the refs of a worker's repository name that begin with `refs`."""
    places = [*_HEADS, *(f"worktrees/{name}/HEAD" for name in _entries(git / "worktrees"))]
    for name in (*places, "refs/stash"):
        yield from _sha(read_plain(git / name))
    for row in read_plain(git / "packed-refs", _MOST_LOGS).splitlines():
        sha, _, name = row.partition(" ")
        if name.startswith(refs or "refs/"):
            yield from _sha(sha)
    for path in files_below(git / (refs or "refs")):
        yield from _sha(read_plain(path))


def _entries(folder: Path) -> list[str]:
    with suppress(OSError):
        return sorted(os.listdir(folder))[:_FEW]
    return []


def files_below(folder: Path) -> Iterator[Path]:
    """The files below a folder, of which there may be too many."""
    waiting, count = [str(folder)], 0
    while waiting and count < _MOST:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    yield Path(entry.path)


def _sha(text: str) -> Iterator[str]:
    if is_sha(text.strip()):
        yield text.strip()


def read_plain(path: Path, most: int | None = _MOST_BYTES) -> str:
    """The text of a regular file, "" for anything else: a pipe would block."""
    with suppress(OSError), open(open_plain(path), "rb") as file:
        return file.read(-1 if most is None else most).decode("utf-8", "replace")
    return ""


def copy_plain(source: Path, target: str, most: int) -> bool:
    """Copy a regular file of at most `most` bytes; returns False for anything else. Raises OSError for the target."""
    try:
        fd = open_plain(source)
    except OSError:
        return False
    with open(fd, "rb") as file:
        if os.fstat(fd).st_size > most:
            return False
        with open(target, "wb") as out:
            shutil.copyfileobj(file, out)
    return True
