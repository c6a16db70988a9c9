"""A project among files that must not change, and a record of their original state."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

HEAD = "# P\n\n| Task ID | Task Name | Depends On | Command |\n| --- | --- | --- | --- |\n"
GOOD_ROWS = "| F1 | One | - | `true` |\n| F2 | Two | F1 | `true` |\n"
Contents = dict[str, tuple[int, bytes]]


class Memory(NamedTuple):
    """The files inside and outside the project."""

    inside: Contents
    outside: Contents


class Sandbox(NamedTuple):
    """`root` is the project; beside it are `victim`, a file, and `elsewhere`, a folder with a file."""

    root: Path
    around: Path

    def inside(self) -> Contents:
        """Everything in the project."""
        return {name: what for name, what in contents(self.around).items() if name.startswith("project/")}

    def remember(self) -> Memory:
        """All files."""
        found = contents(self.around)
        inside = {name: what for name, what in found.items() if name.startswith("project/")}
        return Memory(inside, {name: what for name, what in found.items() if name not in inside})

    def require_unharmed(self, before: Memory) -> None:
        """Nothing outside is new, missing or different, no planted command ran, and no input file has changed."""
        after = self.remember()
        assert after.outside == before.outside
        assert not list(self.around.rglob("pwned*"))
        kept = {name: what for name, what in before.inside.items() if not name.endswith("cascade_state.json")}
        assert {name: after.inside.get(name) for name in kept} == kept


def contents(folder: Path) -> Contents:
    """Kind, mode and data of everything below `folder`; links are not followed."""
    found: Contents = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            mode = os.lstat(path).st_mode
            found[os.path.relpath(path, folder)] = (mode, data_of(path, mode))
    return found


def data_of(path: str, mode: int) -> bytes:
    """The contents of a file, or the target of a link."""
    if stat.S_ISLNK(mode):
        return os.fsencode(os.readlink(path))
    return Path(path).read_bytes() if stat.S_ISREG(mode) and mode & 0o400 else b""


def make_sandbox(around: Path) -> Sandbox:
    """A good project with two tasks in `around/project`."""
    root = around / "project"
    root.mkdir()
    (root / "CASCADE.md").write_text(HEAD + GOOD_ROWS)
    (around / "victim").write_text("precious\n")
    (around / "elsewhere").mkdir()
    (around / "elsewhere" / "F1.log").write_text("precious\n")
    return Sandbox(root, around)
