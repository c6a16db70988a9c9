"""Reads the tasks.md of spec-kit: boxes, headings or paragraphs with ids, in phases and stories."""

from __future__ import annotations

import re

from nova_core.importers.checklist import read_checklist
from nova_core.importers.draft import Draft
from nova_core.importers.phased import read_phases
from nova_core.model import PlanOptions

_TASK = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+)?(?:(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX~-]?\][ \t]*)?)?"
    r"(?:\*\*|`)?\[?T(?:ASK)?-?\d{2,5}[a-z]?\b"
    r"|^#{2,6}[ \t]+(?:\*\*)?T(?:ask[ \t]+#?)?\d{1,5}[a-z]?\b(?:\*\*)?[ \t]*[:.–—-](?!\d)",
    re.MULTILINE,
)
_TEMPLATE = re.compile(r"^\*\*Input\*\*: Design documents|^## Format: `?\[ID\]", re.MULTILINE)


def suits(path: str, text: str) -> bool:
    """Returns True if there are tasks with ids such as T001, or the lines of the template."""
    return _TASK.search(text) is not None or (_TEMPLATE.search(text) is not None and "- [" in text)


def read(path: str, text: str, options: PlanOptions) -> Draft:
    """Tasks in phases; `[P]` beside their neighbours, stories beside each other."""
    return read_phases(path, text, "spec-kit", read_checklist(text))
