"""Commits that a worker made in the repository of its tree: read as files and objects, by no git that runs there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.repository import Repository, is_sha
from nova_core.isolation.values import GitFailed

_MOST = 200  # refs; a worker can make as many as it likes
_MOST_BYTES = 1_000_000


def own_commits(repository: Repository, task_id: str, base: str, tree: str) -> tuple[str, ...]:
    """The heads of branches, and the stash, that the worker made and the result, tree object `tree`, does not hold.

    Mostly without starting git. An unreadable repository has none.
    """
    known = _known(repository) | {base}
    tips = sorted({sha for sha in tips_of(Path(repository.place.tree(task_id), ".git")) if sha not in known})[:_MOST]
    if not tips:
        return ()
    environ = _borrowing(repository, task_id)
    asked = "\n".join(f"{tip}^{{tree}}" for tip in tips).encode()
    rows = repository.git("cat-file", "--batch-check=%(objectname)", stdin=asked, environ=environ).out.splitlines()
    there = {tip: row.decode() for tip, row in zip(tips, rows, strict=False) if is_sha(row)}
    held = [tip for tip, its_tree in there.items() if its_tree == tree]
    open_tips = [tip for tip in there if tip not in held]
    if not open_tips:
        return ()
    beyond = repository.git("rev-list", *open_tips, "--not", base, *held, environ=environ, ok=(0, 128))
    return tuple(tip for tip in open_tips if tip.encode() in beyond.out.split())


def fetch(repository: Repository, task_id: str, base: str, commits: tuple[str, ...]) -> tuple[str, ...]:
    """Copy commits of the worker's own into the user's repository; returns those that are whole. Raises GitFailed."""
    done = []
    for commit in commits:
        with suppress(GitFailed):
            asked = f"{commit}\n^{base}\n".encode()
            options = ("pack-objects", "--revs", "--stdout", "-q")
            pack = repository.git(*options, stdin=asked, environ=_borrowing(repository, task_id)).out
            repository.git("unpack-objects", "-q", "--strict", stdin=pack)
            done.append(commit)
    return tuple(done)


def _borrowing(repository: Repository, task_id: str) -> dict[str, str]:
    return borrowing(f"{repository.place.tree(task_id)}/.git/objects")


def borrowing(path: str) -> dict[str, str]:
    """An environment in which the user's git sees the objects in a folder, too (git(1))."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{escaped}"'}


def _known(repository: Repository) -> set[str]:
    """The commits of the refs that trees are made with."""
    text = read_plain(Path(repository.place.run_file("refs")), None)
    return {row.split(" ")[0] for row in text.splitlines()}


def tips_of(git: Path) -> Iterator[str]:
    """The commits that HEAD, branches and stash of a worker's repository name."""
    yield from _sha(read_plain(git / "HEAD"))
    yield from _sha(read_plain(git / "refs/stash"))
    for row in read_plain(git / "packed-refs").splitlines():
        sha, _, name = row.partition(" ")
        if name.startswith("refs/heads/"):
            yield from _sha(sha)
    count = 0
    for folder, _, files in os.walk(git / "refs/heads"):
        for file in files:
            count += 1
            if count > _MOST:
                return
            yield from _sha(read_plain(Path(folder, file)))


def _sha(text: str) -> Iterator[str]:
    if is_sha(text.strip()):
        yield text.strip()


def read_plain(path: Path, most: int | None = _MOST_BYTES) -> str:
    """The text of a regular file, "" for anything else: a pipe would block."""
    with suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return file.read(-1 if most is None else most).decode("utf-8", "replace")
    return ""
