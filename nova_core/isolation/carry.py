"""Carries outputs that git ignores from a tree to the user's folder, never over a file of the user's."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.needs import is_plain, outputs_at
from nova_core.isolation.put import move
from nova_core.isolation.repository import Repository
from nova_core.isolation.take import message_of
from nova_core.isolation.values import FULL, Carried, Words

_NOTES = ".nova/carried"


def carry_out(
    repository: Repository, task_id: str, outputs: tuple[str, ...], commit: str, number: int, words: Words
) -> Carried:
    """Copy the outputs that git ignores from the tree to the user's folder; once for each tree.

    A file there is replaced only if Nova has put it there and nobody has changed it since. Where another stands, it
    stays; the task's is held by the ref `place.kept(task_id, number)`, in a commit on top of `commit`, and later trees
    get it. To be called after `take`: what is not ignored is in the commit. Names are relative to the project's folder.
    Raises GitFailed, OSError.
    """
    place = repository.place
    tree, done = place.tree(task_id), Path(place.task_file(task_id, "carried"))
    if not outputs or done.exists() or not os.path.isdir(tree):
        return Carried()
    found = list(outputs_at(repository, tree, outputs, tree, place.task_file(task_id, "index")))
    notes = _Notes(repository)
    names = [name for name in found if not notes.is_copy(os.path.join(tree, name), name)]
    stayed = [name for name in names if not _carry(repository, notes, tree, name)]
    repository.sync(notes.new)
    notes.write()
    ref = _keep(repository, task_id, stayed, place.kept(task_id, number), commit, words) if stayed else None
    repository.disk.replace(done, b"", sync=False)
    return Carried(_relative(repository, names), _relative(repository, stayed), ref)


def _relative(repository: Repository, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(repository.relative(os.fsencode(name)) for name in names)


def _carry(repository: Repository, notes: _Notes, tree: str, name: str) -> bool:
    """Copy one file or link; returns False if something of the user's stands there."""
    place, disk = repository.place, repository.disk
    source, target = os.path.join(tree, name), os.path.join(place.top, name)
    if not _is_free(place.top, name) or (os.path.isdir(target) and not os.path.islink(target)):
        return False
    if not os.path.islink(source) and not os.path.isfile(source):
        return True  # a pipe, a socket
    if os.path.lexists(target):
        if _is_same(source, target, tree, place.top):
            return True
        if not notes.is_novas(target, name):
            return False
    beside = place.run_file("carrying")
    try:
        disk.unlink(beside)
        disk.step("copy", beside)
        if os.path.islink(source):
            os.symlink(_link(source, tree, place.top), beside)
        else:
            shutil.copy2(source, beside)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        move(disk, beside, target)
    except OSError as error:
        if error.errno in FULL:
            raise
        return False
    notes.add(target, name)
    return True


def _is_free(top: str, name: str) -> bool:
    """Returns True if only folders are on the way to the name."""
    parts = name.split("/")
    ways = (os.path.join(top, *parts[:n]) for n in range(1, len(parts)))
    return is_plain(top, name) and all(os.path.isdir(way) or not os.path.lexists(way) for way in ways)


def _link(source: str, tree: str, top: str) -> str:
    """What a link says; one into the tree leads to the same place in the user's folder."""
    text = os.readlink(source)
    return top + text[len(tree) :] if text == tree or text.startswith(f"{tree}/") else text


def _is_same(source: str, target: str, tree: str, top: str) -> bool:
    if os.path.islink(source) or os.path.islink(target):
        return os.path.islink(source) and os.path.islink(target) and os.readlink(target) == _link(source, tree, top)
    return os.path.isfile(target) and filecmp.cmp(source, target, shallow=False)


def _keep(repository: Repository, task_id: str, names: list[str], ref: str, commit: str, words: Words) -> str:
    """Hold files by a ref, and put them where `needs.supply` finds them before those of the user's folder."""
    place, tree = repository.place, repository.place.tree(task_id)
    for name in names:
        at = os.path.join(place.run_file("outputs"), name)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        repository.disk.step("copy", at)
        with suppress(FileNotFoundError):
            os.unlink(at)
        shutil.copy2(os.path.join(tree, name), at, follow_symlinks=False)
    index = repository.fresh(place.run_file("carry.index"))
    repository.git("read-tree", commit, index=index)
    listed = b"\0".join(map(os.fsencode, names)) + b"\0"
    repository.git("update-index", "-z", "--add", "--replace", "--stdin", tree=tree, index=index, stdin=listed)
    kept = repository.object_name("write-tree", tree=tree, index=repository.fresh(index))
    repository.disk.unlink(index)
    repository.move_ref(ref, repository.commit(kept, [commit], message_of(repository, task_id, words), words.at))
    return ref


class _Notes:
    """Which files of the user's folder Nova has put there, in `.nova`: what is not noted is the user's.

    `new` are the paths of those that are no links and were put there now.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        place = repository.place
        self._path = Path(place.top, place.prefix, _NOTES)
        self._marks: dict[str, str] = {}
        self.new: list[str] = []
        with suppress(OSError):
            fields = os.fsdecode(self._path.read_bytes()).split("\0")
            self._marks = dict(zip(fields[::2], fields[1::2], strict=False))

    def is_novas(self, path: str, name: str) -> bool:
        """Returns True if the file is as Nova has put it there."""
        return self._marks.get(name, "") == _mark(path)

    def is_copy(self, path: str, name: str) -> bool:
        """Returns True if a file in a tree is what an earlier task has made, a copy by `needs.supply`."""
        held = _mark(os.path.join(self._repository.place.run_file("outputs"), name))
        known = (self._marks.get(name, "").partition(" ")[2], held.partition(" ")[2])
        return _mark(path).partition(" ")[2] in known

    def add(self, path: str, name: str) -> None:
        """Note what was put there, which later trees get from there."""
        self._marks[name] = _mark(path)
        self.new += [] if os.path.islink(path) else [path]
        self._repository.disk.unlink(os.path.join(self._repository.place.run_file("outputs"), name))

    def write(self) -> None:
        """Write what is noted, without files that are gone or changed. Raises OSError."""
        data = os.fsencode("\0".join(self._valid()))
        if data or self._path.exists():
            self._repository.disk.make_dir(self._path.parent)
            self._repository.disk.replace(self._path, data, sync=False)

    def _valid(self) -> Iterator[str]:
        top = self._repository.place.top
        for name, mark in self._marks.items():
            if _mark(os.path.join(top, name)) == mark:
                yield from (name, mark)


def _mark(path: str) -> str:
    """Inode, size and time of the last change of a file or link; none for what does not exist."""
    try:
        found = os.lstat(path)
    except OSError:
        return "gone"
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
