"""Turns the lines of a task table into rows: an id, its texts, its unresolved dependencies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from nova_core.model import NoteKind, is_safe_id
from nova_core.parser.cells import (
    MAX_CELLS,
    NOTHING,
    is_nothing,
    join_code_spans,
    split_row,
    undecorated,
    without_comments,
    without_links,
)
from nova_core.parser.columns import Columns
from nova_core.parser.criteria import has_empty_code
from nova_core.parser.findings import Findings, quoted
from nova_core.parser.marks import STRUCK, bears_tick, ends_with_done, is_struck, may_be_marked, tick_in, unmarked
from nova_core.parser.status import State, read_state, shown_state
from nova_core.parser.values import BadValueError, read_criteria, reader_of
from nova_core.parser.wording import DASHES, NOUNS

_ID_HINT = "use letters, digits, `.`, `_` and `-` (at most 64, the first a letter or digit); `/` separates levels"
_PIPE_HINT = "write a pipe inside a cell as `\\|`"
_BREAK_HINT = "a row must stay on one line; use <br> for a break"
_OWN = ("criteria", "state")  # fields that need more than their cell, or set several fields
_TRAITS = frozenset("`*~[_\\<")


class Row(msgspec.Struct, gc=False):
    """One task before its dependencies are resolved; `fields` are the optional fields of Task, already read."""

    id: str
    name: str
    description: str
    depends_on: str
    line: int
    fields: dict[str, Any] | None = None
    group: str = ""
    branch: str = ""


class RowReader:
    """Reads the rows of one task table and reports their problems."""

    def __init__(self, columns: Columns, findings: Findings) -> None:
        self._columns = columns
        self._findings = findings
        self._mark = ""  # the current row's state, given outside of a state column
        self._told = False  # about a tick that may mean anything
        self._extras: list[tuple[int, str, Callable[[str], object] | None]] = [
            (at, field, None if field in _OWN else reader_of(field, title)) for at, field, title in columns.extras
        ]

    def read(self, lines: Sequence[str], indexes: Sequence[int]) -> Iterator[Row]:
        """The rows at these indexes of `lines`; a row without a usable id is reported and left out."""
        columns = self._columns
        width, at_id, at_name, at_text = columns.width, columns.id, columns.name, columns.description
        at_depends = columns.depends_on[0] if len(columns.depends_on) == 1 else -1
        plain, watched = not self._extras, not columns.states
        for index in indexes:
            line = lines[index]
            cells = split_row(line if "<!--" not in line else without_comments(line))
            if len(cells) != width:
                cells = self._fitted(cells, index + 1)
            task_id = cells[at_id].strip() if cells else ""
            name = cells[at_name].strip() if cells and at_name >= 0 else ""
            if not is_safe_id(task_id):
                task_id, name = self._cleaned_id(task_id, name, cells, index + 1)
                if not task_id:
                    self._mark = ""
                    continue
            if watched and (may_be_marked(line) or ends_with_done(name)):
                name = self._marked_name(name, cells, index + 1)
            depends_on = cells[at_depends].strip() if at_depends >= 0 else self._joined_dependencies(cells)
            yield Row(
                task_id,
                name if _TRAITS.isdisjoint(name) else plain_name(name),
                cells[at_text].strip() if at_text >= 0 else "",
                depends_on,
                index + 1,
                None if plain and not self._mark else self._fields(cells, index + 1),
            )
            if self._mark:
                self._mark = ""

    def _marked_name(self, name: str, cells: Sequence[str], line: int) -> str:
        """The name without marks that settle its row; other ticks may mean anything, and are reported."""
        bare, mark = unmarked(name)
        if is_struck(bare):
            mark = mark or tick_in(cells) or STRUCK
        self._mark = self._mark or mark
        columns = self._columns
        own = (columns.id, columns.name, *columns.depends_on, *(at for at, _, _ in columns.extras))
        if not self._mark and ends_with_done(name):
            self._tell(line, "the name says that the task is done, but no column does: it will run")
        elif not self._mark and not self._told:
            at = next((at for at, cell in enumerate(cells) if at not in own and bears_tick(cell)), -1)
            if at >= 0:
                self._told = True
                self._tell(line, "a tick in a column that is no status: its row will run")
        return bare

    def _tell(self, line: int, text: str) -> None:
        self._findings.note(NoteKind.GUESSED, line, text)
        self._findings.warn(line, text, "add a column Status")

    def _joined_dependencies(self, cells: Sequence[str]) -> str:
        found = [cell for at in self._columns.depends_on if not is_nothing(cell := cells[at].strip())]
        return ", ".join(found)

    def _fitted(self, cells: list[str], line: int) -> list[str]:
        """The cells of a row that has more or fewer than its header; empty if it cannot be understood."""
        width = self._columns.width
        if len(cells) > MAX_CELLS:
            self._findings.error(line, f"the row has more than {MAX_CELLS} cells", _PIPE_HINT)
            return []
        if len(cells) < width:
            if any(cell.strip() for cell in cells):
                self._findings.warn(line, f"the row has {len(cells)} of {width} cells; the rest is empty", _BREAK_HINT)
            return cells + [""] * (width - len(cells))
        return self._repaired(cells, line)

    def _repaired(self, cells: list[str], line: int) -> list[str]:
        """Cells that a stray pipe split, joined again: by code spans, else counted from both ends of the row."""
        width, text = self._columns.width, self._columns.text
        message = f"the row has {len(cells)} cells, its table has {width}"
        joined = join_code_spans(cells)
        surplus = len(cells) - width
        if len(joined) == width:
            self._findings.warn(line, f"{message}; a pipe inside backticks was kept as text", _PIPE_HINT)
            return joined
        if all(_is_mark(cell) for cell in cells[width:]):
            self._mark = next((cell for cell in cells[width:] if read_state(cell.strip()) is not State.OPEN), "")
            return cells[:width]
        if self._columns.commands:  # half a command must never run
            self._findings.error(line, message, _PIPE_HINT)
            return []
        self._findings.warn(line, f"{message}; the surplus was read as part of one text", _PIPE_HINT)
        return [*cells[:text], "|".join(cells[text : text + surplus + 1]), *cells[text + surplus + 1 :]]

    def _cleaned_id(self, written: str, name: str, cells: Sequence[str], line: int) -> tuple[str, str]:
        """The id (and name) without formatting, or an empty id after a report."""
        if not any(cell.strip(" \t:-") for cell in cells):
            return "", ""
        written, mark = unmarked(written)
        self._mark = mark or self._mark
        if written.startswith("~~"):
            self._mark = self._mark or tick_in(cells) or STRUCK
        task_id = read_id(written)
        if is_safe_id(task_id):
            return task_id, name
        if not self._columns.sure:
            first, _, rest = task_id.partition(" ")
            if self._findings.lenient and first.casefold() in NOUNS:
                first, _, rest = rest.partition(" ")
            first = read_id(first.rstrip(":.)")).rstrip(":.)")
            if is_safe_id(first) and any(map(str.isdigit, first)):
                return first, name or rest.strip(" :-–—")
        elif self._findings.lenient and (found := _foreign_id(task_id)):
            self._findings.note(NoteKind.RESOLVED, line, f"{quoted(written)} was read as the id {found}")
            return found, name
        if written:
            unseen = "" if written.isprintable() else ": it contains invisible characters"
            self._findings.refuse(line, f"{quoted(written)} cannot be a task id{unseen}", _ID_HINT)
        else:
            self._findings.refuse(line, "the row has no task id", _BREAK_HINT)
        return "", ""

    def _fields(self, cells: Sequence[str], line: int) -> dict[str, Any] | None:
        fields: dict[str, Any] = _settled(self._mark) if self._mark else {}
        for at, field, reader in self._extras:
            cell = cells[at].strip()
            if cell in NOTHING or is_nothing(cell):
                continue
            try:
                value = reader(cell) if reader else self._own_fields(field, cell, line, fields)
            except BadValueError as error:
                self._findings.refuse(line, error.message, error.hint)
                continue
            if value is not None:
                fields[field] = value
            if field in ("command", "criteria") and cell.startswith("`") and has_empty_code(cell):
                self._findings.warn(line, f"the {field} cell has empty backticks")
        return fields or None

    def _own_fields(self, field: str, cell: str, line: int, fields: dict[str, Any]) -> object:
        """The value of a field that needs its line; None for a state, which sets several `fields` itself."""
        if field == "criteria":
            return read_criteria(cell, line)
        fields.update(_settled(cell))
        return None


def read_id(cell: str) -> str:
    """The id in a formatted cell: `**F1**`, `` `F1` ``, `[F1](f1.md)`, `~~F1~~`, `#1`, `4b (new)`."""
    text = undecorated(cell)
    if text.endswith(")") and " (" in text:
        text = text[: text.index(" (")]
    return undecorated(text).removeprefix("#").strip()


def _foreign_id(text: str) -> str:
    """The id in `Task 1`, `Phase 2: Api`, `[A-1]` and `T‑01` (with a non-breaking hyphen); "" if there is none."""
    text = text.translate(DASHES)
    if text[:1] == "[" and "]" in text:
        text = text[1 : text.index("]")]
    noun, _, rest = text.partition(" ")
    if noun.casefold() in NOUNS:
        text = read_id(rest.partition(" ")[0].rstrip(":.)"))
    return text if is_safe_id(text) and any(map(str.isdigit, text)) else ""


def _settled(cell: str) -> dict[str, Any]:
    """The fields that a state word sets."""
    if cell == STRUCK:
        return {"settled": cell, "dropped": True}
    state = read_state(cell)
    if state is State.OPEN:
        return {}
    return {"settled": shown_state(cell), "dropped": state is State.DROPPED}


def _is_mark(cell: str) -> bool:
    """Returns True if an extra cell at the end of a row is empty or a state mark, such as `✓ COMPLETE`."""
    word = undecorated(cell).lstrip("✓✔✅⬜🟡 []x").casefold()
    return word in ("", "complete", "completed", "done", "pending", "in progress", "planned", "blocked", "not started")


def plain_name(name: str) -> str:
    """A name without formatting around it, and without links."""
    return undecorated(without_links(name) if "](" in name else name)
