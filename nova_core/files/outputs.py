"""Checks that a task left the outputs it promised: present, not empty, new, and inside the project."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from nova_core.model import places_of
from nova_core.text import clean, head_and_tail

MAX_ENTRIES = 100_000
# The kernel stamps files with the time of its last tick, up to 10 ms (CONFIG_HZ=100) before the time programs read.
_TICK = 0.010
# Some file systems store whole seconds only (HFS+, ext3), or even seconds (FAT).
_COARSE = 2.0


def check_outputs(outputs: Iterable[str], root: str | Path, since: float) -> list[str]:
    """One message for each bad output of an attempt that began at `since` (seconds since the epoch).

    An output is a path below `root`, a pattern with `*`, or a directory; for the last two, one good file is enough.
    """
    top = os.path.realpath(root)
    found = (_check(output, top, since) for output in outputs)
    return [problem for problem in found if problem]


def missing(paths: Iterable[str], root: str | Path, workspace: str = "") -> list[str]:
    """The paths (or patterns) that do not exist in `root` or in its folder `workspace`; `a|b` may be at either place.

    Each is named by the first place where it could be.
    """
    top = os.path.realpath(root)
    found = []
    for path in paths:
        places = places_of(path, workspace).split("|")
        if not any(_is_inside(place) and next(_candidates(place, top), None) for place in places):
            found.append(places[0])
    return found


def _check(output: str, top: str, since: float) -> str | None:
    name = f"output `{clean(head_and_tail(output, 200))}`"
    if not _is_inside(output):
        return f"{name} is not a path inside the project"
    complaint = "does not exist"
    for candidate in islice(_candidates(output, top), MAX_ENTRIES):
        worse = _judge(candidate, top, since)
        if worse is None:
            return None
        complaint = worse
    return f"{name} {complaint}"


def _is_inside(output: str) -> bool:
    """Returns True for a valid path (no NUL, no lone surrogate) that only leads down."""
    path = PurePosixPath(output)
    encodable = output.encode("utf-8", "replace") == output.encode("utf-8", "surrogatepass")
    return encodable and "\0" not in output and bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _candidates(output: str, top: str) -> Iterator[str]:
    """The path itself, which may hold brackets (`[id].tsx`), else the matches of the pattern."""
    literal = os.path.join(top, output)
    if os.path.lexists(literal):
        yield literal
    elif glob.has_magic(output):
        for match in glob.iglob(output, root_dir=top, recursive=True):
            yield os.path.join(top, match)


def _judge(path: str, top: str, since: float) -> str | None:
    """Why this file or directory is not a good output, or None."""
    real = os.path.realpath(path)
    if os.path.commonpath((real, top)) != top:
        return "leads outside the project"
    try:
        status = os.stat(real)
    except OSError as error:
        return f"cannot be read: {error.strerror}" if os.path.lexists(real) else "does not exist"
    if stat.S_ISDIR(status.st_mode):
        return _judge_directory(real, since)
    return _judge_file(status, since)


def _judge_directory(path: str, since: float) -> str | None:
    complaint = "is a directory without files"
    for status in islice(_files_below(path), MAX_ENTRIES):
        worse = _judge_file(status, since)
        if worse is None:
            return None
        complaint = f"is a directory without a valid file: the last one {worse}"
    return complaint


def _files_below(path: str) -> Iterator[os.stat_result]:
    """Status of every file below `path`; links are not followed, so that the walk ends."""
    waiting = [path]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                try:
                    yield entry.stat(follow_symlinks=False)
                except OSError:
                    continue


def _judge_file(status: os.stat_result, since: float) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if not status.st_size:
        return "is empty"
    slack = _TICK if status.st_mtime_ns % 1_000_000_000 else _COARSE
    return None if status.st_mtime >= since - slack else "is older than this attempt"
