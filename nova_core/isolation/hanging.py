"""Finds what a worker has put where git expects a file, and what git would wait for or read without end."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from nova_core.files.plain_file import read_plain

_READ = frozenset({".gitignore", ".gitattributes", ".gitmodules"})  # what git reads in a work tree
_MOST_BYTES = 100_000_000  # of one of these; git itself ignores larger attributes
_MOST_LISTED = 1_000_000  # bytes of a list of folders


def trap_in(tree: str) -> str:
    """The name of what git would wait for in a work tree, or read without end; "" if there is nothing.

    That is a pipe, a device or a huge file with the name of one that it reads.
    """
    waiting = [tree]
    while waiting:
        folder = waiting.pop()
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name in _READ and not _is_small(entry.stat(follow_symlinks=False), _MOST_BYTES):
                    return os.path.relpath(entry.path, tree)
    return ""


def _is_small(found: os.stat_result, most: int) -> bool:
    return stat.S_ISLNK(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_size <= most)


def trap_among(objects: str, known: str) -> str:
    """The path of what git would wait for among objects that a worker has made; "" if there is nothing.

    That is anything but files in the folder `objects`, and in those that it names as alternates
    (gitrepository-layout(5)), except for `known`.
    """
    folders, seen = [objects], {os.path.realpath(known)}
    while folders:
        if (real := os.path.realpath(folder := folders.pop())) not in seen:
            seen.add(real)
            listed = Path(folder, "info/alternates")
            lines = _lines(listed)
            if trap := _no_file(folder) or (str(listed) if lines is None else ""):
                return trap
            folders += [os.path.join(folder, line) for line in lines or ()]
    return ""


def _no_file(top: str) -> str:
    """The path of something below a folder that is neither a file nor a folder; "" if there is nothing."""
    waiting = [top]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    return entry.path
    return ""


def _lines(path: Path) -> list[str] | None:
    """The folders that a list of alternates names; None for a list that no git has written for a tree."""
    try:
        found = read_plain(path, _MOST_LISTED).splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return None
    quoted = any(line.startswith(b'"') for line in found)
    return None if quoted else [os.fsdecode(line) for line in found if line and not line.startswith(b"#")]
