"""Reads a patch of git's: its files, and what each line is. All text is cleaned for a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from nova_core.text import clean, number_of

_HUNK = re.compile(r"@@ -\d+(?:,(?P<old>\d+))? \+\d+(?:,(?P<new>\d+))? @@")
_ESCAPED = re.compile(r'\\(?P<octal>[0-3][0-7]{2})|\\(?P<plain>["\\abfnrtv])')
_CONTROLS = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_LONGEST = 2_000  # characters of a line that are shown
_SAYS = {"new file mode": "new", "deleted file mode": "deleted", "rename from": "renamed", "copy from": "copied"}


class Kind(StrEnum):
    """What a line of a patch is."""

    FILE = "file"
    HEAD = "head"
    HUNK = "hunk"
    ADDED = "added"
    REMOVED = "removed"
    SAME = "same"


class Line(msgspec.Struct, frozen=True):
    """A line as git wrote it, cleaned."""

    kind: Kind
    text: str


class PatchFile(msgspec.Struct):
    """A changed file: `what` is "new", "deleted", "renamed", "copied", "mode" or "" (changed), `at` the index of its
    first line. `before` is its earlier name, if that is another."""

    path: str
    at: int
    what: str = ""
    before: str = ""
    added: int = 0
    removed: int = 0
    is_binary: bool = False

    @property
    def counts(self) -> str:
        """`+3 -1`, or `binary`."""
        return "binary" if self.is_binary else f"+{self.added} -{self.removed}"

    @property
    def label(self) -> str:
        """The path with what happened to it: `b.py (renamed from a.py)`."""
        said = f"renamed from {self.before}" if self.what == "renamed" else self.what
        return f"{self.path} ({said})" if said else self.path


class Patch(msgspec.Struct, frozen=True):
    """The files of a patch, and all of its lines."""

    files: tuple[PatchFile, ...] = ()
    lines: tuple[Line, ...] = ()

    def total(self) -> str:
        """`3 files changed, +10 -2`."""
        added, removed = sum(file.added for file in self.files), sum(file.removed for file in self.files)
        return f"{number_of(len(self.files), 'file')} changed, +{added:,} -{removed:,}"


def read_patch(text: str) -> Patch:
    """The patch in a text that `git diff` wrote without colours; never fails, whatever the text is."""
    files: list[PatchFile] = []
    lines = tuple(_read(text, files)) if text else ()
    return Patch(tuple(files), lines)


def _read(text: str, files: list[PatchFile]) -> Iterator[Line]:
    old = new = 0  # lines that the hunk still has
    for at, line in enumerate(text.removesuffix("\n").split("\n")):
        if old > 0 or new > 0:
            kind, old, new = _in_hunk(line, old, new)
            if files:
                files[-1].added += kind is Kind.ADDED
                files[-1].removed += kind is Kind.REMOVED
        elif line.startswith("diff --git "):
            kind = Kind.FILE
            files.append(PatchFile(_named(line), at))
        elif match := _HUNK.match(line):
            kind, old, new = Kind.HUNK, int(match["old"] or 1), int(match["new"] or 1)
        else:
            kind = Kind.HEAD
            if files:
                _tell(files[-1], line)
        yield Line(kind, shown(line))


def _in_hunk(line: str, old: int, new: int) -> tuple[Kind, int, int]:
    mark = line[:1]
    if mark == "+":
        return Kind.ADDED, old, new - 1
    if mark == "-":
        return Kind.REMOVED, old - 1, new
    if mark == "\\":  # no newline at the end of the file
        return Kind.HEAD, old, new
    return Kind.SAME, old - 1, new - 1


def _tell(file: PatchFile, line: str) -> None:
    """Learn from a line between the name of a file and its first hunk."""
    for head, what in _SAYS.items():
        if line.startswith(head):
            file.what = what
    if line.startswith(("new mode", "old mode")):
        file.what = file.what or "mode"
    elif line.startswith(("rename from ", "copy from ")):
        file.before = name_in(line.partition(" from ")[2])
    elif line.startswith(("rename to ", "copy to ")):
        file.path = name_in(line.partition(" to ")[2])
    elif line.startswith(("Binary files ", "GIT binary patch")):
        file.is_binary = True
    elif line.startswith(("--- ", "+++ ")) and (name := name_in(line[4:], prefix=True)) != "/dev/null":
        file.path = name


def _named(line: str) -> str:
    """The name in `diff --git a/x b/x`; both halves are alike unless it was renamed, which other lines say."""
    rest = line.removeprefix("diff --git ")
    if rest.startswith('"'):
        return name_in(rest[: rest.find('" ') + 1] or rest, prefix=True)
    half = rest[: (len(rest) - 1) // 2]
    return name_in(half, prefix=True)


def name_in(text: str, *, prefix: bool = False) -> str:
    """A file name as git writes it, unquoted and cleaned; `prefix` removes `a/` or `b/`."""
    text = text.removesuffix("\t")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = _unquoted(text[1:-1])
    if prefix and text[:2] in ("a/", "b/"):
        text = text[2:]
    return shown(text).replace("\t", " ") or "?"


def _unquoted(text: str) -> str:
    def byte(match: re.Match[str]) -> bytes:
        return bytes([int(match["octal"], 8) if match["octal"] else _CONTROLS[match["plain"]]])

    found, at = b"", 0
    for match in _ESCAPED.finditer(text):
        found += text[at : match.start()].encode("utf-8", "replace") + byte(match)
        at = match.end()
    return (found + text[at:].encode("utf-8", "replace")).decode("utf-8", "replace")


def shown(text: str) -> str:
    """A line as it may reach a terminal; a very long one is cut, and says so."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} ... ({len(text) - _LONGEST:,} more characters)"
    return clean(text)


def stat_rows(files: Iterable[PatchFile]) -> list[tuple[str, str]]:
    """Each file with its counts."""
    return [(file.label, file.counts) for file in files]
