"""Says why a file has no tasks: what was seen in it, and what would help."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nova_core.parser.blocks import outside_fences
from nova_core.text import number_of

TABLE_HINT = "a plan has a table with the columns Task ID | Task Name | What Changes | Depends On"
_BOX = r"\s*(?:[-*+]|\d{1,9}[.)])\s+\[[^\]\w]{0,2}[xX]?\s*\]"
_ITEM = r"\s*(?:[-*+]|\d{1,9}[.)])\s+\S"
_PHASE = r"\W*(?:phase|stage|milestone|sprint|step|week|day)\s*\d"
_MOST = 200_000  # lines that are looked at


def why_no_tasks(lines: Sequence[str]) -> tuple[str, str]:
    """A message and a hint for a Markdown file without tasks."""
    boxes = items = headings = phases = rows = 0
    for _, line in outside_fences(lines[:_MOST], 0):
        if len(line) < 10_000 and re.match(_BOX, line):
            boxes += 1
        elif re.match(_ITEM, line[:200]) and not line.strip().startswith(("---", "***")):
            items += 1
        elif line.startswith("#") and (title := re.match(r"#{1,6}\s+(\S.{0,40})", line)):
            headings += 1
            phases += re.match(_PHASE, title[1], re.IGNORECASE) is not None
        else:
            rows += line.lstrip().startswith("|")
    if boxes:
        seen = number_of(boxes, "box", "boxes")
        return (
            f"no tasks found: {seen}, but neither its name nor ids say that it is a list of tasks",
            "call it tasks.md, give the boxes ids (`- [ ] 1.1 ...`), or name a format with `nova import -f spec-kit`",
        )
    if not any(map(str.strip, lines)):
        return "no tasks found", TABLE_HINT
    if not (items or headings or rows):
        seen = "text without headings, list items or boxes"
    else:
        table = f"{number_of(rows, 'row')} of tables without dependencies" if rows else ""
        first = number_of(phases, "phase") if phases else number_of(headings, "heading") if headings else ""
        found = ", ".join(filter(None, (first, number_of(items, "list item") if items else "", table)))
        seen = f"{found}, but no boxes" if items else f"{found}, but no list items and no boxes"
    box = "write each task as a box: `- [ ] 1.1 Make the table`"
    heading, row = "heading: `### Task 1: Make the table`", "row of `| Task ID | Task Name | Depends On |`"
    return f"no tasks found: {seen}", f"{box}, or as a {heading if (items or headings > 1) and not rows else row}"
