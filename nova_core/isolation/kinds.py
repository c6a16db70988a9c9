"""The kinds of conflict: what each is, and what settles it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence

import msgspec

from nova_core.text import clean, first_of

_MOST_NAMES = 5
_MODULE, _LINK = b"160000", b"120000"
_LINES = ("contents", "add/add")
_AS_IT_IS = "if it is right as it is: `git add {path}`"
# By the kind: what has happened, and what settles that in a tree where both sides are put together.
_KINDS = {
    "contents": ("both changed the same lines", "make of them what both want, and remove the marks"),
    "add/add": ("both added it", "make of it what both want, and remove the marks"),
    "binary": (
        "both changed it, and git cannot merge it by lines",
        "write it again, or take the task's with `git checkout --theirs {path}`, or keep what is merged with "
        "`git add {path}`",
    ),
    "symlink": (
        "both changed where the link points, or one made it a link",
        "link it again, or take the task's with `git checkout --theirs {path}`, or keep what is merged with "
        "`git add {path}`",
    ),
    "mode": ("both gave it other permissions", f"`chmod` it; {_AS_IT_IS}"),
    "submodule": (
        "both moved the submodule, to different commits",
        "fill it with `git submodule update --init {path}` and check out the right commit there; "
        "to keep the one that is merged: `git add {path}`",
    ),
    "modify/delete": (
        "one side changed it, the other deleted it",
        "delete it with `git rm {path}`, or edit it; to keep it as it is: `git add {path}`",
    ),
    "rename/delete": (
        "one side renamed it, the other deleted it",
        "delete it with `git rm {path}`, or edit it; to keep it as it is: `git add {path}`",
    ),
    "rename/rename": (
        "both renamed a file, to different names",
        "delete the name that nobody needs with `git rm`; to keep both, `git add` both",
    ),
    "file/directory": (
        "a file on one side, a folder or a link of that name on the other",
        "{path} is the file: give it another name, or delete it",
    ),
    "distinct types": (
        "a file on one side, something else on the other",
        "the one that is merged is here, and the other has a name of its own: settle that",
    ),
    "file location": (
        "added in a folder that the other side renamed",
        "it is in the renamed folder now: move it, or `git add {path}` to leave it there",
    ),
}
_NAMES = {"directory rename suggested": "file location", "distinct modes": "distinct types"}  # of git before 2.44
_OTHER = ("both sides changed it", f"make of it what both want; {_AS_IT_IS}")


class Rest(msgspec.Struct, frozen=True):
    """What is left of a conflict: names are relative to the project's folder.

    `marks` are files with marks of the conflict, `undecided` others about which nobody has decided, by kind. `dropped`
    are files that the task had changed without a conflict, and that are as if it had not. `is_empty`: nothing of the
    task's work is left, though nobody has decided so.
    """

    marks: tuple[str, ...] = ()
    undecided: dict[str, str] = {}
    dropped: tuple[str, ...] = ()
    is_empty: bool = False

    @property
    def why(self) -> str:
        """Why the conflict is not resolved, in words; empty if it is."""
        if self.marks:
            return f"marks of the conflict are left in {first_of(self.marks, _MOST_NAMES)}"
        if self.is_empty:
            return "nothing of the task's work is left"
        named = [f"{path} ({kind})" for path, kind in self.undecided.items()]
        return f"nobody has decided about {first_of(named, _MOST_NAMES)}" if named else ""


def refined(kinds: Mapping[bytes, str], stages: Sequence[bytes], marked: Collection[bytes]) -> dict[bytes, str]:
    """The kinds by name, apart where git makes no difference: links, submodules, and files without lines or marks.

    `stages` are entries of the index: mode, object, stage, tab, name.
    """
    modes: dict[bytes, set[bytes]] = {}
    sides: dict[bytes, dict[bytes, bytes]] = {}
    for stage in stages:
        head, _, name = stage.partition(b"\t")
        mode, sha, number = head.split()
        modes.setdefault(name, set()).add(mode)
        sides.setdefault(name, {})[number] = sha
    return {
        name: _refined(kind, modes.get(name, set()), sides.get(name, {}), is_marked=name in marked)
        for name, kind in kinds.items()
    }


def _refined(kind: str, modes: set[bytes], sides: dict[bytes, bytes], *, is_marked: bool) -> str:
    """`sides` are objects by the stage: 1 of the common version, 2 of what is merged, 3 of the task."""
    if _MODULE in modes and kind != "file/directory":
        return "submodule"
    if kind not in _LINES:
        return _NAMES.get(kind, kind)
    if _LINK in modes:
        return "symlink"
    if is_marked:
        return "contents" if b"1" in sides else "add/add"
    return "mode" if b"2" in sides and sides[b"2"] == sides.get(b"3") else "binary"


def meaning(kind: str) -> str:
    """What has happened to a file with this kind of conflict."""
    return _KINDS.get(kind, _OTHER)[0]


def to_do(kind: str, path: str) -> str:
    """What settles this kind of conflict about the file, in the tree where both sides are put together."""
    name = clean(path)
    quoted = shlex.quote(f"./{name}" if name.startswith((":", "-")) else name)
    return _KINDS.get(kind, _OTHER)[1].format(path=quoted)
