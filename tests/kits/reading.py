"""Reads plans in the tests of importers, with short forms of the result."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

from nova_core.importers import kiro, openspec, speckit
from nova_core.importers.build import build
from nova_core.importers.draft import Draft
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser.cascade import Cascade

Reader = Callable[[str, str, PlanOptions], Draft]
READERS: dict[str, Reader] = {"spec-kit": speckit.read, "kiro": kiro.read, "openspec": openspec.read}


def plan(kind: str, text: str, path: str = "specs/001-shop/tasks.md", *, optional: bool = False) -> Cascade:
    """The cascade of a plan whose text has the indentation of the test."""
    return build(READERS[kind](path, dedent(text), PlanOptions(optional=optional)))


def edges(cascade: Cascade) -> dict[str, str]:
    """The dependencies of each task, sorted, as one string."""
    return {task.id: " ".join(sorted(task.depends_on)) for task in cascade.tasks.values()}


def notes(cascade: Cascade, kind: NoteKind) -> list[str]:
    """The notes of one kind, each after its line."""
    return [f"{note.line}: {note.text}" for note in cascade.notes if note.kind is kind]


def above(cascade: Cascade) -> dict[str, set[str]]:
    """All direct and indirect predecessors of each task."""
    found: dict[str, set[str]] = {}
    for task_id in sorted_ids(cascade):
        needs = cascade.tasks[task_id].depends_on
        found[task_id] = set(needs).union(*(found[need] for need in needs))
    return found


def sorted_ids(cascade: Cascade) -> list[str]:
    """The ids, dependencies first."""
    from graphlib import TopologicalSorter

    return list(TopologicalSorter({task.id: task.depends_on for task in cascade.tasks.values()}).static_order())
