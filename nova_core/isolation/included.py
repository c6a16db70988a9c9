"""Files that the user has as the commit of uncommitted changes has them: landing may bring those forward."""

from __future__ import annotations

import os
import shutil

import msgspec

from nova_core.isolation.half_landed import Row, differing, enter, entries, entry, is_there, objects, overlaid
from nova_core.isolation.repository import Repository, changed
from nova_core.isolation.values import Landing


class Start(msgspec.Struct, frozen=True):
    """What a landing starts from: a commit or tree object, and an index of the user's or like it."""

    tree: str
    index: str


def start_of(repository: Repository, landing: Landing) -> Start:
    """As the user's branch and index are; but where the folder has what was included, as that commit is.

    A file of which the user has staged anything else is left out: that would be in no commit. Raises GitFailed,
    OSError.
    """
    place, included = repository.place, landing.included
    if not included or included == landing.old or repository.is_ancestor(included, landing.old):
        return Start(landing.old, place.index)
    options = ("diff-tree", "-r", "-z", "--raw", "--no-renames")
    rows = list(changed(repository.git(*options, f"{included}^", included).fields))
    lines = _taken_over(repository, rows, f"{included}^")
    if not lines:
        return Start(landing.old, place.index)
    index = repository.fresh(place.run_file("included.index"))
    shutil.copy2(place.index, index)
    enter(repository, index, lines)
    repository.git("update-index", "-q", "--refresh", index=repository.fresh(index), ok=(0, 1))
    return Start(overlaid(repository, landing.old, lines), index)


def _taken_over(repository: Repository, rows: list[Row], parent: str) -> list[bytes]:
    """The entries, for an index, of files that are as they were included and staged as before that, or as included."""
    top = os.fsencode(repository.place.top)
    there = [row for row in rows if row[1] != b"D" and is_there(os.path.join(top, row[0]))]
    gone = [row for row in rows if row[1] == b"D" and not os.path.lexists(os.path.join(top, row[0]))]
    unequal = differing(repository, there)
    before = objects(repository, parent, rows)
    known = entries(repository, [row[0] for row in rows], repository.place.index)
    found = []
    for row in (*(row for row in there if row[0] not in unequal), *gone):
        letter, staged = known.get(row[0], ("H", ""))
        if letter == "H" and staged in ("", before.get(row[0], ""), row[3]):
            found.append(entry(row))
    return found
