"""The files of a folder that is a plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from nova_core.errors import InputError, Problem
from nova_core.parser.findings import shown_path

MOST_FILES = 20_000


def files_below(folder: str, is_wanted: Callable[[str], object], most: int, closed: str = "") -> Iterator[str]:
    """Up to `most` files of a folder and its subfolders whose names are wanted, by name.

    Links to folders are not followed, hidden folders and those called `closed` are left out.
    """
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != "." and name != closed)
        for name in sorted(files):
            if is_wanted(name):
                yield os.path.join(at, name)
                most -= 1
                if not most:
                    return


def all_files(folder: str, found: Iterator[str]) -> Iterator[str]:
    """The found files of a plan. Raises `InputError` after the first `MOST_FILES`: a plan is read whole."""
    for count, file in enumerate(found):
        if count == MOST_FILES:
            hint = "name a part of the folder"
            raise InputError([Problem(shown_path(folder), 0, f"it has more than {MOST_FILES:,} files of tasks", hint)])
        yield file


def head_of(file: str, most: int) -> str:
    """The first `most` characters of a file; empty if it cannot be read."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read(most)
    except OSError:
        return ""
