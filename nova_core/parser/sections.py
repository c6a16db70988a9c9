"""Walks the blocks of a plan: finds the heading of each table, and the text of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from nova_core.model import is_safe_id
from nova_core.parser.blocks import Block, Heading, Table
from nova_core.parser.cells import MAX_CELLS, split_row, undecorated, without_links
from nova_core.parser.columns import Columns, read_header
from nova_core.parser.findings import Findings, quoted
from nova_core.parser.marks import unmarked
from nova_core.parser.rows import Row, RowReader, read_id

_DASHES_HINT = "write a line such as `|---|---|---|---|` below the header"


class Section(msgspec.Struct, gc=False):
    """The text below `#### <id>`: the lines with indexes from `start` up to `end`."""

    task_id: str
    start: int
    end: int


class Outline:
    """Names the branch and the group at every point of a file.

    The first H1 is the project; H2 is a branch, H3 a group; an `L1:` or `L2:` before the title overrides the number of
    hashes. A table directly below H2 has the branch as its group; directly below H1 the project as both.
    """

    def __init__(self, default_name: str) -> None:
        self.project = default_name
        self.branch = ""
        self.group = ""
        self._named = False

    def enter(self, heading: Heading) -> None:
        """Enter the part of the plan below `heading`."""
        level, title = level_and_title(heading)
        if level == 1 and not self._named:
            self._named = True
            self.project = title or self.project
        elif level <= 2:
            self.branch, self.group = title, ""
        elif level == 3:
            self.group = title

    @property
    def place(self) -> tuple[str, str]:
        """Branch and group of a table at this point."""
        branch = self.branch or self.project
        return branch, self.group or branch


def find_tables(blocks: Sequence[Block], findings: Findings) -> dict[int, Columns]:
    """The task tables among `blocks`, by their index.

    Tables whose id column is a `Phase`, `Step` or the like are overviews once another table has real task ids.
    """
    found = {
        at: columns
        for at, block in enumerate(blocks)
        if isinstance(block, Table) and (columns := read_header(block.header)) and _is_whole(block, columns, findings)
    }
    if any(columns.sure for columns in found.values()):
        for at, columns in list(found.items()):
            table = blocks[at]
            if not columns.sure and isinstance(table, Table):
                name = quoted(table.header[columns.id])
                findings.warn(table.line, f"a table with the id column {name} was ignored", "name the column Task ID")
                del found[at]
    return found


def _is_whole(table: Table, columns: Columns, findings: Findings) -> bool:
    if table.width != columns.width:
        message = f"the header has {columns.width} cells, the line of dashes below it {table.width}"
        findings.warn(table.line, message, _DASHES_HINT)
    for title in columns.unused:
        findings.warn_once(title.casefold(), table.line, f"the column {quoted(title)} is not used")
    return True


def read_rows(
    blocks: Sequence[Block], tables: Mapping[int, Columns], lines: Sequence[str], findings: Findings
) -> dict[int, list[Row]]:
    """The rows of all task tables, by the index of their block, without branch and group."""
    rows: dict[int, list[Row]] = {}
    reader, end = None, 0
    for at, block in enumerate(blocks):
        if isinstance(block, Heading):
            reader = None
            continue
        if at in tables:
            reader = RowReader(tables[at], findings)
        elif block.header:
            reader = None
        elif reader and not any(map(str.strip, lines[end : block.line - 1])):
            findings.warn(
                block.line,
                "an empty line inside the table was ignored",
                "other programs end the table there",
            )
        else:
            reader = None
            _report_stray(block, lines, findings)
        if reader:
            rows[at] = list(reader.read(lines, block.rows))
            end = block.rows[-1] + 1 if block.rows else block.line + 1
    return rows


def _report_stray(block: Table, lines: Sequence[str], findings: Findings) -> None:
    cells = [cell.strip() for cell in split_row(lines[block.line - 1])]
    if read_header(cells):
        findings.error(block.line, "the header of a task table has no line of dashes below it", _DASHES_HINT)
    elif 2 < len(cells) <= MAX_CELLS:
        findings.warn(block.line, "rows without a header above them were ignored", "put them below their table")


def place_rows(
    blocks: Sequence[Block], rows: Mapping[int, list[Row]], end: int, outline: Outline, findings: Findings
) -> list[Section]:
    """Give every row the branch and group of its table, and find the sections of single tasks.

    A section is headed by a task's id (H3 or deeper; an H3 above a table is still a group). It ends at a heading of its
    level or above, at another task's section or at a task table. `end` is the number of lines of the file.
    """
    ids = {row.id.casefold(): row.id for table in rows.values() for row in table}
    sections: list[Section] = []
    level = 0  # of the open section; 0 if none is open
    for at, block in enumerate(blocks):
        task_id = headed_task(block, ids, findings) if isinstance(block, Heading) else ""
        if task_id and isinstance(block, Heading) and block.level == 3 and at + 1 in rows:
            task_id = ""
        ends = bool(task_id) or (block.level <= level if isinstance(block, Heading) else at in rows)
        if level and ends:
            sections[-1].end = block.line - 1
            level = 0
        if isinstance(block, Table):
            for row in rows.get(at, ()):
                row.branch, row.group = outline.place
        elif task_id:
            sections.append(Section(task_id, block.line, end))
            level = block.level
        elif not level:
            outline.enter(block)
    return sections


def headed_task(heading: Heading, ids: Mapping[str, str], findings: Findings) -> str:
    """The id of the task whose section this heading starts, or ""."""
    if heading.level < 3 or not heading.text:
        return ""
    words = without_links(unmarked(heading.text[:200])[0]).split(maxsplit=2)
    if not words:
        return ""
    if len(words) > 1 and words[0].casefold() == "task":
        words = words[1:]
    word = read_id(words[0].rstrip(":.,;)"))
    found = ids.get(word.casefold(), "")
    sole = len(words) == 1 or words[0].endswith(":")
    named = is_safe_id(word) and any(map(str.isdigit, word)) and any(map(str.isalpha, word))
    if named and not found and sole and heading.level > 3:
        findings.warn(heading.line, f"the section {quoted(heading.text)} belongs to no task", "head it with a task id")
    return found


def level_and_title(heading: Heading) -> tuple[int, str]:
    """A heading's level, which `L1:` before the title overrides, and the title without it."""
    title = undecorated(without_links(heading.text) if "](" in heading.text else heading.text)
    if title[:1] in ("L", "l") and title[1:2] in ("0", "1", "2", "3") and title[2:3] in (":", " ", "."):
        rest = title[2:].lstrip(" :.-–—")
        if rest and title[2:4].strip(" .") != "":
            return int(title[1]) + 1, rest
    return heading.level, title
