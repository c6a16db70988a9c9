"""Reads the tasks.md of an Agent OS spec: numbered boxes in groups that say which groups they depend on."""

from __future__ import annotations

import re

from nova_core.importers.checklist import read_checklist
from nova_core.importers.draft import Draft
from nova_core.importers.lists import draft_of
from nova_core.importers.nested import Nested
from nova_core.model import PlanOptions

_PATH = re.compile(r"(?:\A|/)\.?agent-os/(?:[^/]+/)*tasks\.md\Z", re.IGNORECASE)
_GROUP = re.compile(r"^#{2,5} (?:\*\*)?Task Group \d", re.MULTILINE)


def suits(path: str, text: str) -> bool:
    """Returns True for the tasks of a spec, or for boxes below headings such as `#### Task Group 1: Models`."""
    return "- [" in text and (_PATH.search(path.replace("\\", "/")) is not None or _GROUP.search(text) is not None)


def read(path: str, text: str, options: PlanOptions) -> Draft:
    """The tasks of a group in file order; a group waits for those it names, else for the one before it."""
    found = read_checklist(text)
    draft = draft_of(path, "agent-os", found, text)
    Nested(draft, found, options, marks=False).follow()
    return draft
