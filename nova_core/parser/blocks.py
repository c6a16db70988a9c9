"""Finds the headings and tables of a Markdown file, line by line, in linear time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from nova_core.parser.cells import MAX_CELLS, split_row

# GFM: a fence is three or more backticks or tildes, indented at most three spaces; after backticks no backtick follows.
# Patterns stay strings until they are used: few plans need them, and compiling costs time at every start.
_FENCE = r" {0,3}(?:(`{3,})[^`]*|(~{3,}).*)\Z"
_OTHER_BLOCK = r"#{1,6}(?:[ \t]|\Z)|>|[-+*][ \t]|\d{1,9}[.)][ \t]|```|~~~"


class Heading(msgspec.Struct, frozen=True, gc=False):
    """`## text`; `line` counts from 1, `level` is the number of hashes, `text` is without them."""

    line: int
    level: int
    text: str


class Table(msgspec.Struct, frozen=True):
    """A GFM table. `line` is its first line, counting from 1; `rows` are indexes (from 0) of the lines of its body.

    `header` holds stripped cells. It is empty for rows without a header: `width` is then 0. `width` is the number of
    cells in the line of dashes.
    """

    line: int
    header: tuple[str, ...]
    width: int
    rows: list[int]


Block = Heading | Table
OnUnclosed = Callable[[int, str], None]


def split_lines(text: str) -> list[str]:
    """The lines of `text` as editors count them; `str.splitlines` would also break at form feeds and U+2028."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removeprefix("\ufeff").split("\n")


def opening_fence(line: str) -> str | None:
    """The run of backticks or tildes that opens a code fence on this line."""
    match = re.match(_FENCE, line)
    return (match[1] or match[2]) if match else None


def end_of_fence(lines: list[str], start: int, fence: str) -> int:
    """Index of the line that closes the `fence` opened at `start`; `len(lines)` if none does."""
    for at in range(start + 1, len(lines)):
        line = lines[at]
        if fence in line and not line.startswith("    "):
            text = line.strip()
            if text.strip(fence[0]) == "":
                return at
    return len(lines)


def hide_comments(lines: list[str], on_unclosed: OnUnclosed) -> set[int]:
    """Empty the lines of HTML comments in place, and return their indexes.

    As in GFM, a comment block starts where a line starts with `<!--`, and takes whole lines until one holds `-->`.
    """
    hidden: set[int] = set()
    at, end = 0, len(lines)
    while at < end:
        line = lines[at]
        fence = opening_fence(line) if "```" in line or "~~~" in line else None
        if fence:
            at = end_of_fence(lines, at, fence)
        elif line.lstrip(" ").startswith("<!--"):
            last = next((i for i in range(at, end) if "-->" in lines[i]), end)
            if last == end:
                on_unclosed(at + 1, "comment")
            span = range(at, min(last + 1, end))
            hidden.update(span)
            lines[span.start : span.stop] = [""] * len(span)
            at = last
        at += 1
    return hidden


def scan(lines: list[str], hidden: set[int], on_unclosed: OnUnclosed) -> Iterator[Block]:
    """Headings and tables in file order. `hidden` are the lines of comments, which do not end a table."""
    at, end = after_front_matter(lines), len(lines)
    while at < end:
        line = lines[at]
        text = line.lstrip(" ")
        first = text[:1]
        if len(line) - len(text) > 3 or first in ("", "\t"):
            at += 1
        elif first == "#" and (heading := read_heading(at + 1, text)):
            yield heading
            at += 1
        elif first in "`~" and (fence := opening_fence(line)):
            closed = end_of_fence(lines, at, fence)
            if closed == end:
                on_unclosed(at + 1, "code fence")
            at = closed + 1
        elif "|" in text and (table := _table(lines, at, hidden)):
            yield table
            at = max(table.rows[-1] + 1 if table.rows else 0, at + (2 if table.width else 1))
        else:
            at += 1


def after_front_matter(lines: list[str]) -> int:
    """Index of the first line that is not front matter."""
    if lines[0].rstrip() != "---":
        return 0
    return next((at + 1 for at in range(1, len(lines)) if lines[at].rstrip() in ("---", "...")), 0)


def read_heading(number: int, text: str) -> Heading | None:
    """The heading in the stripped line `text`, or None."""
    level = len(text) - len(text.lstrip("#"))
    if level > 6 or text[level : level + 1] not in ("", " ", "\t"):
        return None
    title = text[level:].strip()
    opened = title.rstrip("#")
    if opened[-1:] in ("", " ", "\t"):  # closing hashes count only after a space
        title = opened.rstrip()
    return Heading(number, level, title)


def _table(lines: list[str], at: int, hidden: set[int]) -> Table | None:
    """The table whose header is line `at`, or the run of rows without a header that starts there."""
    width = _width_of_dashes(lines[at + 1]) if at + 1 < len(lines) else 0
    if width:
        header = tuple(cell.strip() for cell in split_row(lines[at]))
        return Table(at + 1, header, width, _body(lines, at + 2, hidden))
    if lines[at].lstrip(" ").startswith("|"):
        rows = _body(lines, at, hidden)
        next_table = next((i for i, row in enumerate(rows) if i > 1 and _width_of_dashes(lines[row])), len(rows) + 1)
        return Table(at + 1, (), 0, rows[: next_table - 1])
    return None


def _width_of_dashes(line: str) -> int:
    """Number of cells in a line of dashes (`| :--- | ---: |`); 0 for any other line."""
    text = line.strip()
    if "-" not in text or text.strip("|:- \t") or line.startswith("    "):
        return 0
    cells = split_row(text)
    if len(cells) > MAX_CELLS or ("|" not in text and ":" not in text):
        return 0
    return len(cells) if all(map(_is_dashes, cells)) else 0


def _is_dashes(cell: str) -> bool:
    """Returns True if a cell is `---`, `:---`, `---:` or `:---:`."""
    dashes = cell.strip().removeprefix(":").removesuffix(":")
    return bool(dashes) and not dashes.strip("-")


def _body(lines: list[str], at: int, hidden: set[int]) -> list[int]:
    rows: list[int] = []
    for i in range(at, len(lines)):
        line = lines[i]
        if line.startswith("|"):
            rows.append(i)
        elif i not in hidden:
            text = line.lstrip(" ")
            if "|" not in text or len(line) - len(text) > 3 or text[0] == "\t" or re.match(_OTHER_BLOCK, text):
                break
            rows.append(i)
    return rows


def outside_fences(lines: Sequence[str], first: int) -> Iterator[tuple[int, str]]:
    """The lines outside of code fences, numbered from `first`; a fence inside a list item is indented with it."""
    flush = [line.lstrip() for line in lines]
    at = 0
    while at < len(flush):
        fence = opening_fence(flush[at]) if flush[at].startswith(("```", "~~~")) else None
        if fence:
            at = end_of_fence(flush, at, fence) + 1
        else:
            yield first + at, lines[at]
            at += 1
