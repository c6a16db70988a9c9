"""Checks that a task left the outputs it promised: present, not empty, new, and inside the project.

New means different from what was there before the attempt: no clock is asked, because copied and unpacked files keep
old times, and the clocks of the host and of a file system may differ or jump.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from nova_core.digest import blake2b
from nova_core.model import Task, places_of
from nova_core.text import clean, head_and_tail

MAX_ENTRIES = 100_000
# A file changed twice within a tick of the file system's clock may look as if it had changed once: the kernel's tick is
# up to 10 ms (CONFIG_HZ=100); some file systems store whole seconds only (HFS+, ext3), or even seconds (FAT).
_TICK = 0.010
_COARSE = 2.0
_MARK_BYTES = 6  # of a hash: a whole number that JSON holds exactly


def marks_of(outputs: Iterable[str], root: str | Path, now: float) -> frozenset[int]:
    """Returns a mark for each file that is at the outputs' places before an attempt starts, for `check_outputs`.

    A file that changed just before `now` (seconds since the epoch) has none: the attempt could change it again without
    a trace.
    """
    top = os.path.realpath(root)
    marks: set[int] = set()
    for output in outputs:
        for candidate in islice(_candidates(output, top), MAX_ENTRIES) if _is_inside(output) else ():
            marks.update(islice(_marks_at(candidate, top, now), MAX_ENTRIES))
    return frozenset(marks)


def check_outputs(outputs: Iterable[str], root: str | Path, before: Collection[int] = ()) -> list[str]:
    """One message for each bad output; a file whose mark is in `before` is one that the attempt has not changed.

    An output is a path below `root`, a pattern with `*`, or a directory; for the last two, one good file is enough.
    """
    top = os.path.realpath(root)
    found = (_check(output, top, before) for output in outputs)
    return [problem for problem in found if problem]


def lost_outputs(task: Task, root: str | Path) -> list[str]:
    """One message for each output of a completed task that is not there any more, or empty."""
    if task.workspace:
        return [f"output `{clean(path)}` does not exist" for path in missing(task.outputs, root, task.workspace)]
    return check_outputs(task.outputs, root)


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


def _check(output: str, top: str, before: Collection[int]) -> str | None:
    name = f"output `{clean(head_and_tail(output, 200))}`"
    if not _is_inside(output):
        return f"{name} is not a path inside the project"
    complaint = "does not exist"
    for candidate in islice(_candidates(output, top), MAX_ENTRIES):
        worse = _judge(candidate, top, before)
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
    elif any(sign in output for sign in "*?["):
        import glob  # 1 ms, which a plan without patterns saves

        for match in glob.iglob(output, root_dir=top, recursive=True):
            yield os.path.join(top, match)


def _judge(path: str, top: str, before: Collection[int]) -> str | None:
    """Why this file or directory is not a good output, or None."""
    real = os.path.realpath(path)
    if os.path.commonpath((real, top)) != top:
        return "leads outside the project"
    try:
        status = os.stat(real)
    except OSError as error:
        return f"cannot be read: {error.strerror}" if os.path.lexists(real) else "does not exist"
    if stat.S_ISDIR(status.st_mode):
        return _judge_directory(real, top, before)
    return _judge_file(status, before and _mark(path, top, os.lstat(path), status) in before)


def _judge_directory(path: str, top: str, before: Collection[int]) -> str | None:
    complaint = "is a directory without files"
    for file, status in islice(_files_below(path), MAX_ENTRIES):
        worse = _judge_file(status, before and _mark(file, top, status, status) in before)
        if worse is None:
            return None
        complaint = f"is a directory without a valid file: the last one {worse}"
    return complaint


def _files_below(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Path and status of every file below `path`; links are not followed, so that the walk ends."""
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
                    yield entry.path, entry.stat(follow_symlinks=False)
                except OSError:
                    continue


def _judge_file(status: os.stat_result, is_old: object) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if not status.st_size:
        return "is empty"
    return "was there before this attempt, which has not changed it" if is_old else None


def _marks_at(path: str, top: str, now: float) -> Iterator[int]:
    """Yields the marks of a file, or of all files below a directory, leaving out those that changed just before now."""
    try:
        link, status = os.lstat(path), os.stat(path)
    except OSError:
        return
    if not stat.S_ISDIR(status.st_mode):
        found: Iterable[tuple[str, os.stat_result, os.stat_result]] = [(path, link, status)]
    else:
        found = ((file, status, status) for file, status in _files_below(os.path.realpath(path)))
    for file, link, status in found:
        if _is_settled(link, now) and _is_settled(status, now):
            yield _mark(file, top, link, status)


def _is_settled(status: os.stat_result, now: float) -> bool:
    tick = _TICK if status.st_ctime_ns % 1_000_000_000 else _COARSE
    return abs(now - status.st_ctime) > tick


def _mark(path: str, top: str, link: os.stat_result, status: os.stat_result) -> int:
    """Returns a number for a file as it is now; `link` is the status of the path itself, if that is a link.

    The device is left out: its number may change when the machine starts again.
    """
    shown = path.removeprefix(top)  # the project may move while no engine is running
    found = (link.st_ino, link.st_ctime_ns, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    text = "\0".join((shown, *map(str, found))).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=_MARK_BYTES).digest(), "big")
