"""Reads plans of the superpowers skills: headings `### Task 1: ...`, with steps below them."""

from __future__ import annotations

import re

from nova_core.importers.checklist import Checklist, read_checklist
from nova_core.importers.draft import Draft
from nova_core.importers.heads import Head, read_head
from nova_core.importers.phased import headed_tasks, read_phases
from nova_core.model import PlanOptions

_PATH = re.compile(r"(?:\A|/)(?:superpowers|docs)/plans/[^/]+\.md\Z", re.IGNORECASE)
_OWN = re.compile(r"superpowers:(?:executing-plans|subagent-driven-development)")
_DOTTED = re.compile(r"(?:\*\*)?Task \d{1,4}\.\d{1,3}(?:\*\*)?[ \t]*[:.–—-]")
_TASK = re.compile(r"^#{2,4} (?:\*\*)?Task \d{1,4}[a-z]?(?:\.\d{1,3})?(?:\*\*)?[ \t]*[:.–—-]", re.MULTILINE)


def suits(path: str, text: str) -> bool:
    """Returns True for a plan with headings of tasks, by its folder or by the skill that it requires."""
    named = _PATH.search(path.replace("\\", "/")) or _OWN.search(text[:20_000])
    return named is not None and _TASK.search(text) is not None


def read(path: str, text: str, _options: PlanOptions) -> Draft:
    """The tasks one after the other; the boxes below a task are its steps."""
    found = read_checklist(text)
    return read_phases(path, text, "superpowers", found, _tasks(found), prose=True)


def _tasks(found: Checklist) -> dict[int, Head]:
    """The headings that are tasks; `### Task 1.2: ...` is one as well, here its boxes are steps too."""
    dotted = {at: read_head(title.text) for at, title in enumerate(found.headings) if _DOTTED.match(title.text)}
    return dotted | headed_tasks(found)
