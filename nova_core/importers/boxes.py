"""The boxes beside a table of tasks: those that are tasks of their own."""

from __future__ import annotations

from collections.abc import Iterable

from nova_core.importers.checklist import DONE_MARKS, Box, read_checklist
from nova_core.importers.heads import read_head
from nova_core.importers.phased import headed_tasks
from nova_core.importers.work import is_no_place
from nova_core.parser.rows import read_id


def are_the_plan(text: str, rows: Iterable[str], most: int) -> bool:
    """Returns True if the boxes hold what is ticked or how to do it, and are at least `most`; `rows` are ids."""
    ids = {row.casefold() for row in rows}
    loose = boxes_apart(text, ids, named=True)
    told = any(box.body for box in loose) or any(box.mark in DONE_MARKS for box in boxes_apart(text, ids))
    return told and len(loose) >= most


def steps_are_the_plan(text: str, rows: Iterable[str]) -> bool:
    """Returns True if headings such as `### Task 1: Title` are all of the rows, and hold their steps."""
    found = read_checklist(text)
    heads = headed_tasks(found)
    ids = {head.id.casefold() for head in heads.values()}
    named = {(read_head(f"{row}:").id or row).casefold() for row in rows}
    return bool(named) and named <= ids and any(at in heads for box in found.boxes for at in found.around(box.heading))


def boxes_apart(text: str, rows: Iterable[str], *, named: bool = False) -> list[Box]:
    """The boxes that are neither criteria of a row, nor about the plan, nor (unless `named`) ticks of rows.

    `rows` are the ids of the tables' rows.
    """
    found = read_checklist(text)
    ids = {row.casefold() for row in rows}
    kept = []
    for box in found.boxes:
        titles = [title for title in found.titles(box.heading) if title.level > 1]
        words = [read_id(word.rstrip(":.,;)")).casefold() for title in titles for word in title.text.split()[:2]]
        of_row = (
            read_id((box.head.split() or [""])[0].rstrip(":.,;)")).casefold() in ids or read_head(box.head).id in ids
        )
        if box.inside < 0 and (named or not of_row) and ids.isdisjoint(words) and not any(map(is_no_place, titles)):
            kept.append(box)
    return kept
