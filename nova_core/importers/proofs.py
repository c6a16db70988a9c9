"""Gives what proves a phase or group of tasks to its last task: independent tests, checkpoints, acceptance criteria."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from nova_core.importers.checklist import Checklist
from nova_core.importers.draft import ItemState
from nova_core.importers.lists import Todo
from nova_core.model import Criterion

_WORDS = r"independent tests?(?: criteria)?|checkpoint|(?:acceptance|exit|success) criteria|(?:exit|quality) gates?"
_PROVES = re.compile(rf"\*\*(?:{_WORDS})[^*]{{0,2000}}\*\*|(?:{_WORDS})\s*[:：]", re.IGNORECASE)
_LABEL = re.compile(rf"\*\*(?:{_WORDS})\s*[:：]?\*\*\s*[:：]?\s*|(?:{_WORDS})\s*[:：]\s*", re.IGNORECASE)
_MOST_CRITERIA = 50


def prove(found: Checklist, todos: Sequence[Todo], places: Mapping[str, int], around: Sequence[int]) -> None:
    """Make criteria of the text below headings, for the agent of the last task there.

    `places` are the headings of the phases of tasks by key, `around` those of the phases around each heading. Also if
    that task is already done: a tick would edit another task. The criteria have no commands: a command wrongly taken
    from prose would make a good task fail.
    """
    last = {places[todo.key]: todo for todo in todos if todo.item.state is not ItemState.DROPPED}
    if not last:
        return
    collecting = -2
    for line in found.loose:
        phase = around[line.heading] if line.heading >= 0 else -1
        proves = _PROVES.match(line.text)
        if not proves and not (line.bullet and collecting == line.heading):
            collecting = -2
            continue
        text = _LABEL.sub("", line.text, count=1) if proves else line.text
        collecting = line.heading if not proves or not text else -2
        if text and phase in last:
            item = last[phase].item
            criteria = item.fields.get("criteria", ())
            if len(criteria) < _MOST_CRITERIA:
                item.fields["criteria"] = (*criteria, Criterion(text.replace("**", ""), None, line.line))
