"""Writes what lands into the user's folder: each file appears at once and whole, so no kill leaves a part of one."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

from nova_core.files.disk import Disk
from nova_core.isolation.borrowed import remove_all
from nova_core.isolation.half_landed import Row, entries
from nova_core.isolation.program import shown
from nova_core.isolation.repository import Repository
from nova_core.isolation.values import GitFailed

Mark = tuple[int, int, int] | None  # of a file: inode, size, time of the last change; None for none, or a folder


def marks(repository: Repository, rows: list[Row]) -> dict[bytes, Mark]:
    """What each file of the user's that will change is now, to be sure of that when it is changed."""
    top = os.fsencode(repository.place.top)
    return {name: _mark(os.path.join(top, name)) for name, _, _, _ in rows}


def _mark(path: bytes) -> Mark:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return None if stat.S_ISDIR(found.st_mode) else (found.st_ino, found.st_size, found.st_mtime_ns)


def stage(repository: Repository, old: str, new: str, index: str) -> bytes:
    """Write what differs between two trees into a folder of our own, and bring the index to `new`; returns the folder.

    Filters of the project run now, so that one that fails leaves the user's folder as it is. Raises GitFailed, OSError.
    """
    folder = repository.place.run_file("landing.files")
    if os.path.lexists(folder):
        remove_all(repository, folder)
    repository.disk.make_dir(Path(folder))
    repository.git("read-tree", "-m", "-u", old, new, tree=folder, index=repository.fresh(index))
    return os.fsencode(folder)


def put(repository: Repository, rows: list[Row], staged: bytes, before: dict[bytes, Mark], index: str) -> None:
    """Remove and move files so that the user's folder is as `rows` say; those that are not staged stay.

    Only what `index` has is removed. Raises GitFailed if a file is not as it was `before`, OSError: then some are
    moved; landing again moves the rest.
    """
    top = os.fsencode(repository.place.top)
    names = [row[0] for row in rows if row[1] != b"D" and os.path.lexists(os.path.join(staged, row[0]))]
    needed = {folder for name in names for folder in _above(name)}
    deleted = [row[0] for row in rows if row[1] == b"D" and before[row[0]] is not None]
    tracked = entries(repository, deleted, index)
    for name in deleted:
        if name in tracked:
            _remove(repository, top, name, before[name], needed)
    for name in names:
        _put(repository, os.path.join(staged, name), top, name, before[name])
    _remove_folders(repository, staged)


def _above(name: bytes) -> list[bytes]:
    """The folders that a file is in, the nearest first."""
    found = []
    while name := os.path.dirname(name):
        found.append(name)
    return found


def _remove(repository: Repository, top: bytes, name: bytes, before: Mark, needed: set[bytes]) -> None:
    """Remove a file, and the folders that are empty without it."""
    path = os.path.join(top, name)
    if any(os.path.islink(os.path.join(top, folder)) for folder in _above(name)):
        return  # what is behind a link is not what the index means
    if os.path.isdir(path) and not os.path.islink(path):
        _remove_folders(repository, path)  # of a submodule; one with files stays
    else:
        _require_unchanged(path, name, before)
        repository.disk.unlink(os.fsdecode(path))
    for folder in _above(name):
        if folder in needed:
            return
        try:
            os.rmdir(os.path.join(top, folder))
        except OSError:
            return


def _require_unchanged(path: bytes, name: bytes, before: Mark) -> None:
    if _mark(path) != before:
        raise GitFailed(f"{shown(name)} was changed while the run landed")


def _remove_folders(repository: Repository, path: bytes) -> None:
    """Remove a folder that has only folders in it; another stays, without those that are empty."""
    repository.disk.step("rmdir", os.fsdecode(path))
    for folder, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


def _put(repository: Repository, source: bytes, top: bytes, name: bytes, before: Mark) -> None:
    """Move one file to its place; of a submodule, only its folder is made."""
    disk, path = repository.disk, os.path.join(top, name)
    is_folder = os.path.isdir(path) and not os.path.islink(path)
    if not is_folder:
        _require_unchanged(path, name, before)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.isdir(source) and not os.path.islink(source):
        if not is_folder:
            disk.unlink(os.fsdecode(path))
            os.makedirs(path, exist_ok=True)
        return
    if is_folder:
        _remove_folders(repository, path)
    move(disk, os.fsdecode(source), os.fsdecode(path))


def move(disk: Disk, source: str, target: str) -> None:
    """Rename a file or link, also to another file system: under its name it is whole at once. Raises OSError."""
    try:
        disk.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = os.path.join(os.path.dirname(target), ".nova-landing")
        shutil.copy2(source, beside, follow_symlinks=False)
        disk.rename(beside, target)
