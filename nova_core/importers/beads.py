"""Reads issues.jsonl of Beads: one issue per line, with its links to others."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from nova_core.errors import InputError, Problem
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.jsontext import decode, objects_of, text_of
from nova_core.importers.prose import (
    context_of,
    criteria_of,
    miss,
    one_line,
    set_state,
    split_prose,
    state_of,
    with_parts,
)
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser.blocks import split_lines
from nova_core.parser.findings import Findings, quoted, shown_path
from nova_core.parser.source import MAX_BYTES, read_source

_NAMES = ("issues.jsonl", "beads.jsonl")
_LINKS = "dependencies.jsonl"  # a backup of Beads keeps here the links that an export has in its issues
_BLOCKING = ("blocks", "waits-for", "")
_PARENT = "parent-child"
_ALSO_PARENT = "parent"  # a link may hold any word, and some tools write this for the same
_ON_FAILURE = "conditional-blocks"
_CONTAINERS = frozenset(("epic", "convoy", "molecule", "milestone"))
_NO_WORK = frozenset(("message", "event", "agent", "role", "rig", "slot"))
_MOST_MINUTES = 5_256_000  # ten years
_EMPTY_HINT = "export the issues first: newer versions of Beads keep them in a database"

Link = tuple[str, str, str, int]  # the waiting issue, the needed issue, kind, line


def suits(path: str, text: str) -> bool:
    """Returns True for issues of Beads; a file of that name counts even if it is empty."""
    if not text.strip():
        return os.path.basename(path) in _NAMES
    first = next(line for line in text.split("\n") if line.strip())
    try:
        data = decode(first, path)
    except InputError:
        return os.path.basename(path) in _NAMES
    return isinstance(data, dict) and {"id", "title"} <= data.keys() and bool({"status", "issue_type"} & data.keys())


def read(path: str, text: str, _options: PlanOptions) -> Draft:
    """The issues as tasks, the epics as containers of tasks."""
    draft = Draft(_name(path), path, "beads")
    issues = _objects(text, path)
    if not issues:
        raise InputError([Problem(shown_path(path), 0, "there are no issues in this file", _EMPTY_HINT)])
    return _Reader(draft, issues).read(_links_beside(path))


def _name(path: str) -> str:
    parts = os.path.abspath(path).split(os.sep)[:-1]
    while parts and parts[-1] in (".beads", "backup"):
        parts.pop()
    return (parts[-1] if parts else "") or "issues"


def _objects(text: str, path: str) -> list[tuple[int, dict[str, Any]]]:
    """The object of each line with its number. Raises `InputError` with all lines that hold none."""
    findings = Findings(path)
    if len(text) > MAX_BYTES:
        findings.error(0, f"the plan is larger than {MAX_BYTES >> 20} MiB")
        findings.raise_errors()
    found = []
    for number, line in enumerate(split_lines(text), 1):
        if not line.strip() or findings.full:
            continue
        try:
            data = decode(line, path, number)
        except InputError as error:
            findings.error(number, error.problems[0].message, "write one object in braces per line")
            continue
        if isinstance(data, dict):
            found.append((number, data))
        else:
            findings.error(number, "this line has no issue", "write one object in braces per line")
    findings.raise_errors()
    return found


def _links_beside(path: str) -> list[tuple[int, dict[str, Any]]]:
    """The links of a backup, which keeps them in a separate file."""
    beside = os.path.join(os.path.dirname(path), _LINKS)
    if os.path.basename(path) == _LINKS or not os.path.isfile(beside):
        return []
    return _objects(read_source(beside), beside)


class _Reader:
    """Turns issues into items."""

    def __init__(self, draft: Draft, issues: list[tuple[int, dict[str, Any]]]) -> None:
        self._draft = draft
        self._issues = issues
        self._items: dict[str, Item] = {}
        self._data: dict[str, dict[str, Any]] = {}
        self._tombstones: set[str] = set()

    def read(self, beside: list[tuple[int, dict[str, Any]]]) -> Draft:
        """All issues in their order, with their links."""
        links: list[Link] = []
        for line, data in self._issues:
            key = text_of(data.get("id"))
            if not key:
                self._draft.note(NoteKind.DROPPED, line, "an issue has no id")
            elif text_of(data.get("status")) == "tombstone":
                self._tombstones.add(key)
                self._items.pop(key, None)
            else:
                self._tombstones.discard(key)
                self._add(key, data, line)
                links += filter(None, (self._link(link, line, key) for link in objects_of(data.get("dependencies"))))
        links += filter(None, (self._link(link, 0, "") for _, link in beside))
        self._apply(list(dict.fromkeys(links)))
        self._draft.items = list(self._items.values())
        self._finish()
        return self._draft

    def _add(self, key: str, data: dict[str, Any], line: int) -> None:
        if key in self._items:
            text = f"{key} is also on line {self._items[key].line}: the later one counts"
            self._draft.note(NoteKind.GUESSED, line, text)
        item = Item(key, one_line(text_of(data.get("title"))) or key, line)
        self._items[key], self._data[key] = item, data
        self._set_state(item, text_of(data.get("status")), text_of(data.get("issue_type")).casefold())
        item.description, rest = split_prose(text_of(data.get("description")))
        parts = [("Design", text_of(data.get("design"))), ("Notes", text_of(data.get("notes")))]
        item.details = with_parts(rest, parts)
        if criteria := criteria_of(text_of(data.get("acceptance_criteria")), line):
            item.fields["criteria"] = criteria
        priority = text_of(data.get("priority")).upper().removeprefix("P")
        if priority in ("0", "1", "2", "3", "4"):
            item.fields["priority"] = 2 - int(priority)
        minutes = data.get("estimated_minutes")
        if isinstance(minutes, int) and 0 < minutes <= _MOST_MINUTES:
            item.fields["duration"] = 60.0 * minutes

    def _set_state(self, item: Item, word: str, kind: str) -> None:
        item.container = kind in _CONTAINERS
        idle = "pinned" if word == "pinned" else f"a {kind}" if kind in _NO_WORK else ""
        if idle and state_of(word) is ItemState.OPEN:
            item.state, item.word = ItemState.DROPPED, word
            self._draft.note(NoteKind.DROPPED, item.line, f"{item.key} is {idle}, which is not work")
            return
        set_state(self._draft, item, word)
        if kind == "gate" and item.state is ItemState.OPEN:
            text = f"{item.key} is a gate of Beads, which opens outside the plan: tasks that depend on it cannot start"
            self._draft.note(NoteKind.UNRESOLVED, item.line, text)
            item.missing.append(item.title)

    def _link(self, link: dict[str, Any], line: int, own: str) -> Link | None:
        """The waiting and the needed issue. If the second is missing, the link was written by hand in reverse."""
        waiting, needed = text_of(link.get("issue_id")) or own, text_of(link.get("depends_on_id"))
        kind = text_of(link.get("type")).casefold()
        if not needed and waiting != own and own:
            text = f"{own} was read as depending on {waiting}: the link names no other issue"
            self._draft.note(NoteKind.GUESSED, line, text)
            waiting, needed = own, waiting
        if not needed or not waiting:
            self._draft.note(NoteKind.DROPPED, line, f"a link of {waiting or 'no issue'} names no other issue")
            return None
        if "any-children" in text_of(link.get("metadata")):
            self._draft.note(NoteKind.GUESSED, line, f"{waiting} depends on all parts of {needed}, not on any one")
        return waiting, needed, kind, line

    def _apply(self, links: list[Link]) -> None:
        unused: Counter[str] = Counter()
        taken = 0
        for waiting, needed, kind, line in links:
            item = self._items.get(waiting)
            if item is None:
                if waiting not in self._tombstones:
                    self._draft.note(NoteKind.DROPPED, line, f"a link of {waiting}, which is not an issue here")
            elif kind in (_PARENT, _ALSO_PARENT):
                taken += kind != _PARENT
                self._set_parent(item, needed)
            elif kind == _ON_FAILURE:
                self._drop_fallback(item, needed)
            elif kind in _BLOCKING:
                self._need(item, needed)
            else:
                unused[kind] += 1
        if taken:
            text = f"links of the kind {quoted(_ALSO_PARENT)} were read as {quoted(_PARENT)}: {taken}"
            self._draft.note(NoteKind.GUESSED, 0, text)
        for kind, count in unused.items():
            self._draft.note(NoteKind.DROPPED, 0, f"links of the kind {quoted(kind)} are no dependencies: {count}")

    def _need(self, item: Item, needed: str) -> None:
        if needed == item.key:
            self._draft.note(NoteKind.DROPPED, item.line, f"{item.key} depends on itself")
        elif needed in self._items:
            item.needs.append(needed)
        elif needed in self._tombstones:
            text = f"{item.key} does not depend on {needed}, which was deleted"
            self._draft.note(NoteKind.RESOLVED, item.line, text)
        else:
            miss(self._draft, item, needed)

    def _drop_fallback(self, item: Item, needed: str) -> None:
        if item.state is ItemState.OPEN:
            text = f"{item.key} should run only if {needed} fails, which a plan of Nova cannot express: it will not run"
            self._draft.note(NoteKind.DROPPED, item.line, text)
            item.state, item.word = ItemState.DROPPED, _ON_FAILURE

    def _set_parent(self, item: Item, parent: str) -> None:
        if parent in self._tombstones or parent == item.key:
            return
        if item.parent and item.parent != parent:
            text = f"{item.key} is a part of {item.parent}, not also of {parent}"
            self._draft.note(NoteKind.DROPPED, item.line, text)
        elif parent in self._items:
            item.parent = parent
        else:
            text = f"{item.key} is not a part: there is no {parent}"
            self._draft.note(NoteKind.DROPPED, item.line, text)

    def _finish(self) -> None:
        """Give parts their place and their parent's text, and note containers with work of their own."""
        for item in self._draft.items:
            dotted = item.key.rpartition(".")[0]
            if not item.parent and dotted in self._items and item.key != dotted:
                item.parent = dotted
                text = f"{item.key} was read as a part of {dotted} because of its id; there is no link"
                self._draft.note(NoteKind.GUESSED, item.line, text)
        self._set_branches()
        parents = {item.parent for item in self._draft.items if item.parent}
        contexts: dict[str, str] = {}
        for item in self._draft.items:
            if item.parent:
                self._place(item, contexts)
            if item.state is not ItemState.OPEN:
                continue
            if item.key in parents and not item.container:
                text = f"{item.key} has parts, and is done when they are; each part gets its text"
                self._draft.note(NoteKind.GUESSED, item.line, text)
            elif item.container and item.key not in parents:
                self._draft.note(NoteKind.DROPPED, item.line, f"{item.key} is an epic without parts: nothing to do")

    def _set_branches(self) -> None:
        """Set each issue's branch: its outermost parent, else the plan."""
        branches: dict[str, str] = {}
        for item in self._draft.items:
            chain: dict[str, Item] = {}
            at = item
            while at.parent and at.key not in branches and at.key not in chain:
                chain[at.key] = at
                at = self._items[at.parent]
            item.branch = branch = branches.get(at.key) or (at.title if chain else self._draft.name)
            for part in chain.values():
                part.branch = branches[part.key] = branch

    def _place(self, item: Item, contexts: dict[str, str]) -> None:
        parent = self._items[item.parent]
        item.group = parent.title
        if parent.key not in contexts:
            data = self._data[parent.key]
            texts = [("Design", text_of(data.get("design"))),
                     ("Criteria of the whole", text_of(data.get("acceptance_criteria")))]  # fmt: skip
            text = with_parts(text_of(data.get("description")), texts)
            contexts[parent.key] = context_of(parent.key, parent.title, text)
        if item.state is ItemState.OPEN:
            item.details = with_parts(item.details, [("Context", contexts[parent.key])])
