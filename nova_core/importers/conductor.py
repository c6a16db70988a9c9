"""Reads the plan.md of a Conductor track: boxes `Task: ...` in phases, with boxes of their steps below them."""

from __future__ import annotations

import re

from nova_core.importers.checklist import read_checklist
from nova_core.importers.draft import Draft
from nova_core.importers.phased import read_phases
from nova_core.model import NoteKind, PlanOptions

_PATH = re.compile(r"(?:\A|/)\.?conductor/(?:[^/]+/)*plan\.md\Z", re.IGNORECASE)
_BY_HAND = re.compile(r"Conductor\b.{0,40}\bUser Manual Verification|\AUser Manual Verification", re.IGNORECASE)
_OWN = re.compile(r"^[-*] \[[^\]\n]{1,3}\] (?:\*\*)?Task: Conductor\b", re.MULTILINE)


def suits(path: str, text: str) -> bool:
    """Returns True for the plan of a track, or for boxes that only such a plan has."""
    return "- [" in text and (_PATH.search(path.replace("\\", "/")) is not None or _OWN.search(text) is not None)


def read(path: str, text: str, _options: PlanOptions) -> Draft:
    """The boxes in phases, in file order. Verification by hand is a task as any other; a note says so."""
    draft = read_phases(path, text, "conductor", read_checklist(text))
    people = [item for item in draft.items if _BY_HAND.search(item.title)]
    if people:
        who = "1 task asks" if len(people) == 1 else f"{len(people)} tasks ask"
        said = f"{who} a person to verify a phase: an agent will do it, as any other task"
        draft.note(NoteKind.GUESSED, people[0].line, said)
    return draft
