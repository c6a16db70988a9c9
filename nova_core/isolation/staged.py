"""What a worker has staged: ignored files that it has added, tracked ones that git is to ignore from now on."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.own_commits import copy_plain, read_plain
from nova_core.isolation.repository import Repository

_MOST_BYTES = 200_000_000


def staged(repository: Repository, task_id: str, index: str) -> tuple[set[bytes], set[bytes], set[bytes]]:
    """Files that are in the index of the worker's repository and not in `index`; ignored ones of which only `index` has
    the name; and those that a sparse checkout of the worker's has hidden. The first two exist in the tree.

    Nothing if the worker has not used git, or its index cannot be read.
    Raises GitFailed, OSError.
    """
    tree = repository.place.tree(task_id)
    rows = _rows(repository, task_id, Path(tree, ".git/index"), index)
    if not rows:
        return set(), set(), set()
    theirs, hidden = {row[2:] for row in rows}, {row[2:] for row in rows if row[:1] in b"Ss"}
    ours = set(repository.git("ls-files", "-z", tree=tree, index=index).fields)
    added = {name for name in theirs - ours if _is_there(tree, name)}
    gone = {name for name in ours - theirs if _is_there(tree, name)} if _is_our_repository(repository, tree) else set()
    return added, repository.ignored(sorted(gone), tree), hidden


def _rows(repository: Repository, task_id: str, path: Path, index: str) -> set[bytes]:
    """Tag and name of the entries in the index of the worker's; none if it is still a copy of `index`."""
    copy = repository.fresh(repository.place.task_file(task_id, "worker.index"))
    try:
        theirs, ours = os.lstat(path), os.stat(index)
    except OSError:
        return set()
    is_same = (theirs.st_mtime_ns, theirs.st_size) == (ours.st_mtime_ns, ours.st_size)
    if is_same or not copy_plain(path, copy, _MOST_BYTES):
        return set()
    listed = repository.git("ls-files", "-z", "-t", index=copy, ok=(0, 128))
    repository.disk.unlink(Path(copy))
    return set() if listed.code else set(listed.fields)


def _is_there(tree: str, name: bytes) -> bool:
    """Returns True for a file or link, on the way to which no folder is a link."""
    parts = os.fsdecode(name).split("/")
    if ".git" in parts or any(os.path.islink(os.path.join(tree, *parts[:n])) for n in range(1, len(parts))):
        return False
    with suppress(OSError):
        mode = os.lstat(os.path.join(tree, *parts)).st_mode
        return stat.S_ISREG(mode) or stat.S_ISLNK(mode)
    return False


def _is_our_repository(repository: Repository, tree: str) -> bool:
    """Returns False after a `git init` of the worker's: its index never had what git ignores."""
    return read_plain(Path(tree, ".git/objects/info/alternates")).strip() == f"{repository.place.common}/objects"
