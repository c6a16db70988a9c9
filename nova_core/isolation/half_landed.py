"""What a killed landing has written already: taken into the index, because git alone finds it in the way."""

from __future__ import annotations

import os

from nova_core.isolation.repository import Repository

Row = tuple[bytes, bytes, str, str]  # name, status, new mode, new object


def adopt(repository: Repository, index: str, rows: list[Row], old: str) -> str:
    """Enter the files that are as `rows` would have them into an index that is a copy of the user's.

    Returns the commit or tree object that the rest still has to come from: `old`, but for these files. Raises
    GitFailed, OSError.
    """
    top = os.fsencode(repository.place.top)
    there = [row for row in rows if row[1] != b"D" and is_there(os.path.join(top, row[0]))]
    gone = [row for row in rows if row[1] == b"D" and not is_there(os.path.join(top, row[0]))]
    unequal = differing(repository, there)
    lines = [entry(row) for row in (*gone, *(row for row in there if row[0] not in unequal))]
    enter(repository, index, lines)
    repository.git("update-index", "-q", "--refresh", index=repository.fresh(index), ok=(0, 1))
    return overlaid(repository, old, lines) if lines else old


def overlaid(repository: Repository, old: str, lines: list[bytes]) -> str:
    """The tree object of a commit or tree with some entries set. Raises GitFailed, OSError."""
    other = repository.fresh(repository.place.run_file("adopt.index"))
    repository.git("read-tree", old, index=other)
    enter(repository, other, lines)
    tree = repository.object_name("write-tree", index=repository.fresh(other))
    repository.disk.unlink(other)
    return tree


def entry(row: Row) -> bytes:
    """What a file is to be in an index, for `enter`; the mode of one that is deleted is 0."""
    return b"%b %b\t%b" % (row[2].encode().lstrip(b"0") or b"0", row[3].encode(), row[0])


def enter(repository: Repository, index: str, lines: list[bytes]) -> None:
    """Set entries of an index, as `git update-index --index-info` reads them."""
    if lines:
        options = ("update-index", "-z", "--add", "--replace", "--index-info")
        repository.git(*options, index=repository.fresh(index), stdin=b"\0".join([*lines, b""]))


def is_there(path: bytes) -> bool:
    """Returns True for anything but a folder, which may have taken the place of a file."""
    return os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path))


def differing(repository: Repository, rows: list[Row]) -> set[bytes]:
    """The names of files that are not as in the commit: compared by git, with the project's filters."""
    if not rows:
        return set()
    index = repository.fresh(repository.place.run_file("adopt.index"))
    repository.disk.unlink(index)
    enter(repository, index, [entry(row) for row in rows])
    found = set(repository.git("ls-files", "-z", "-m", index=index).fields)
    repository.disk.unlink(index)
    return found
