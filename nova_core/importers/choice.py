"""Decides which of two lists in one file is the plan: its table of tasks, or its boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from pathlib import Path

import msgspec

from nova_core.parser.blocks import split_lines
from nova_core.parser.cells import split_row
from nova_core.parser.columns import read_header
from nova_core.parser.rows import read_id

MARKDOWN = (".md", ".markdown", "")
# Patterns that are compiled when they are needed: most tables need none.
# Boxes of checklists with ids: `- [x] **T001** Text`, `- [ ] 1.2 Text`.
_BOX_WITH_ID = (
    r"(?m)^[ \t]*[-*+] \[[^\]\n]{0,3}\](?:\\?\*)?[ \t]+(?:\*\*|~~|[`\[])*"
    r"(?:T-?\d{2,6}[a-z]?|(?:\d{1,6}|[A-Z])\.\d{1,6})(?![\w-])"
)
_OURS = r"(?m)^#{1,3}[ \t]+L[0-3][:.][ \t]"
_OUR_HEADER = r"(?mi)^\|?[^|\n]{1,40}\|[^|\n]{1,40}\|\s*What Changes\s*\|\s*Depends On\s*\|"


class TaskTable(msgspec.Struct, frozen=True):
    """A table of tasks with dependencies: its line, and the ids of its rows."""

    line: int
    ids: tuple[str, ...]


def is_ours(path: str, text: str) -> bool:
    """Returns True for a table that was written for Nova: by its name, its columns, or headings such as `## L1:`."""
    name = Path(path).name.casefold()
    return name.startswith("cascade") or bool(re.search(_OUR_HEADER, text) or re.search(_OURS, text))


def has_task_table(text: str) -> bool:
    """Returns True if there is a table of tasks with dependencies."""
    return next(_headers(split_lines(text)), None) is not None


def is_table(path: str, text: str) -> bool:
    """Returns True if the plan of a file is its table of tasks.

    The boxes are the plan if more of them have ids than the table has rows; or if they are as many as its rows, and
    hold what is ticked or how to do it; or if each row is a heading `### Task 1: Title` with boxes. Else boxes below
    the id of a row are its criteria.
    """
    if Path(path).suffix.lower() not in MARKDOWN or not has_task_table(text):
        return False
    boxes = len(re.findall(_BOX_WITH_ID, text)) if "[" in text else 0
    if not boxes and ("[" not in text or is_ours(path, text)):
        return True
    tables = list(task_tables(text))
    if boxes > sum(len(table.ids) for table in tables):
        return False
    if is_ours(path, text) or "[" not in text:
        return True
    from nova_core.importers.boxes import (
        are_the_plan,
        steps_are_the_plan,
    )  # 15 ms, which Nova's own tables need not wait for

    ids = ids_of(tables)
    return not (are_the_plan(text, ids, max(len(table.ids) for table in tables)) or steps_are_the_plan(text, ids))


def ids_of(tables: Iterable[TaskTable]) -> list[str]:
    """The ids of all rows."""
    return [task_id for table in tables for task_id in table.ids]


def task_tables(text: str) -> Iterator[TaskTable]:
    """The tables of tasks with dependencies."""
    lines = split_lines(text)
    for at, column in _headers(lines):
        rows = (cells_of(row) for row in takewhile(lambda row: "|" in row, islice(lines, at + 1, None)))
        yield TaskTable(at, tuple(read_id(cells[column]) for cells in rows if len(cells) > column))


def _headers(lines: list[str]) -> Iterator[tuple[int, int]]:
    """The line below the header of each such table, and its column of ids."""
    for at, line in enumerate(lines):
        if (
            at and "|" in line and "-" in line and not line.strip(" \t|:-")
            and (header := read_header(cells_of(lines[at - 1]))) and header.depends_on
        ):  # fmt: skip
            yield at, header.id


def cells_of(line: str) -> list[str]:
    """The stripped cells of a row."""
    return [cell.strip() for cell in split_row(line)]
