"""Finds done work that a plan marks outside of its table: `- [x] F1` in a list, `**Status**: Done` in a section."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nova_core.model import NoteKind
from nova_core.parser.blocks import outside_fences
from nova_core.parser.findings import Findings
from nova_core.parser.marks import TICKS, bears_tick
from nova_core.parser.rows import Row, read_id
from nova_core.parser.sections import Section
from nova_core.parser.status import State, read_state

_BOX = r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[([ xX])\][ \t]+(?:task[ \t]+)?(\S+)"
_STATUS = r"[ \t]*(?:[-*+][ \t]+)?\**status\**[ \t]*:\**[ \t]*(\S.*)"
_HINT = "add a column Status"


def take_ticks(
    rows: Sequence[Row], sections: Sequence[Section], lines: Sequence[str], stated: frozenset[str], findings: Findings
) -> None:
    """Settle the rows that are marked as done elsewhere; a row with another state gets a note.

    `stated` are the ids of rows that have their own state. A box in the section of a task is a criterion, not a state.
    """
    open_rows = {row.id.casefold(): row for row in rows if not (row.fields and row.fields.get("settled"))}
    inside = {at for section in sections for at in range(section.start, section.end)}
    ticks: dict[str, int] = {}
    for at, line in outside_fences(lines, 0):
        box = re.match(_BOX, line, re.IGNORECASE) if at not in inside and "[" in line else None
        key = read_id(box[2].rstrip(":.,;)")).casefold() if box else ""
        if box and key in open_rows and not key.isdigit():
            ticks[key] = at + 1 if box[1] != " " and ticks.get(key, 1) else 0
    for section in sections:
        if (row := open_rows.get(section.task_id.casefold())) and (said := _said_done(section, lines)):
            ticks.setdefault(row.id.casefold(), said)
    for key, number in ticks.items():
        if number:
            _settle(open_rows[key], number, stated, findings)


def _settle(row: Row, line: int, stated: frozenset[str], findings: Findings) -> None:
    if row.id in stated:
        text = f"{row.id} is done here, but not in line {row.line}: it will run"
        findings.note(NoteKind.GUESSED, line, text)
    else:
        text = f"{row.id} is done here: it will not run again"
        findings.note(NoteKind.RESOLVED, line, text)
        row.fields = {**(row.fields or {}), "settled": "[x]", "dropped": False}
    findings.warn(line, text, _HINT)


def _said_done(section: Section, lines: Sequence[str]) -> int:
    """The line in which a section marks its task as done: its heading, or a status; 0 if none does."""
    title = lines[section.start - 1].lstrip("# ")
    behind = max(map(title.rfind, TICKS))  # `F1: Schema ✅ COMPLETE`
    if bears_tick(title) or (behind > 0 and read_state(title[behind:]) is State.DONE):
        return section.start
    for at, line in outside_fences(lines[section.start : section.end], section.start):
        status = re.match(_STATUS, line, re.IGNORECASE) if "tatus" in line else None
        if status:
            return at + 1 if read_state(status[1].strip()) is State.DONE else 0
    return 0
