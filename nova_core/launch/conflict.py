"""Words for an agent whose work could not be merged with what others did meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from nova_core.isolation.kinds import meaning, to_do
from nova_core.model import Task
from nova_core.state.git_run import MERGED
from nova_core.state.schema import TaskState
from nova_core.text import clean, cut

_MOST_FILES = 40
_MOST_NOTE = 300


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
        "Both are now in this directory, in the middle of a merge. In these files keep what both want:\n\n"
        + "\n".join(lines)
        + "\n\nA file without marks counts as resolved once you change it or, if it is right as it is, `git add` it.\n"
        "Where git cannot write, `git show MERGE_HEAD:./FILE > FILE` puts your version there, and `rm` deletes.\n"
        "Do not abort the merge and do not reset: that would throw your work away. You need not commit.\n"
        "Then all that your task asks for must hold again."
    )


def _meets(other: TaskState, state: TaskState) -> bool:
    return not state.conflict.keys().isdisjoint(other.files_changed)


def _other(task_id: str, tasks: Mapping[str, Task], states: Mapping[str, TaskState]) -> str:
    name = tasks[task_id].name if task_id in tasks else task_id
    note = states[task_id].handoff
    said = f"; its note: {cut(clean(note), _MOST_NOTE)}" if note else ""
    return f'{task_id} ("{cut(clean(name), 80)}"{said})'


def _kind(state: TaskState, path: str) -> str:
    kind = state.conflict[path]
    return f"{meaning(kind)}; {to_do(kind, path)}"
