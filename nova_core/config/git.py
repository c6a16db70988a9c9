"""Settings of isolation and merge, as `nova.yaml` has them."""

import os
import posixpath
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from nova_core.files.typed_yaml import (
    Reader,
    above_zero,
    kind_of,
    list_of,
    plain,
    read_choice,
    read_count,
    read_names,
    read_size,
    read_text,
)

ISOLATION = ("auto", "tree", "off")
UNCOMMITTED = ("refuse", "ignore", "include")


def _read_inside(value: object) -> str:
    """A path or pattern below the project's folder: relative, without `..`, not the folder itself."""
    text = read_text(value).strip()
    parts = text.split("/")
    if text.startswith(("/", "~")) or ".." in parts or posixpath.normpath(text) == ".":
        raise ValueError(f"must be a path below the project's folder, not {kind_of(value)}")
    if ".git" in parts:
        raise ValueError("must not lead into .git")
    return text


def _read_paths(reader: Reader, keys: tuple[str | int, ...], data: object) -> Any:
    """Read a list of paths, or one text with commas."""
    if isinstance(data, str):
        names = reader.value(keys, data, read_names)
        data = None if names is None else list(names)
    return None if data is None else list_of(plain(_read_inside))(reader, keys, data)


def _read_generated(reader: Reader, keys: tuple[str | int, ...], data: object) -> Any:
    """Read the command of each pattern of files."""
    found = reader.named(keys, data, plain(read_text))
    for pattern in found:
        try:
            _read_inside(pattern)
        except ValueError as error:
            reader.fail((*keys, pattern), str(error), "write a pattern such as `package-lock.json` or `gen/**`")
    return found


def _read_trees(reader: Reader, keys: tuple[str | int, ...], data: object) -> Any:
    """Read the folder of the trees; a relative one is seen from the file. It cannot be inside the project."""
    text = reader.value(keys, data, read_text)
    if text is None:
        return None
    project = os.path.realpath(os.path.dirname(os.path.abspath(reader.document.path)))
    folder = os.path.realpath(os.path.join(project, os.path.expanduser(text.strip())))
    if folder == project or folder.startswith(project + os.sep):
        hint = "write a folder beside it, such as ../trees: tools that search the project must not find its copies"
        reader.fail(keys, "must be outside the project's folder", hint)
        return None
    return folder


Paths = Annotated[tuple[str, ...], _read_paths]


class GitConfig(msgspec.Struct, frozen=True):
    """How tasks are kept apart, and how their work is merged.

    `trees` is the folder of the trees (None: beside the project). Each tree gets the ignored files that match `copy`,
    shares the ignored folders of `link`, and runs the line `setup`. `recheck`: criteria run again where a merge made
    something new; `check` is a line to run on each merged tree. `conflicts` is "resolve", "stop", or "avoid": tasks
    that will touch the same files never run at the same time. `generated` maps patterns to lines that make such files
    again. `land` is "end", "each" or "no", `uncommitted` "refuse", "ignore" or "include". A new file above `max_file`
    bytes, or more new files than `max_new`, are not taken.
    """

    trees: Annotated[str, _read_trees] | None = None
    copy: Paths = (".env", ".env.*")
    link: Paths = ()
    setup: str | None = None
    recheck: bool = True
    check: str | None = None
    conflicts: Annotated[str, plain(read_choice("resolve", "stop", "avoid"))] = "resolve"
    generated: Annotated[Mapping[str, str], _read_generated] = {}
    land: Annotated[str, plain(read_choice("end", "each", "no"))] = "end"
    uncommitted: Annotated[str, plain(read_choice(*UNCOMMITTED))] = "refuse"
    max_file: Annotated[int, plain(above_zero(read_size))] = 50_000_000
    max_new: Annotated[int, plain(above_zero(read_count))] = 5_000
