"""Reads user stories in Markdown: `### US-001: Title` with acceptance criteria, as tools for Ralph write them."""

from __future__ import annotations

import re
from itertools import takewhile

from nova_core.importers.checklist import Checklist, read_checklist
from nova_core.importers.draft import Draft
from nova_core.importers.heads import Head, read_head
from nova_core.importers.phased import read_phases
from nova_core.importers.prose import listed_criteria
from nova_core.model import PlanOptions

_STORY = re.compile(r"(?:\*\*)?(?P<id>(?:US|STORY)-?\d{1,5}[a-z]?)(?:\*\*)?\s*[:：.–—-]\s*(?=\S)", re.IGNORECASE)
_HEADING = re.compile(rf"^#{{2,5}} {_STORY.pattern}", re.MULTILINE | re.IGNORECASE)
_CRITERIA = re.compile(r"^\W*acceptance criteria\W*$", re.MULTILINE | re.IGNORECASE)
_TASK = re.compile(r"^[ \t]*[-*+] \[[^\]\n]{1,3}\] (?:\*\*)?T-?\d{2,5}\b", re.MULTILINE)


def suits(_path: str, text: str) -> bool:
    """Returns True if stories are headings, and not the phases of other tasks."""
    return _HEADING.search(text) is not None and _TASK.search(text) is None


def read(path: str, text: str, _options: PlanOptions) -> Draft:
    """The stories one after the other. A story is done when all of its boxes are ticked; these are its criteria."""
    found = read_checklist(text)
    draft = read_phases(path, text, "prd", found, stories(found), prose=True, alone=True)
    for item in draft.items:
        lines = [text for _, text in item.steps] or _bullets(item.details)
        if criteria := listed_criteria(lines, item.line):
            item.fields["criteria"] = criteria
    return draft


def _bullets(details: str) -> list[str]:
    """The bullets below the label of the criteria, in a story without boxes."""
    label = _CRITERIA.search(details)
    rows = details[label.end() :].lstrip("\n").split("\n") if label else []
    return [row[2:].strip() for row in takewhile(lambda row: row.startswith(("- ", "* ")), rows)]


def stories(found: Checklist) -> dict[int, Head]:
    """The headings of stories, by index."""
    heads = {}
    for at, heading in enumerate(found.headings):
        if heading.level > 1 and (match := _STORY.match(heading.text)):
            heads[at] = read_head(f"{match['id']}: {heading.text[match.end() :].strip('* ')}")
    return heads
