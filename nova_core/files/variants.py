"""Other names that people give to Nova's files: which of them are read, and which only look so."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class _Name(msgspec.Struct, frozen=True):
    """How people write a file's name: `stems` and `endings` that are read, the first by rule, and other endings."""

    stems: tuple[str, ...]
    endings: tuple[str, ...]
    unread: tuple[str, ...]


_OTHER = (".json", ".toml")
_NAMES = {
    "nova.yaml": _Name(("nova",), (".yaml", ".yml"), _OTHER),
    "milestones.yaml": _Name(("milestones", "milestone"), (".yaml", ".yml"), _OTHER),
    "CASCADE.md": _Name(("cascade",), (".md", ".markdown"), (".mdown", ".mkd", "")),
}


def variants_of(name: str, folder: str | Path) -> list[str]:
    """The files that can stand for the missing file `name`: in another case or with the other usual ending, best first.

    `name` is "nova.yaml", "milestones.yaml" or "CASCADE.md".
    """
    ways = [stem + ending for stem in _NAMES[name].stems for ending in _NAMES[name].endings]
    found = (n for n in _files(folder) if n != name and n.lower() in ways)
    return sorted(found, key=lambda n: (ways.index(n.lower()), n != n.lower(), n))


def existing(path: Path) -> Path:
    """The settings file at `path`, or in its folder the variant that stands for it; `path` if there is neither."""
    if not os.path.lexists(path) and (found := variants_of(path.name, path.parent)):
        return path.with_name(found[0])
    return path


def unread(folder: str | Path) -> list[str]:
    """A warning for each file whose name looks like one of Nova's, but which is not read."""
    files, lines = sorted(_files(folder)), []
    for name, ways in _NAMES.items():
        read = name if name in files else next(iter(variants_of(name, folder)), "")
        for found in files:
            stem, ending = os.path.splitext(found.lower().removesuffix(".txt").lstrip("."))
            if found != read and stem in ways.stems and ending in (*ways.endings, *ways.unread):
                lines.append(f"{found} is not read: " + (f"{read} is" if read else f"rename it to {name}"))
    return lines


def _files(folder: str | Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not entry.is_dir()]
    except OSError:
        return []
