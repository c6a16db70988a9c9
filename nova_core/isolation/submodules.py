"""Submodules in a tree: a commit of the tree holds only the names of their commits, so nothing else may be in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.own_commits import borrowing, files_below, read_plain, tips_of
from nova_core.isolation.program import shown
from nova_core.isolation.repository import Repository, is_sha
from nova_core.isolation.values import NotTaken
from nova_core.text import first_of

_FEW = 3


def require_held(repository: Repository, task_id: str, base: str, index: str) -> None:
    """Raise NotTaken if a submodule in the tree has changes, or commits that no remote and no copy of the user's has.

    `index` is a file that has what is in the tree. What the worker's copies hold is read by the user's git alone.
    Raises GitFailed.
    """
    tree = repository.place.tree(task_id)
    if not (os.path.isdir(f"{tree}/.git/modules") or os.path.lexists(f"{tree}/.gitmodules")):
        return
    for name, commit in _links(repository, tree, index):
        _look_into(repository, task_id, name, commit, base)


def _links(
    repository: Repository, tree: str, index: str, environ: dict[str, str] | None = None
) -> list[tuple[str, str]]:
    """The submodules in an index: name and commit."""
    rows = repository.git("ls-files", "-z", "-s", tree=tree, index=index, environ=environ).fields
    found = (row.partition(b"\t") for row in rows if row.startswith(b"160000 "))
    return [(os.fsdecode(name), head.split(b" ")[1].decode()) for head, _, name in found]


def _look_into(repository: Repository, task_id: str, name: str, commit: str, base: str) -> None:
    where = f"{repository.place.tree(task_id)}/{name}"
    own = _git_dir(where)
    if own is None:
        return  # it is empty
    shown_name = repository.relative(os.fsencode(name))
    environ = borrowing(repository, f"{own}/objects")
    if repository.git("cat-file", "-e", f"{commit}^{{tree}}", environ=environ, ok=(0, 1, 128)).code == 0:
        index = repository.fresh(repository.place.task_file(task_id, "module"))
        repository.git("read-tree", commit, index=index, environ=environ)
        try:
            options = ("ls-files", "-z", "-m", "-d", "-o", "--exclude-standard")
            files = {shown(file) for file in repository.git(*options, tree=where, index=index, environ=environ).fields}
            inner = _links(repository, where, index, environ)
        finally:
            repository.disk.unlink(index)
        if files:
            raise NotTaken(
                f"submodule {shown_name} has changes that are not committed in it ({first_of(sorted(files), _FEW)});"
                f" they are in {where}: commit and push them there, or copy them, then nova retry {task_id}",
                is_lost_by_retry=True,
            )
        for below, its_commit in inner:
            _look_into(repository, task_id, f"{name}/{below}", its_commit, "")
    if left := _only_here(repository, name, commit, own, base):
        names = first_of([sha[:10] for sha in left], _FEW)
        raise NotTaken(
            f"submodule {shown_name} has commits that neither its remote nor your copy has ({names});"
            f" they are in {where}: push them there, or fetch them into your copy, then nova retry {task_id}",
            is_lost_by_retry=True,
        )


def _only_here(repository: Repository, name: str, commit: str, own: str, base: str) -> list[str]:
    """The commits of a worker's copy, with which its branches end, that would be gone with it."""
    before = repository.git("rev-parse", "--verify", "-q", f"{base}:{name}", ok=(0, 1, 128)).out.decode().strip()
    remotes = {sha for sha in _remotes(Path(own)) if is_sha(sha)}
    tips = sorted({commit, *tips_of(Path(own))} - remotes - {before})
    environ = borrowing(repository, f"{own}/objects")
    there = [tip for tip in tips if _has(repository, tip, environ)]
    missing = [commit] if commit in tips and commit not in there else []
    if there and remotes:
        beyond = repository.git("rev-list", *there, "--not", *sorted(remotes), environ=environ, ok=(0, 128))
        if beyond.code == 0:
            new = set(beyond.out.decode().split())
            there = [tip for tip in there if tip in new]
    home = _git_dir(f"{repository.place.top}/{name}") or f"{repository.place.common}/modules/{name}"
    mine = {"GIT_DIR": home} if os.path.isdir(home) else None
    return [tip for tip in (*there, *missing) if mine is None or not _has(repository, tip, mine)]


def _has(repository: Repository, commit: str, environ: dict[str, str]) -> bool:
    return repository.git("cat-file", "-e", f"{commit}^{{commit}}", environ=environ, ok=(0, 1, 128)).code == 0


def _remotes(own: Path) -> Iterator[str]:
    """The commits that the remotes of a copy have, as it knows them."""
    for row in read_plain(own / "packed-refs").splitlines():
        sha, _, ref = row.partition(" ")
        if ref.startswith("refs/remotes/"):
            yield sha
    for path in files_below(own / "refs/remotes"):
        yield read_plain(path).strip()


def _git_dir(where: str) -> str | None:
    """The repository of a submodule's folder; None if it is empty."""
    inside = f"{where}/.git"
    if os.path.isdir(inside):
        return inside
    with suppress(ValueError):
        target = read_plain(Path(inside)).strip()
        if target.startswith("gitdir: "):
            return os.path.realpath(os.path.join(where, target.removeprefix("gitdir: ")))
    return None
