"""Ticks the boxes of finished tasks in their source file, and changes nothing else there."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from nova_core.files.disk import Disk
from nova_core.importers.checklist import DONE_MARKS, Box, match_box, read_checklist
from nova_core.importers.heads import read_head
from nova_core.model import Mark
from nova_core.parser.source import MAX_BYTES

_LINE_END = re.compile(r"\r\n|\n|\r")
_ATTEMPTS = 3


class Ticked(msgspec.Struct, frozen=True):
    """The text with its boxes ticked: `lines` are the changed lines, `missed` the marks whose box was not found."""

    text: str
    lines: tuple[int, ...] = ()
    missed: tuple[Mark, ...] = ()


class TickError(OSError):
    """The boxes of a file cannot be ticked."""


def tick(text: str, marks: Iterable[Mark], completed: Collection[str]) -> Ticked:
    """Tick the boxes of `marks` whose tasks are all completed.

    A box is found by its line and text, else by its text, else by its id: the file may have been edited since it was
    read. Ambiguous boxes are not changed. Nothing is ever unticked.
    """
    done = [mark for mark in marks if all(task_id in completed for task_id in mark.ids)]
    if not done:
        return Ticked(text)
    boxes = read_checklist(text).boxes
    finder = _Finder(boxes)
    found: dict[int, Box] = {}
    missed = []
    for mark in done:
        box = finder.find(mark)
        if box is None:
            missed.append(mark)
        elif box.mark not in DONE_MARKS:
            found[box.line] = box
    return Ticked(_changed(text, found, _habit(boxes)), tuple(sorted(found)), tuple(missed))


def tick_file(
    path: Path, marks: Iterable[Mark], completed: Collection[str], *, root: Path, disk: Disk | None = None
) -> Ticked:
    """Tick boxes in a file, which is replaced whole and keeps its mode.

    Raises `OSError`; `TickError` for a link out of the project `root`, for a file that is not text, and for a file that
    another program keeps writing.
    """
    disk = disk or Disk()
    target = path.resolve(strict=True)
    named_inside = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(root)) or path.is_symlink()
    if named_inside and not target.is_relative_to(root.resolve()):
        raise TickError(f"{path} is a link to a file outside the project")
    marks = tuple(marks)
    for _ in range(_ATTEMPTS):
        before = _stamp(target)
        text = _read(target)
        ticked = tick(text, marks, completed)
        if not ticked.lines:
            return ticked
        if _stamp(target) == before:  # the file was not saved in the meantime
            mode = target.stat().st_mode & 0o7777
            disk.replace(target, ticked.text.encode(), mode=mode, exact=True)
            return ticked
    raise TickError(f"{path} is being written by another program")


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise TickError(f"{path} is larger than {MAX_BYTES >> 20} MiB")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise TickError(f"{path} is not UTF-8") from None


def _stamp(path: Path) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


class _Finder:
    """The boxes of a file by line, text and id."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        self._by_line = {box.line: box for box in boxes}
        self._by_words: dict[str, list[Box]] = {}
        self._by_id: dict[str, list[Box]] = {}
        for box in boxes:
            self._by_words.setdefault(box.head, []).append(box)
            if task_id := read_head(box.head).id:
                self._by_id.setdefault(task_id, []).append(box)

    def find(self, mark: Mark) -> Box | None:
        """The box of a mark; None if there is none, or if several match."""
        same = self._by_words.get(mark.text, [])
        here = self._by_line.get(mark.line)
        if here is not None and here.head == mark.text:
            return here
        if len(same) == 1:
            return same[0]
        task_id = read_head(mark.text).id
        alike = self._by_id.get(task_id, []) if task_id and not same else []
        if len(alike) == 1:
            return alike[0]
        return here if here in alike else None


def _habit(boxes: Iterable[Box]) -> str:
    """The file's usual tick: `X` if it is more frequent than `x`."""
    marks = [box.mark for box in boxes]
    return "X" if marks.count("X") > marks.count("x") else "x"


def _changed(text: str, boxes: Collection[int], habit: str) -> str:
    """The text with the boxes on those lines ticked."""
    out = []
    start, number = 0, 1
    for end in _LINE_END.finditer(text):
        if number in boxes:
            out.append(_line(text[start : end.start()], habit))
            out.append(end[0])
        else:
            out.append(text[start : end.end()])
        start, number = end.end(), number + 1
    rest = text[start:]
    return "".join([*out, _line(rest, habit) if number in boxes else rest])


def _line(line: str, habit: str) -> str:
    bom = "\ufeff" if line.startswith("\ufeff") else ""
    match = match_box(line[len(bom) :])
    if match is None:
        return line
    if match["ballot"]:
        habit = "☑"
    start, end = match.span("ballot" if match["ballot"] else "mark")
    return f"{line[: len(bom) + start]}{habit}{line[len(bom) + end :]}"
