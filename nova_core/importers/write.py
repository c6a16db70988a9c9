"""Writes any plan as a CASCADE.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from nova_core.importers import cellwrite as write
from nova_core.model import Task
from nova_core.parser.blocks import Heading, hide_comments, scan
from nova_core.parser.cascade import Cascade
from nova_core.parser.columns import read_header
from nova_core.parser.findings import Findings
from nova_core.parser.references import References
from nova_core.parser.rows import Row
from nova_core.parser.sections import headed_task

_SECTION = 4  # hashes in the heading of a task's section
_MISSING = "missing: "

# Title, and the cell of a task; "" for an empty cell. The first four are always present.
_COLUMNS: tuple[tuple[str, Callable[[Task], str]], ...] = (
    ("Command", lambda task: write.command(task.command) if task.command else ""),
    ("Agent", lambda task: write.word(task.agent) if task.agent else ""),
    ("Model", lambda task: write.word(task.model) if task.model else ""),
    ("Inputs", lambda task: write.inputs(task.inputs)),
    ("Outputs", lambda task: write.outputs(task.outputs)),
    ("Files", lambda task: write.files(task.files)),
    ("Timeout", lambda task: f"{write.number(task.timeout)}s" if task.timeout is not None else ""),
    ("Retries", lambda task: str(task.retries) if task.retries is not None else ""),
    ("Priority", lambda task: str(task.priority) if task.priority else ""),
    ("Locks", lambda task: write.names(task.locks)),
    ("Approval", lambda task: task.approval),
    ("Duration", lambda task: f"{write.number(task.duration)}s" if task.duration is not None else ""),
    ("CPU", lambda task: write.number(task.cpu) if task.cpu else ""),
    ("Memory", lambda task: str(task.memory) if task.memory else ""),
    ("Budget", lambda task: write.number(task.budget) if task.budget else ""),
    ("Terminal", lambda task: "" if task.terminal is None else "yes" if task.terminal else "no"),
    ("Tree", lambda task: task.tree),
    ("Gate", lambda task: "yes" if task.gate else ""),
    ("Status", write.status),
)


def to_markdown(cascade: Cascade) -> str:
    """The plan as tables of tasks, which `parse_text` reads back as the same tasks with the same graph.

    Tasks stay in plan order, so a group appears twice if its tasks are apart. Details are written unchanged if they are
    harmless, else in a code fence: headings, task tables, comments and boxes that are not criteria would be read as
    such. Criteria that no cell can hold are boxes above the details. A task's missing dependencies are named among its
    dependencies, so that they are errors until somebody fixes them.
    """
    return "\n".join(_Writer(cascade).lines()).rstrip("\n") + "\n"


class _Writer:
    """Writes one plan."""

    def __init__(self, cascade: Cascade) -> None:
        self._name = write.one_line(cascade.name)
        self._tasks = list(cascade.tasks.values())
        self._ids = {task_id.casefold(): task_id for task_id in cascade.tasks}
        self._texts = {task.id: _Texts(task, self._ids) for task in self._tasks}
        self._missing = _Missing(cascade) if any(task.missing for task in self._tasks) else None
        self._columns = [(title, cells) for title, cell in _COLUMNS if any(cells := list(map(cell, self._tasks)))]
        if any(texts.criteria for texts in self._texts.values()):
            self._columns.append(("Criteria", [self._texts[task.id].criteria for task in self._tasks]))

    def lines(self) -> Iterator[str]:
        """All lines of the file."""
        if heading := write.title(self._name, 1):
            yield from (heading, "")
        place = (self._name, self._name)
        start = 0
        for at in range(1, len(self._tasks) + 1):
            if at == len(self._tasks) or self._place(self._tasks[at]) != self._place(self._tasks[start]):
                new = self._place(self._tasks[start])
                yield from _headings(place, new)
                yield from self._table(range(start, at))
                place, start = new, at

    def _place(self, task: Task) -> tuple[str, str]:
        branch = write.one_line(task.branch) or self._name
        return branch, write.one_line(task.group) or branch

    def _table(self, numbers: range) -> Iterator[str]:
        titles = ["Task ID", "Task Name", "What Changes", "Depends On", *(title for title, _ in self._columns)]
        yield write.row(titles)
        yield "|" + "---|" * len(titles)
        for at in numbers:
            yield self._row(at)
        yield ""
        for at in numbers:
            if body := self._texts[self._tasks[at].id].body:
                yield from (f"{'#' * _SECTION} {self._tasks[at].id}", "", *body, "")

    def _row(self, at: int) -> str:
        task = self._tasks[at]
        missing = self._missing.words_of(task) if self._missing else []
        needs = ", ".join([*task.depends_on, *missing]) or "-"
        extras = [cells[at] or "-" for _, cells in self._columns]
        name, text = write.one_line(task.name) or task.id, task.description
        line = write.row([task.id, write.name(name), write.description(text), needs, *extras])
        if "<!--" in line:  # in a command: without other code before it, it stays in its backticks
            name, text = name.replace("`", "'"), text.replace("`", "'")
            line = write.row([task.id, write.name(name), write.description(text), needs, *extras])
        return line


def _headings(old: tuple[str, str], new: tuple[str, str]) -> Iterator[str]:
    """The headings between one branch and group and the next."""
    if old == new:
        return
    if old[0] != new[0] or new[0] == new[1]:
        yield from (write.title(new[0], 2), "")
    if new[0] != new[1]:
        yield from (write.title(new[1], 3), "")


class _Texts:
    """The cell of a task's criteria, and the lines of its section."""

    def __init__(self, task: Task, ids: Mapping[str, str]) -> None:
        lines = write.plain_text(task.details).strip().split("\n") if task.details.strip() else []
        found = list(task.criteria)
        boxes = write.boxes_in(lines)
        told = len(found) - len(boxes)
        if boxes and [criterion.text for criterion in found[max(0, told) :]] == boxes and _is_harmless(lines, ids):
            found = found[:told]
        elif lines and (boxes or not _is_harmless(lines, ids)):
            lines = _fenced(lines)
        cell = write.criteria(found)
        self.criteria = cell or ""
        listed = write.boxes(found) if cell is None else []
        self.body = [*listed, *([""] if lines and listed else []), *lines]


def _is_harmless(lines: Sequence[str], ids: Mapping[str, str]) -> bool:
    """Returns True if the lines can be a section's text: no heading that ends it, no task table, nothing left open."""
    unclosed: list[int] = []
    text = ["", *lines]  # front matter counts only at the head of a file

    def note(line: int, _what: str) -> None:
        unclosed.append(line)

    if hide_comments(list(text), note):
        return False
    for block in scan(text, set(), note):
        if isinstance(block, Heading):
            if block.level <= _SECTION or headed_task(block, ids, Findings("")):
                return False
        elif not block.header or read_header(block.header):
            return False
    return not unclosed


def _fenced(lines: Sequence[str]) -> list[str]:
    """The lines as a code block, between longer runs of backticks than they hold."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *lines, fence]


class _Missing:
    """Writes dependencies that are not in the plan so that they do not resolve to anything that is."""

    def __init__(self, cascade: Cascade) -> None:
        rows = [Row(t.id, "", "", "", 0, None, t.group, t.branch) for t in cascade.tasks.values()]
        self._rows = {row.id: row for row in rows}
        self._references = References(rows, cascade.branches, Findings("", lenient=True))

    def words_of(self, task: Task) -> list[str]:
        """The words unchanged; marked if they would be resolved."""
        words = (write.one_line(word).replace("<!--", "<! --").replace("`", "'") for word in task.missing)
        return [self._marked(task, word) for word in words if word]

    def _marked(self, task: Task, word: str) -> str:
        self._references.missing.clear()
        row = self._rows[task.id]
        row.depends_on = word
        found = self._references.resolve(row)
        return _MISSING + word if found or not self._references.missing else word
