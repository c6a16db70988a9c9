"""Reads any other checklist by its phases: IMPLEMENTATION_PLAN.md, PLAN.md, TODO.md, fix_plan.md."""

from __future__ import annotations

import re

from nova_core.errors import InputError, Problem
from nova_core.importers.checklist import Checklist, read_checklist
from nova_core.importers.draft import Draft
from nova_core.importers.heads import Head, read_head, state_in
from nova_core.importers.lists import draft_of
from nova_core.importers.nested import Nested
from nova_core.importers.phased import head_of, headed_tasks, read_phases
from nova_core.importers.phases import is_phase, make_phase
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser.cells import undecorated
from nova_core.parser.findings import shown_path
from nova_core.parser.unread import why_no_tasks
from nova_core.text import number_of

_NAME = re.compile(
    r"(?:\A|/)(?!tasks\.md\Z)(?:[^/]*[-_ ])?(?:plan|todos?|tasks?|roadmap|checklist|backlog)"
    r"(?:[-_ ][^/]*)?\.(?:md|markdown)\Z",
    re.IGNORECASE,
)
_BOX = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)]) \[[^\]\n\w]{0,3}[xX]?[ ]?\][ \t]", re.MULTILINE)
_IN_PHASES = re.compile(
    r"^#{2,4} (?:\*\*)?(?:phase|milestone|sprint|stage|step|week|day) \d", re.MULTILINE | re.IGNORECASE
)
_PLAN = re.compile(r"(?:\A|/)[^/]*plan[^/]*\.(?:md|markdown)\Z", re.IGNORECASE)
_OF_PHASE = re.compile(r"\W*\w+\s*\d[\d.]*\s*[:.–—-]+\s+")
_STATUS = re.compile(r"(?:\*\*|__)?status(?:\*\*|__)?\s*[:：]", re.IGNORECASE)
_FEWEST = 3  # boxes below phases that make a plan of a file whatever its name, and phases that are tasks
_NUMBERED = re.compile(r"(?:\d{1,4}|[A-Z])\.\d{1,4}\Z")


def suits(path: str, text: str) -> bool:
    """Returns True for a file that its name, its phases or its tasks call a plan."""
    if _NAME.search(path.replace("\\", "/")):
        return _BOX.search(text) is not None or bool(_headings(path, read_checklist(text)))
    if not (_BOX.search(text) and _IN_PHASES.search(text)):
        return False
    found = read_checklist(text)
    return sum(any(is_phase(title.text) for title in found.titles(box.heading)) for box in found.boxes) >= _FEWEST


def read(path: str, text: str, options: PlanOptions) -> Draft:
    """Headings that are tasks, else the boxes in phases and file order, else numbered headings below phases."""
    found = read_checklist(text)
    if tasks := headed_tasks(found):
        return read_phases(path, text, "checklist", found, tasks, prose=True)
    numbered = [box for box in found.boxes if _NUMBERED.match(read_head(box.text).id)]
    if len(numbered) * 2 > len(found.boxes):
        draft = draft_of(path, "checklist", found, text)
        Nested(draft, found, options, marks=False).follow()
        return draft
    if not found.boxes and (tasks := _headings(path, found)):
        draft = read_phases(path, text, "checklist", found, tasks, prose=True)
        phases = tasks == _numbered_phases(found)
        one, more = ("phase", "phases") if phases else ("numbered heading", "numbered headings")
        text = f"there are no boxes: {number_of(len(tasks), one, more)} are the tasks"
        draft.note(NoteKind.GUESSED, min(found.headings[at].line for at in tasks), text)
        return draft
    draft = read_phases(path, text, "checklist", found)
    if not draft.items:
        left_out = next((note for note in draft.notes if "not tasks" in note.text or "not a task" in note.text), None)
        if left_out:
            hint = "write each task as a box below a phase or a numbered heading: `- [ ] 1.1 Make the table`"
            raise InputError([Problem(shown_path(path), left_out.line, f"no tasks found: {left_out.text}", hint)])
        raise InputError([Problem(shown_path(path), 0, *why_no_tasks(found.lines))])
    return draft


def _headings(path: str, found: Checklist) -> dict[int, Head]:
    """The headings that are tasks in a file without boxes.

    These are `### Task 1: ...`; or `### 1.2 ...` below a phase; or phases that say their status; or `### 1. ...` if one
    of them says that it is done; or in a file that is called a plan, phases that all have a list.
    """
    if tasks := headed_tasks(found):
        return tasks
    below: dict[int, Head] = {}
    numbered: dict[int, dict[int, Head]] = {}
    for at, heading in enumerate(found.headings):
        head = head_of(heading.text) if heading.level > 1 else None
        if head is None or not head.id:
            continue
        if (
            found.above[at] >= 0
            and is_phase(undecorated(found.headings[found.above[at]].text))
            and _NUMBERED.match(head.id)
        ):
            below[at] = head
        if head.id.isdigit():
            numbered.setdefault(heading.level, {})[at] = head
    if stages := _stages(found):
        return stages
    ticked = (heads for heads in numbered.values() if any(state_in(head.title)[1] for head in heads.values()))
    named = _PLAN.search(path.replace("\\", "/")) is not None
    return below or next(ticked, {}) or (_phases(found) if named else {})


def _stages(found: Checklist) -> dict[int, Head]:
    """The phases that say their status: `## Stage 1: Till` with a line `**Status**: In Progress`."""
    heads = _numbered_phases(found)
    told = {line.heading for line in found.loose if _STATUS.match(line.text)}
    return {at: head for at, head in heads.items() if at in told} if len(told & heads.keys()) > 1 else {}


def _phases(found: Checklist) -> dict[int, Head]:
    """The phases of a plan, if they are three or more, and each has a list, a name and a number of its own."""
    heads = _numbered_phases(found)
    levels = {found.headings[at].level for at in heads}
    lists = {at for line in found.loose if line.bullet for at in found.around(line.heading)}
    named = all(head.title != found.headings[at].text for at, head in heads.items())
    alone = len({head.id for head in heads.values()}) == len(heads) >= _FEWEST and len(levels) == 1 and named
    return heads if alone and heads.keys() <= lists else {}


def _numbered_phases(found: Checklist) -> dict[int, Head]:
    heads: dict[int, Head] = {}
    for at, heading in enumerate(found.headings):
        phase = make_phase(at, undecorated(heading.text), heading.line)
        if heading.level > 1 and phase.number:
            name = _OF_PHASE.sub("", phase.title, count=1).strip()
            heads[at] = Head(phase.number, (), name or phase.title, struck=False)
    return heads
