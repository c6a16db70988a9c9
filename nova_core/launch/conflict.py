"""Words for an agent whose work could not be merged with what others did meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from nova_core.model import Task
from nova_core.state.git_run import MERGED
from nova_core.state.schema import TaskState
from nova_core.text import clean, cut

_MOST_FILES = 40
_MOST_NOTE = 300
_KINDS = {
    "contents": "marks of the conflict are in it",
    "binary": "both changed it, and it has no lines; `git show {tip}:{path}` prints theirs",
    "modify/delete": "one side changed it, the other deleted it",
    "rename/rename": "both renamed it, to different names",
    "rename/delete": "one side renamed it, the other deleted it",
    "file/directory": "it is a file on one side, a folder on the other",
    "add/add": "both added it; marks of the conflict are in it",
}


def conflict_words(state: TaskState, tasks: Mapping[str, Task], states: Mapping[str, TaskState]) -> str:
    """Returns what the task's agent has to do; `state.base_sha` is the commit with which its work did not merge."""
    paths = list(state.conflict)
    others = [i for i, other in states.items() if other.merge == MERGED and _meets(other, state)]
    who = "; ".join(_other(i, tasks, states) for i in others) or "others"
    lines = [f"- `{clean(path)}`: {_kind(state, path)}" for path in paths[:_MOST_FILES]]
    if len(paths) > _MOST_FILES:
        lines.append(f"- and {len(paths) - _MOST_FILES} more: `git status` names them")
    return (
        "# Your work conflicts with another task's\n\n"
        f"Your work is done, but meanwhile the same places were changed by {who}.\n"
        "Both are now in this directory. In these files keep what both want, and remove all marks of conflict:\n\n"
        + "\n".join(lines)
        + "\n\nYou need not commit. Then all that your task asks for must hold again."
    )


def _meets(other: TaskState, state: TaskState) -> bool:
    return not state.conflict.keys().isdisjoint(other.files_changed)


def _other(task_id: str, tasks: Mapping[str, Task], states: Mapping[str, TaskState]) -> str:
    name = tasks[task_id].name if task_id in tasks else task_id
    note = states[task_id].handoff
    said = f"; its note: {cut(clean(note), _MOST_NOTE)}" if note else ""
    return f'{task_id} ("{cut(clean(name), 80)}"{said})'


def _kind(state: TaskState, path: str) -> str:
    words = _KINDS.get(state.conflict[path], "both sides changed it")
    return words.format(tip=(state.base_sha or "")[:10], path=clean(path))
