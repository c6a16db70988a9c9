"""What a killed landing has written already: taken into the index, because git alone finds it in the way."""

from __future__ import annotations

import os
import stat

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Landing

Row = tuple[bytes, bytes, str, str]  # name, status, new mode, new object


def adopt(repository: Repository, index: str, rows: list[Row], landing: Landing) -> int:
    """Enter the files that are as in `landing.new` into an index that is a copy of the user's; returns their number.

    Of a landing that is open, files that hold only the first part of their new content are removed: a killed git wrote
    them, and nothing is lost, because they are written again. Raises GitFailed, OSError.
    """
    top = os.fsencode(repository.place.top)
    there = [row for row in rows if row[1] != b"D" and _is_there(os.path.join(top, row[0]))]
    gone = [row for row in rows if row[1] == b"D" and not _is_there(os.path.join(top, row[0]))]
    differing = _differing(repository, there)
    same = [row for row in there if row[0] not in differing]
    zero = b"0" * len(landing.new)
    lines = [b"%b %b\t%b" % (mode.encode(), sha.encode(), name) for name, _, mode, sha in same]
    lines += [b"0 %b\t%b" % (zero, name) for name, _, _, _ in gone]
    if lines:
        stdin = b"\0".join([*lines, b""])
        repository.git(
            "update-index", "-z", "--add", "--replace", "--index-info", index=repository.fresh(index), stdin=stdin
        )
    repository.git("update-index", "-q", "--refresh", index=repository.fresh(index), ok=(0, 1))
    cut = [row for row in there if row[0] in differing and _is_cut(repository, row)] if landing.is_open else []
    for name, _, _, _ in cut:
        repository.disk.unlink(os.fsdecode(os.path.join(top, name)))
    return len(lines) + len(cut)


def _is_there(path: bytes) -> bool:
    """Returns True for anything but a folder, which may have taken the place of a file."""
    return os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path))


def _differing(repository: Repository, rows: list[Row]) -> set[bytes]:
    """The names of files that are not as in the commit: compared by git, with the project's filters."""
    if not rows:
        return set()
    index = repository.fresh(repository.place.run_file("adopt.index"))
    repository.disk.unlink(index)
    lines = [b"%b %b\t%b" % (mode.encode(), sha.encode(), name) for name, _, mode, sha in rows]
    repository.git("update-index", "-z", "--index-info", index=index, stdin=b"\0".join([*lines, b""]))
    found = set(repository.git("diff-files", "-z", "--name-only", "--ignore-submodules=dirty", index=index).fields)
    repository.disk.unlink(index)
    return found


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
        return status.st_size <= len(whole) and whole.startswith(file.read(len(whole) + 1))
