"""What a killed landing has written already: taken into the index, because git alone finds it in the way."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nova_core.isolation.repository import Repository

_FEW = 500  # names that git is asked for; of more, it lists all that it has
# A file without contents, which is also what `git add --intent-to-add` has of one.
_EMPTY = frozenset(
    {"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"}
)
Row = tuple[bytes, bytes, str, str]  # name, status, new mode, new object


def adopt(repository: Repository, index: str, rows: list[Row], old: str) -> str:
    """Enter the files that are as `rows` would have them into an index that is a copy of the user's.

    One of which the user has staged something else stays as it is: that would be in no commit. Returns the commit or
    tree object that the rest still has to come from: `old`, but for these files. Raises GitFailed, OSError.
    """
    top = os.fsencode(repository.place.top)
    there = [row for row in rows if row[1] != b"D" and is_there(os.path.join(top, row[0]))]
    gone = [row for row in rows if row[1] == b"D" and not is_there(os.path.join(top, row[0]))]
    staged, before = entries(repository, [row[0] for row in (*gone, *there)], index), objects(repository, old, rows)
    unequal = differing(repository, there)
    own = {name for name, (_, sha) in staged.items() if sha != before.get(name, sha if sha in _EMPTY else "")}
    own -= {row[0] for row in there if staged.get(row[0], ("", ""))[1] == row[3]}
    lines = [entry(row) for row in (*gone, *there) if row[0] not in unequal | own]
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


def entries(repository: Repository, names: Iterable[bytes], index: str) -> dict[bytes, tuple[str, str]]:
    """Those of the names that an index has: a letter (`S`: outside of a sparse checkout, else `H`) and the object."""
    asked = set(names)
    if not asked:
        return {}
    paths = [os.fsdecode(name) for name in asked] if len(asked) <= _FEW else []
    found = {}
    for field in repository.git("ls-files", "-z", "-s", "-t", "--", *paths, index=index).fields:
        head, _, name = field.partition(b"\t")
        if name in asked:
            letter, _, sha, _ = head.decode().split(" ")
            found[name] = (letter if letter == "S" else "H", sha)
    return found


def objects(repository: Repository, commit: str, rows: list[Row]) -> dict[bytes, str]:
    """The objects of files in a commit."""
    asked, found = {row[0] for row in rows}, {}
    for field in repository.git("ls-tree", "-r", "-z", commit).fields:
        head, _, name = field.partition(b"\t")
        if name in asked:
            found[name] = head.decode().split()[2]
    return found
