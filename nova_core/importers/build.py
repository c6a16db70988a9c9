"""Turns a draft into a cascade: safe ids, containers resolved, one graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nova_core.importers.circles import Edge, without_circles
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.tree import Tree
from nova_core.model import Mark, NoteKind, Task, is_safe_id
from nova_core.parser.cascade import Cascade, branches_of, graph_of
from nova_core.parser.findings import Findings, shown_path
from nova_core.parser.references import MAX_EDGES

# The most edges between the tasks that wait for a container or set and its contents. Above it, a gate connects them:
# a thousand tasks that wait for a thousand are then two thousand edges, not a million.
MOST_EDGES = 64
_MISSING_HINT = "correct or remove it: the task cannot start without it"


def build(draft: Draft) -> Cascade:
    """The plan that the draft describes. Items lose parents that do not exist; the draft gains notes.

    Raises `InputError` for a draft without tasks, with a cycle, or with more than a million dependencies.
    """
    findings = Findings(draft.path)
    tree = Tree(draft)
    ids = safe_ids(draft)
    edges = _Edges(draft, tree, ids)
    tasks: dict[str, Task] = {}
    for item in tree.leaves:
        task = _task(item, ids[item.key], edges.of_leaf(item), tree.missing(item))
        for gate in edges.new_gates():
            tasks[gate.id] = gate
        tasks[task.id] = task
    if not tasks:
        findings.error(0, "no tasks found", f"the file was read as a plan of {draft.format}")
    if edges.too_many:
        findings.error(0, f"the plan has more than {MAX_EDGES:,} dependencies")
    else:
        tasks = without_circles(draft, tasks, edges.said)
    for note in draft.notes:
        if note.kind is NoteKind.UNRESOLVED:
            findings.warn(note.line, note.text, _MISSING_HINT, note.path)
    findings.raise_errors()
    places = {task.id: (shown_path(task.file) if task.file else "", task.line) for task in tasks.values()}
    dag = graph_of({task.id: task.depends_on for task in tasks.values()}, places, findings)
    findings.raise_errors()
    notes = tuple(sorted(draft.notes, key=lambda n: (n.path, n.line)))
    branches = branches_of(task for task in tasks.values() if not task.gate)
    return Cascade(
        draft.name or draft.path, draft.path, tasks, dag, findings.warnings(), branches,
        draft.format, notes, _marks(draft, tree, ids),
    )  # fmt: skip


def safe_ids(draft: Draft) -> dict[str, str]:
    """An id for each key: the key itself if it is a valid id."""
    ids: dict[str, str] = {}
    used: set[str] = set()
    numbers: dict[str, int] = {}  # the last one of each id, so that a thousand equal ids are not counted again
    for item in draft.items:
        wanted = item.key if is_safe_id(item.key) else _safe(item.key)
        found, number = wanted, numbers.get(wanted, 1)
        while found.casefold() in used:
            number += 1
            found = f"{wanted}-{number}"
        numbers[wanted] = number
        if found != item.key:
            draft.note(NoteKind.GUESSED, item.line, f"{item.key} is called {found} here", item.file)
        used.add(found.casefold())
        ids[item.key] = found
    return ids


def _safe(text: str) -> str:
    """A valid id as similar to `text` as possible."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text[:200]).strip("-")[:60].rstrip("-")
    return plain if is_safe_id(plain) else f"t-{plain}"[:60].rstrip("-")


class _Edges:
    """The dependencies of each leaf, with gates if they save edges."""

    def __init__(self, draft: Draft, tree: Tree, ids: Mapping[str, str]) -> None:
        self._draft, self._tree, self._ids = draft, tree, ids
        self._sizes = {**tree.sizes, **{name: sum(map(self._size, keys)) for name, keys in draft.sets.items()}}
        self._users: dict[str, int] = {}
        for item in draft.items:
            for need in item.needs:
                if need in self._sizes:
                    self._users[need] = self._users.get(need, 0) + self._size(item.key)
        self._ends: dict[str, tuple[str, ...]] = {}
        self._starts: dict[str, tuple[str, ...]] = {}
        # Dependents of a dropped task wait for the tasks that it would have waited for.
        self._through: dict[str, tuple[str, ...]] = {}
        self._dropped = {ids[item.key] for item in draft.items if item.state is ItemState.DROPPED}
        self.said: set[Edge] = set()  # between two tasks, as the plan states it word for word
        self._gates: list[Task] = []
        self._taken = set(ids.values())
        self._count = 0

    @property
    def too_many(self) -> bool:
        """Returns True if the graph is too large to hold; dependencies requested after that are incomplete."""
        return self._count > MAX_EDGES

    def new_gates(self) -> list[Task]:
        """The gates created since the last call."""
        made, self._gates = self._gates, []
        return made

    def of_leaf(self, item: Item) -> tuple[str, ...]:
        """The ids a task waits for: those it names, and those its containers wait for."""
        found = dict.fromkeys((*self._start(item.parent), *self._needed_by(item)))
        found.pop(self._ids[item.key], None)
        self.said.update((self._ids[item.key], self._ids[need]) for need in item.needs if need not in self._sizes)
        self._count += len(found)
        if item.state is ItemState.DROPPED:
            self._through[item.key] = tuple(i for i in found if i not in self._dropped)
        return tuple(found)

    def _size(self, key: str) -> int:
        return self._tree.sizes.get(key, 1)

    def _start(self, container: str) -> tuple[str, ...]:
        """The ids that everything inside a container waits for."""
        if not container:
            return ()
        if container not in self._starts:
            item = self._tree.items[container]
            needs = tuple(dict.fromkeys((*self._start(item.parent), *self._needed_by(item))))
            if len(needs) > 1 and len(needs) * self._sizes[container] > MOST_EDGES:
                needs = (self._gate(f"{self._ids[container]}-start", f"Before: {item.title}", item, needs),)
            self._starts[container] = needs
        return self._starts[container]

    def _needed_by(self, item: Item) -> Iterable[str]:
        for need in item.needs:
            if self.too_many:
                return
            if self._tree.is_inside(need, item.key) or self._tree.is_inside(item.key, need):
                if need != item.parent:
                    text = f"{item.key} does not depend on {need}: one is a part of the other"
                    self._draft.note(NoteKind.DROPPED, item.line, text, item.file)
                continue
            yield from self._end(need)

    def _end(self, key: str) -> tuple[str, ...]:
        """The ids to wait for in place of a task, a container or a set."""
        if key not in self._sizes:
            return self._ids[key], *self._through.get(key, ())
        if key not in self._ends:
            members = self._draft.sets.get(key) or self._tree.children.get(key, [])
            ends = tuple(dict.fromkeys(i for member in members for i in self._end(member)))
            self._count += len(ends)
            item = self._tree.items.get(key)
            if item is not None and not ends:  # an epic without tasks still passes on its dependencies
                ends = (self._gate(self._ids[key], item.title, item, self._start(key)),)
            elif len(ends) > 1 and len(ends) * self._users.get(key, 0) > MOST_EDGES:
                place = item or self._tree.items[members[-1]]
                name = self._ids[key] if item else f"{_safe(key)}-done"
                ends = (self._gate(name, item.title if item else f"Done: {key}", place, ends),)
            self._ends[key] = ends
        return self._ends[key]

    def _gate(self, name: str, title: str, place: Item, needs: tuple[str, ...]) -> str:
        """The id of a new gate that waits for `needs`."""
        wanted, number = name if is_safe_id(name) else _safe(name), 1
        found = wanted
        while found in self._taken and found != self._ids.get(place.key):
            number += 1
            found = f"{wanted}-{number}"
        self._taken.add(found)
        group = place.group or place.branch
        gate = Task(found, title, "", needs, group, place.branch, place.line, gate=True, file=place.file)
        self._count += len(needs)
        self._gates.append(gate)
        return found


def _task(item: Item, task_id: str, depends_on: tuple[str, ...], missing: tuple[str, ...]) -> Task:
    settled = "" if item.state is ItemState.OPEN else item.word or item.state.value
    branch = item.branch
    return Task(
        task_id, item.title or task_id, item.description, depends_on, item.group or branch, branch, item.line,
        item.details, **item.fields, settled=settled, dropped=item.state is ItemState.DROPPED,
        missing=missing, file=item.file,
    )  # fmt: skip


def _marks(draft: Draft, tree: Tree, ids: Mapping[str, str]) -> tuple[Mark, ...]:
    """The boxes, each with the tasks still to be completed before it is ticked."""
    inside: dict[str, list[str]] = {}
    for item in tree.leaves:
        inside[item.key] = [ids[item.key]] if item.state is ItemState.OPEN else []
    for key in reversed(tree.outermost_first):
        inside[key] = [i for child in tree.children[key] for i in inside.get(child, ())]
    return tuple(
        Mark(item.file or draft.path, line, tuple(inside[item.key]), text)
        for item in draft.items
        for line, text in (*(((item.box, item.mark),) if item.box else ()), *item.steps)
        if inside[item.key]
    )
