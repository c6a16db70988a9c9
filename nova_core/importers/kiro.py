"""Reads the tasks.md of a Kiro spec, also as cc-sdd writes it: nested numbers, optional tasks, waves."""

from __future__ import annotations

import re

from nova_core.importers.checklist import read_checklist
from nova_core.importers.draft import Draft
from nova_core.importers.lists import draft_of
from nova_core.importers.nested import Nested
from nova_core.importers.phased import has_headed_tasks, read_phases
from nova_core.importers.placing import Placing
from nova_core.importers.waves import read_graph
from nova_core.model import NoteKind, PlanOptions

_BOX = re.compile(r"^[ \t]*[-*+] \[[ xX~-]\](?:\\?\*)?[ \t]", re.MULTILINE)
_OWN = re.compile(
    r"^[ \t]*[-*+] _(?:Requirements|Depends|Boundary|Validates)[:：]|^[ \t]*[-*+] \[[ xX-]\]\\?\*[ \t]"
    r"|^[ \t]*\"waves\"\s*:|^[ \t]*[-*+] \[[ xX]\] \d{1,6}(?:\.\d{1,6}){0,9}\.? \(P\)[ \t]",
    re.MULTILINE,
)
_TITLE = re.compile(r"^#{1,2} (?:[^\n]{0,200} )?Implementation Plan\b", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*[-*+] \[[ xX~-]\](?:\\?\*)? (?:\*\*)?\d{1,6}\.", re.MULTILINE)


def suits(path: str, text: str) -> bool:
    """Returns True for the file of a spec, or for boxes with annotations that only such a file has."""
    if not _BOX.search(text):
        return False
    folders = path.replace("\\", "/")
    if ".kiro/" in folders or "openspec/" in folders:
        return ".kiro/" in folders
    return _OWN.search(text) is not None or (_TITLE.search(text) is not None and _NUMBERED.search(text) is not None)


def read(path: str, text: str, options: PlanOptions) -> Draft:
    """Every box in file order, `(P)` beside its neighbours; or in the order of its waves, if it has a graph."""
    found = read_checklist(text)
    if has_headed_tasks(found):
        return read_phases(path, text, "kiro", found)
    draft = draft_of(path, "kiro", found, text)
    plan = Nested(draft, found, options, marks=True)
    graph = read_graph(found)
    if graph is None:
        plan.follow()
        return draft
    if graph.broken:
        draft.note(NoteKind.GUESSED, graph.line, f"{graph.broken}; the order of the file is used")
        plan.follow()
        return draft
    Placing(plan, graph).place()
    return draft
