"""Reads the tasks.md of an OpenSpec change: numbered boxes below numbered headings, in sequence."""

from __future__ import annotations

import re

from nova_core.importers.checklist import read_checklist
from nova_core.importers.draft import Draft
from nova_core.importers.lists import draft_of
from nova_core.importers.nested import Nested
from nova_core.importers.phased import has_headed_tasks, read_phases
from nova_core.model import NoteKind, PlanOptions

_NUMBERED_BOX = re.compile(r"^[ \t]*[-*+] \[[ xX]\][ \t]+(?:\*\*)?\d{1,6}\.\d", re.MULTILINE)


def suits(path: str, text: str) -> bool:
    """Returns True for the file of a change, or for boxes numbered as in one."""
    return _NUMBERED_BOX.search(text) is not None or ("openspec/changes/" in path.replace("\\", "/") and "- [" in text)


def read(path: str, text: str, options: PlanOptions) -> Draft:
    """Every box in file order; the format cannot mark parallel tasks."""
    found = read_checklist(text)
    if has_headed_tasks(found):
        return read_phases(path, text, "openspec", found)
    draft = draft_of(path, "openspec", found, text)
    if "/archive/" in path.replace("\\", "/"):
        draft.note(NoteKind.GUESSED, 0, "an archived change: it was finished, but its open boxes are read as tasks")
    plan = Nested(draft, found, options, marks=False)
    plan.follow()
    return draft
