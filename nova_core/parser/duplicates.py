"""Merges two rows of one task: in the table of its phase, and in a summary of all phases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nova_core.model import NoteKind
from nova_core.parser.cells import is_nothing, undecorated
from nova_core.parser.findings import Findings
from nova_core.parser.rows import Row
from nova_core.parser.wording import plain


def distinct(tables: Iterable[Sequence[Row]], findings: Findings) -> list[Row]:
    """The rows of all tables, each id once; file names of tasks must differ by more than case.

    A row of another table that says the same, or less, adds what the first row lacks. Any other repetition is an error.
    """
    first: dict[str, Row] = {}
    kept = []
    for table in tables:
        start = table[0].line if table else 0
        for row in table:
            other = first.setdefault(row.id.casefold(), row)
            if other is row:
                kept.append(row)
            elif other.line >= start or not _merged(other, row):
                same = "the id" if other.id == row.id else f"the id {other.id}, but for its case,"
                message = f"duplicate task id {row.id}: {same} is used in line {other.line}"
                findings.error(row.line, message, "rename one of them")
            else:
                findings.note(NoteKind.RESOLVED, row.line, f"{row.id} was read as the one in line {other.line}")
    return kept


def _merged(first: Row, again: Row) -> bool:
    """Merge the second row into the first. Returns False if they describe different tasks."""
    ours, theirs = first.fields or {}, again.fields or {}
    if first.id != again.id or not all(_agree(field, ours[field], theirs[field]) for field in ours.keys() & theirs):
        return False
    name = again.name if first.name in ("", first.id) else first.name
    if not (again.name in ("", again.id) or _folded(again.name) == _folded(name)):
        return False
    for one, other in ((first.description, again.description), (first.depends_on, again.depends_on)):
        if one and other and _words(one) != _words(other):
            return False
    first.name = name
    first.description = first.description or again.description
    first.depends_on = first.depends_on or again.depends_on
    first.fields = {**theirs, **ours} or None
    return True


def _agree(field: str, one: object, other: object) -> bool:
    if field == "settled":
        return True  # `done` and `✅`
    if field == "criteria" and isinstance(one, tuple) and isinstance(other, tuple):
        return [criterion.text for criterion in one] == [criterion.text for criterion in other]
    return one == other


def _words(cell: str) -> frozenset[str]:
    return frozenset() if is_nothing(cell) else frozenset(map(_folded, plain(cell).replace(";", ",").split(",")))


def _folded(text: str) -> str:
    return " ".join(undecorated(text).casefold().split())
