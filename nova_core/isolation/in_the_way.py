"""What of the user's stands where a landing would write: also what git alone replaces, such as ignored files."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

import msgspec

from nova_core.isolation.half_landed import Row, differing, entries
from nova_core.isolation.program import Result
from nova_core.isolation.repository import Repository

_GITLINK = "160000"
_MOST = 1000  # names of files below one folder
_REMOVED = "000000"


class Standing(msgspec.Struct, frozen=True):
    """`names` are in the way; `is_same`: files that are in no index have what is to be written there already."""

    names: tuple[bytes, ...]
    is_same: bool = False


class _Found(msgspec.Struct):
    """What is there: `other` needs to be a file that the landing removes, `present` are new files, `gone` changed ones
    that do not exist, `shut` are folders in which nothing can be written."""

    other: dict[bytes, None] = msgspec.field(default_factory=dict)
    present: list[Row] = msgspec.field(default_factory=list)
    gone: list[Row] = msgspec.field(default_factory=list)
    shut: dict[bytes, None] = msgspec.field(default_factory=dict)


def standing(repository: Repository, rows: list[Row], index: str) -> Standing:
    """The user's files and links, relative to the top, that are in no index, or gone from where they are to be changed.

    Changes of files that the index has are left to git, which never writes over them. `index` is the user's, or a copy.
    Raises GitFailed, OSError.
    """
    top = os.fsencode(repository.place.top)
    found, deleted = _looked_at(top, rows), {name for name, status, _, _ in rows if status == b"D"}
    asked = [*(deleted & set(found.other)), *(row[0] for row in (*found.present, *found.gone))]
    known = entries(repository, asked, index)
    new = [row for row in found.present if row[0] not in known and not _is_renamed(top, row[0], deleted)]
    unequal = differing(repository, new)
    names = [name for name in found.other if name not in known]
    names += [name for name, _, _, _ in new if name in unequal]
    names += [name for name, _, _, sha in found.gone if known.get(name, ("S", sha)) not in (("S", sha), ("H", sha))]
    return Standing((*names, *found.shut), is_same=len(unequal) < len(new))


def _looked_at(top: bytes, rows: list[Row]) -> _Found:
    found, leading = _Found(), _Leading(top)
    for row in rows:
        name, status, mode, _ = row
        path, blocked = os.path.join(top, name), leading.blocked(os.path.dirname(name))
        if blocked is not None and (status != b"D" or blocked in leading.shut):
            (found.shut if blocked in leading.shut else found.other)[blocked] = None
        if status == b"D" or blocked is not None:
            continue
        try:
            there = os.lstat(path).st_mode
        except FileNotFoundError:
            if status in b"MT" and mode != _GITLINK:
                found.gone.append(row)
            continue
        if not stat.S_ISDIR(there):
            if status == b"A":
                found.present.append(row)
        elif mode != _GITLINK:
            found.other |= dict.fromkeys(_below(top, name))
    return found


class _Leading:
    """Looks for what is on the way to a file: something that is no folder, or (`shut`) a folder that is read-only."""

    def __init__(self, top: bytes) -> None:
        self._top = top
        self._seen: dict[bytes, bytes | None] = {}
        self.shut: set[bytes] = set()

    def blocked(self, folder: bytes) -> bytes | None:
        """The first part of the path of a folder that is in the way; None if nothing is."""
        if folder not in self._seen:
            above = self.blocked(os.path.dirname(folder)) if folder else None
            self._seen[folder] = above if above is not None else self._itself(folder)
        return self._seen[folder]

    def _itself(self, folder: bytes) -> bytes | None:
        path = os.path.join(self._top, folder)
        if folder and os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path)):
            return folder
        if os.path.isdir(path) and not os.access(path, os.W_OK | os.X_OK):
            self.shut.add(folder)
            return folder
        return None


def _below(top: bytes, folder: bytes) -> Iterator[bytes]:
    """Files and links below a folder, up to a limit."""
    count = 0
    for place, folders, files in os.walk(os.path.join(top, folder)):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in (*files, *links):
            count += 1
            if count > _MOST:
                return
            yield os.path.relpath(os.path.join(place, name), top)


def _is_renamed(top: bytes, name: bytes, deleted: set[bytes]) -> bool:
    """Returns True if only letters of a name change their case, where the file system sees no difference in that."""
    folded = name.lower()
    return any(
        other.lower() == folded and os.path.samefile(os.path.join(top, other), os.path.join(top, name))
        for other in deleted
        if len(other) == len(name) and os.path.lexists(os.path.join(top, other))
    )


def changed_by_user(
    repository: Repository, rows: list[Row], old: str, index: str, refused: Result
) -> tuple[bytes, ...]:
    """The files that a landing changes and the user has changed, as git `refused` to land; those it names at least.

    `index` is fresh, `old` the commit or tree that the user's folder comes from. Raises GitFailed.
    """
    names = {name for name, _, _, _ in rows}
    found = set(repository.git("diff-files", "-z", "--name-only", index=index).fields)
    found |= set(repository.git("diff-index", "--cached", "-z", "--name-only", old, index=index).fields)
    named = [os.fsencode(name) for name in re.findall("'([^'\n]+)'", refused.error)]
    return tuple(sorted(found & names)) or tuple(named) or tuple(sorted(names))
