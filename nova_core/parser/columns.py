"""Decides by its header whether a table holds tasks, and what each column means."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nova_core.parser.cells import MAX_CELLS, undecorated

# Column names in common use, the surest first.
_SURE_IDS = ("task id", "taskid", "task-id", "task_id", "task #", "task no", "id", "#", "no", "nr", "key", "ticket")
_WEAK_IDS = ("task", "step", "pr", "phase", "milestone", "batch")
_IDS = frozenset(_SURE_IDS + _WEAK_IDS)
_NAMES = ("task name", "name", "title", "task title", "task", "summary", "step", "phase", "milestone", "goal")
_DESCRIPTIONS = ("what changes", "what to do", "description", "details", "what", "scope")
_DEPENDENCIES = frozenset(
    ("depends on", "depends", "dependencies", "dependency", "deps", "dep", "blocked by", "prerequisites",
     "prerequisite", "requires", "depends-on", "depends_on")
)  # fmt: skip
_OPTIONAL = {
    "agent": ("agent",),
    "budget": ("budget", "max cost", "cost cap"),
    "command": ("command", "cmd", "run", "shell"),
    "outputs": ("outputs", "output", "output files", "produces", "artifacts"),
    "files": ("files", "files touched", "touches", "changed files"),
    "criteria": (
        "criteria", "acceptance criteria", "acceptance", "done when", "success criteria", "definition of done",
        "verification", "checks",
    ),
    "timeout": ("timeout", "time limit"),
    "retries": ("retries", "retry", "max retries"),
    "priority": ("priority", "prio"),
    "locks": ("locks", "lock"),
    "model": ("model",),
    "approval": ("approval", "needs approval", "requires approval"),
    "duration": ("duration", "estimate", "estimated duration", "est", "effort"),
    "cpu": ("cpu", "cpus", "cores"),
    "memory": ("memory", "mem", "ram"),
}  # fmt: skip
# The same for names that other tables use too: they do not make a table a task table.
_COMMON = {
    "inputs": ("inputs", "input", "input files", "consumes"),
    "gate": ("gate",),
    "terminal": ("terminal", "tty", "pty"),
    "tree": ("tree", "worktree", "work tree"),
}
# Several columns may hold a state: `Done` with boxes beside `Status`; a column of boxes often has no name.
_STATES = frozenset(
    ("status", "state", "done", "done?", "completed", "complete", "progress", "✓", "✔", "✅", "☑", "☐", "[ ]", "")
)


class Columns(msgspec.Struct, frozen=True, gc=False):
    """The columns of a task table; indexes count from 0, -1 means that the table has no such column.

    `sure` is True for an id column whose name has only that meaning. `extras` are (index, field of Task, folded
    header), `text` is the column most likely to hold a stray pipe.
    """

    width: int
    id: int
    sure: bool
    name: int
    description: int
    depends_on: tuple[int, ...]
    extras: tuple[tuple[int, str, str], ...]
    unused: tuple[str, ...]
    text: int

    @property
    def states(self) -> bool:
        """Returns True if a column holds the state of the tasks."""
        return any(field == "state" and title for _, field, title in self.extras)

    @property
    def commands(self) -> bool:
        """Returns True if a column holds commands."""
        return any(field == "command" for _, field, _ in self.extras)


def read_header(header: Sequence[str]) -> Columns | None:
    """The columns of a task table; None if the table holds something else.

    A task table has an id column and either a dependency column, or (with an id column of a sure name) a name and one
    more column Nova knows; a column named `Task ID` and a name are enough.
    """
    if not 2 <= len(header) <= MAX_CELLS:
        return None
    titles = [_title(cell) for cell in header]
    if _IDS.isdisjoint(titles):
        return None
    free = _Free(titles)
    task_id, sure = free.take(_SURE_IDS), True
    if task_id < 0:
        task_id, sure = free.take(_WEAK_IDS), False
    name, description = free.take(_NAMES), free.take(_DESCRIPTIONS)
    depends_on = free.take_all(_DEPENDENCIES)
    extras = [(at, field, titles[at]) for field, names in _OPTIONAL.items() if (at := free.take(names)) >= 0]
    common = [(at, field, titles[at]) for field, names in _COMMON.items() if (at := free.take(names)) >= 0]
    common += [(at, "state", titles[at]) for at in free.take_all(_STATES)]
    if not sure and depends_on and depends_on[0] < task_id:
        return None  # `Dependency | Phase | Blocks`: a table of dependencies by phase
    if task_id < 0 or not (depends_on or (sure and _is_plain_task_table(titles[task_id], name, description, extras))):
        return None
    unused = tuple(header[at] for at in free.left if titles[at])
    text = next((at for at in (description, name) if at >= 0), len(header) - 1)
    return Columns(len(header), task_id, sure, name, description, depends_on, (*extras, *common), unused, text)


def _is_plain_task_table(title: str, name: int, description: int, extras: Sequence[object]) -> bool:
    """Returns True if a table without dependencies holds tasks: `ID | Name | Description` alone may be anything."""
    return name >= 0 and (title.startswith("task") or bool(extras and (description >= 0 or len(extras) > 1)))


def _title(cell: str) -> str:
    return " ".join(undecorated(cell[:80]).casefold().rstrip(":.?\ufe0f").split())


class _Free:
    """The columns that have no meaning yet."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._titles = titles
        self.left = list(range(len(titles)))

    def take(self, names: Sequence[str]) -> int:
        """The column with the first of `names` that exists, -1 if none does."""
        for name in names:
            for at in self.left:
                if self._titles[at] == name:
                    self.left.remove(at)
                    return at
        return -1

    def take_all(self, names: frozenset[str]) -> tuple[int, ...]:
        found = tuple(at for at in self.left if self._titles[at] in names)
        self.left = [at for at in self.left if at not in found]
        return found
