"""What a killed landing has written already: taken into the index, because git alone finds it in the way."""

from __future__ import annotations

import os
import stat

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Landing

Row = tuple[bytes, bytes, str, str]  # name, status, new mode, new object


def adopt(repository: Repository, index: str, rows: list[Row], landing: Landing) -> str:
    """Enter the files that are as in `landing.new` into an index that is a copy of the user's.

    Returns the commit or tree object that the rest still has to come from. Of a landing that is open, files that hold
    only the first part of their new content are removed: a killed git wrote them, and nothing is lost, because they are
    written again. Raises GitFailed, OSError.
    """
    top = os.fsencode(repository.place.top)
    there = [row for row in rows if row[1] != b"D" and _is_there(os.path.join(top, row[0]))]
    gone = [row for row in rows if row[1] == b"D" and not _is_there(os.path.join(top, row[0]))]
    differing = _differing(repository, there)
    lines = [b"0 %b\t%b" % (b"0" * len(landing.new), name) for name, _, _, _ in gone]
    lines += [_entry(row) for row in there if row[0] not in differing]
    _enter(repository, index, lines)
    repository.git("update-index", "-q", "--refresh", index=repository.fresh(index), ok=(0, 1))
    if landing.is_open:
        _remove_cut(repository, index, [row for row in there if row[0] in differing])
    if not lines:
        return landing.old
    other = repository.fresh(repository.place.run_file("adopt.index"))
    repository.git("read-tree", landing.old, index=other)
    _enter(repository, other, lines)
    tree = repository.object_name("write-tree", index=repository.fresh(other))
    repository.disk.unlink(other)
    return tree


def _entry(row: Row) -> bytes:
    return b"%b %b\t%b" % (row[2].encode(), row[3].encode(), row[0])


def _enter(repository: Repository, index: str, lines: list[bytes]) -> None:
    """Set entries of an index, as `git update-index --index-info` reads them."""
    if lines:
        options = ("update-index", "-z", "--add", "--replace", "--index-info")
        repository.git(*options, index=repository.fresh(index), stdin=b"\0".join([*lines, b""]))


def _is_there(path: bytes) -> bool:
    """Returns True for anything but a folder, which may have taken the place of a file."""
    return os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path))


def _differing(repository: Repository, rows: list[Row]) -> set[bytes]:
    """The names of files that are not as in the commit: compared by git, with the project's filters."""
    if not rows:
        return set()
    index = repository.fresh(repository.place.run_file("adopt.index"))
    repository.disk.unlink(index)
    _enter(repository, index, [_entry(row) for row in rows])
    found = set(repository.git("ls-files", "-z", "-m", index=index).fields)
    repository.disk.unlink(index)
    return found


def _remove_cut(repository: Repository, index: str, rows: list[Row]) -> None:
    """Remove the files that hold only the first part of what they are to hold, and that the index does not have yet."""
    cut = [row for row in rows if _is_cut(repository, row)]
    if not cut:
        return
    listed = repository.git("ls-files", "-z", "-s", "--", *(os.fsdecode(row[0]) for row in cut), index=index).fields
    written = {entry.partition(b"\t")[2]: entry.split(b" ")[1].decode() for entry in listed}
    for name, _, _, sha in cut:
        if written.get(name) != sha:
            repository.disk.unlink(os.path.join(repository.place.top, os.fsdecode(name)))


def _is_cut(repository: Repository, row: Row) -> bool:
    """Returns True if a file holds only the first part of what it is to hold."""
    name, _, mode, sha = row
    path = os.path.join(os.fsencode(repository.place.top), name)
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or not mode.startswith("100"):
        return False
    if status.st_size == 0:
        return True
    whole = repository.git("cat-file", "--filters", f"--path={os.fsdecode(name)}", sha).out
    with open(path, "rb") as file:
        return status.st_size < len(whole) and whole.startswith(file.read(len(whole) + 1))
