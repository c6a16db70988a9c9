"""Reads CASCADE.md: from text to tasks, a graph, and every problem found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from nova_core.dag import DAG, CycleError
from nova_core.errors import Problem
from nova_core.model import Mark, Note, Task
from nova_core.parser.blocks import hide_comments, scan, split_lines
from nova_core.parser.criteria import checklist
from nova_core.parser.duplicates import distinct
from nova_core.parser.findings import Findings
from nova_core.parser.references import References
from nova_core.parser.rows import Row
from nova_core.parser.sections import Outline, Section, find_tables, place_rows, read_rows
from nova_core.parser.source import read_source
from nova_core.parser.ticked import take_ticks
from nova_core.parser.unread import TABLE_HINT, why_no_tasks

_MAX_CYCLES = 10
_SHOWN_CYCLE = 20

Branches = dict[str, dict[str, tuple[str, ...]]]


class Cascade(msgspec.Struct, frozen=True):
    """A plan: its tasks in plan order, their graph, and its branches (branch -> group -> ids, in plan order).

    Every dependency of every task is a key of `tasks`, and there is no cycle. `warnings` are in file order. A plan that
    another tool wrote has its `format`, `notes` on how its parts were read, and `marks`: the boxes of finished tasks.
    """

    name: str
    path: str
    tasks: dict[str, Task]
    dag: DAG
    warnings: tuple[Problem, ...]
    branches: Branches
    format: str = "cascade"
    notes: tuple[Note, ...] = ()
    marks: tuple[Mark, ...] = ()


def parse_cascade(path: str | os.PathLike[str]) -> Cascade:
    """Read the plan in the file `path`.

    Raises `InputNotFoundError` (a `FileNotFoundError`) if there is no such file, and `InputError` (a `ValueError`) with
    every problem of the file at once.
    """
    return parse_text(read_source(path), os.fspath(path))


def parse_text(text: str, path: str, *, lenient: bool = False) -> Cascade:
    """The plan in `text`; `path` only names it. Raises `InputError` with every problem at once.

    `lenient` is for a plan that was not written for Nova. A missing dependency is kept in the task's `missing`, an
    unusable row or cell is left out, and `notes` report these and every interpretation. The remaining errors are a plan
    without tasks, an id with two meanings, a cycle, half a command.
    """
    findings = Findings(path, lenient=lenient)
    lines = split_lines(text)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        findings.error(line, "the file is not text: there is a NUL character", TABLE_HINT)
        findings.raise_errors()
    outline, tables, sections, stated = _read(text, lines, findings)
    rows = distinct(tables, findings)
    if sections or "[x]" in text or "[X]" in text:
        take_ticks(rows, sections, lines, stated, findings)
    if not rows and not findings.failed:
        found, hint = why_no_tasks(lines) if text.strip() and not tables and _is_markdown(path) else ("", TABLE_HINT)
        if found:
            findings.no_plan(found, hint)
        else:
            findings.error(0, "no tasks found" if text.strip() else "the plan is empty", hint)
    branches = branches_of(rows)
    references = References(rows, branches, findings)
    depends_on = {row.id: references.resolve(row) for row in rows}
    references.add_own_groups(depends_on)
    dag = graph_of(depends_on, {row.id: ("", row.line) for row in rows}, findings)
    findings.raise_errors()
    tasks = _tasks(rows, depends_on, sections, lines)
    for task_id, words in references.missing.items():
        tasks[task_id] = msgspec.structs.replace(tasks[task_id], missing=tuple(words))
    notes = tuple(sorted(findings.notes, key=lambda note: note.line))
    work = branches_of(task for task in tasks.values() if not task.gate)
    return Cascade(outline.project, path, tasks, dag, findings.warnings(), work, notes=notes)


def _is_markdown(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in (".md", ".markdown", "")


def _read(
    text: str, lines: list[str], findings: Findings
) -> tuple[Outline, list[list[Row]], list[Section], frozenset[str]]:
    """The contents of the file; the last value holds the ids of rows whose table has a column for their state."""

    def report_unclosed(line: int, what: str) -> None:
        findings.warn(line, f"the {what} is never closed: everything below it is ignored")

    hidden = hide_comments(lines, report_unclosed) if "<!--" in text else set()
    blocks = list(scan(lines, hidden, report_unclosed))
    tables = find_tables(blocks, findings)
    by_table = read_rows(blocks, tables, lines, findings)
    stem = os.path.splitext(os.path.basename(findings.path))[0]
    outline = Outline(stem)
    sections = place_rows(blocks, by_table, len(lines), outline, findings)
    stated: set[str] = set()
    states = False
    for at, rows in by_table.items():
        states = tables[at].states if at in tables else states  # rows after an empty line belong to the table above
        stated.update(row.id for row in rows if states)
    return outline, list(by_table.values()), sections, frozenset(stated)


class _Placed(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def branch(self) -> str: ...
    @property
    def group(self) -> str: ...


def branches_of(rows: Iterable[_Placed]) -> Branches:
    """The ids by branch and group, in plan order."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        found.setdefault(row.branch, {}).setdefault(row.group, []).append(row.id)
    return {branch: {group: tuple(ids) for group, ids in groups.items()} for branch, groups in found.items()}


def graph_of(depends_on: Mapping[str, Sequence[str]], places: Mapping[str, tuple[str, int]], findings: Findings) -> DAG:
    """The graph, given the place of each task: its line, and its file if there are several.

    Each cycle is reported and then opened, so that the next one is found too; see `raise_errors`.
    """
    edges = depends_on
    for _ in range(_MAX_CYCLES):
        try:
            return DAG(edges)
        except CycleError as error:
            first, second = error.path[0], error.path[1]
            message = f"cyclic dependency: {_shown_cycle(error.path)}"
            path, line = places[first]
            findings.error(line, message, "remove one of these dependencies", path)
            edges = {**edges, first: tuple(task_id for task_id in edges[first] if task_id != second)}
    return DAG({})


def _shown_cycle(path: Sequence[str]) -> str:
    if len(path) > _SHOWN_CYCLE:
        path = [*path[: _SHOWN_CYCLE - 2], f"... ({len(path) - _SHOWN_CYCLE + 1} more)", path[-1]]
    return " -> ".join(path)


def _tasks(
    rows: Iterable[Row], depends_on: Mapping[str, tuple[str, ...]], sections: Iterable[Section], lines: Sequence[str]
) -> dict[str, Task]:
    texts: dict[str, list[Section]] = {}
    for section in sections:
        texts.setdefault(section.task_id, []).append(section)
    tasks = {}
    for row in rows:
        fields = row.fields or {}
        if row.id in texts:
            fields = _with_sections(fields, texts[row.id], lines)
        tasks[row.id] = Task(
            row.id,
            row.name or row.id,
            row.description,
            depends_on[row.id],
            row.group,
            row.branch,
            row.line,
            **fields,
        )
    return tasks


def _with_sections(fields: dict[str, Any], sections: Sequence[Section], lines: Sequence[str]) -> dict[str, Any]:
    """The fields of a task with the text of its sections and the criteria listed there."""
    bodies = [lines[section.start : section.end] for section in sections]
    starts = [section.start + 1 for section in sections]
    criteria = [item for start, body in zip(starts, bodies, strict=True) for item in checklist(body, start)]
    return {
        **fields,
        "details": "\n\n".join("\n".join(body).strip() for body in bodies),
        "criteria": (*fields.get("criteria", ()), *criteria),
    }
