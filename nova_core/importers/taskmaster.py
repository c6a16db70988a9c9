"""Reads tasks.json of Taskmaster: one of its tags, with tasks, subtasks and dependencies."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from nova_core.errors import InputError, Problem
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.jsontext import Json, decode, list_of, load_json, objects_of, text_of
from nova_core.importers.prose import (
    Keys,
    context_of,
    criteria_of,
    miss,
    one_line,
    priority_of,
    set_state,
    split_prose,
    state_of,
    with_parts,
)
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser.findings import quoted, shown_path
from nova_core.parser.source import read_source

_FLAT = "master"  # Taskmaster's name for the tasks of a file without tags
_OLD = "tasks"  # the list beside tags
_DEEPEST = 32  # levels of subtasks
_MARKS = ('"title"', '"dependencies"', '"status"', '"subtasks"')

Tags = dict[str, dict[str, Any]]


def suits(path: str, text: str) -> bool:
    """Returns True for a tasks.json of Taskmaster; other programs use that file name for other tasks."""
    if '"tasks"' not in text and not all(mark in text for mark in _MARKS):
        return False
    try:
        tags = _tags(decode(text, path))
    except InputError:
        return sum(mark in text for mark in _MARKS) > 1  # damaged, but meant to be one: reading it reports where
    tasks = [task for tag in tags.values() for task in objects_of(tag.get("tasks"))]
    return bool(tags) and all("id" in task and "title" in task for task in tasks[:100])


def read(path: str, text: str, options: PlanOptions) -> Draft:
    """The tasks of one tag: `options.tag`, else Taskmaster's current tag, else `master`, else the first."""
    source = load_json(text, path)
    tags = _tags(source.data)
    if not tags:
        raise _refusal(path, "this is not a tasks.json of Taskmaster", "choose one with tags, each with a list `tasks`")
    draft = Draft("", path, "taskmaster")
    tag = _chosen_tag(draft, tags, options)
    draft.name = _name(path, tags[tag])
    return _Reader(draft, source, tags, tag).read()


def _tags(data: Any) -> Tags:
    if not isinstance(data, dict):
        return {}
    tags = {name: {"tasks": tag} if _are_tasks(tag) else tag for name, tag in data.items() if name != _OLD}
    tags = {name: tag for name, tag in tags.items() if isinstance(tag, dict) and isinstance(tag.get("tasks"), list)}
    if isinstance(data.get("tasks"), list):  # a file without tags, or from before there were any
        tags = {_FLAT if _FLAT not in tags else _OLD: data, **tags}
    return tags


def _are_tasks(value: Any) -> bool:
    """Returns True for a list of tasks: hand-written files may omit Taskmaster's outer object."""
    return bool(objects_of(value)) and all("id" in task and "title" in task for task in objects_of(value))


def _chosen_tag(draft: Draft, tags: Tags, options: PlanOptions) -> str:
    others = ", ".join(tags)
    if options.tag:
        if options.tag not in tags:
            raise _refusal(draft.path, f"unknown tag {quoted(options.tag)}", f"it has the tags {others}")
        return options.tag
    current = _current_tag(draft.path)
    tag = next((name for name in (current, _FLAT) if name in tags), next(iter(tags)))
    if len(tags) > 1:
        noun = "list" if _OLD in tags else "tag"
        kind = NoteKind.RESOLVED if tag == current else NoteKind.GUESSED
        draft.note(kind, 0, f"the {noun} {quoted(tag)} was read, of {len(tags)} {noun}s: {others}")
    return tag


def _current_tag(path: str) -> str:
    """Taskmaster's current tag, from state.json beside the folder of tasks.json."""
    state = os.path.join(os.path.dirname(path), "..", "state.json")
    try:
        data = decode(read_source(state), state)
    except InputError:
        return ""
    return text_of(data.get("currentTag")) if isinstance(data, dict) else ""


def _name(path: str, tag: dict[str, Any]) -> str:
    meta = tag.get("metadata") or tag.get("meta")
    if isinstance(meta, dict) and (name := one_line(text_of(meta.get("projectName")))):
        return name
    parts = os.path.abspath(path).split(os.sep)[:-1]
    while parts and parts[-1] in ("tasks", ".taskmaster"):
        parts.pop()
    return (parts[-1] if parts else "") or "tasks"


class _Reader:
    """Turns the tasks of one tag into items."""

    def __init__(self, draft: Draft, source: Json, tags: Tags, tag: str) -> None:
        self._draft, self._source, self._tags, self._tag = draft, source, tags, tag
        self._keys = Keys()
        self._tasks: dict[str, Item] = {}
        self._subtasks: dict[str, Item] = {}  # by absolute id
        self._siblings: dict[tuple[str, str], Item] = {}  # by the key of the parent and the id as written
        self._elsewhere: dict[str, str] | None = None

    def read(self) -> Draft:
        """All tasks of the tag in order, each before its subtasks."""
        found: list[tuple[Item, Item | None, Any]] = []
        self._tell_odd(self._tags[self._tag])
        for data in objects_of(self._tags[self._tag].get("tasks")):
            task = self._item(data, self._id(data, len(found) + 1))
            self._tasks.setdefault(_bare(data, task.key), task)
            found.append((task, None, data.get("dependencies")))
            subtasks = objects_of(data.get("subtasks"))
            context = context_of(task.key, task.title, _all_text(data)) if subtasks else ""
            found += self._subtasks_of(task, subtasks, context)
        for item, parent, needs in found:
            self._set_needs(item, parent, needs)
        self._draft.items = [item for item, _, _ in found]
        return self._draft

    def _subtasks_of(
        self, task: Item, subtasks: list[dict[str, Any]], context: str, depth: int = 1
    ) -> Iterator[tuple[Item, Item, Any]]:
        """The subtasks with the task around each, and their own subtasks."""
        for number, data in enumerate(subtasks, 1):
            written = text_of(data.get("id")) or str(number)
            key = written if re.match(rf"{re.escape(task.key)}[.-]", written) else f"{task.key}.{written}"
            item = self._item(data, self._free(key, data), task)
            item.parent, item.group = task.key, task.title
            item.details = with_parts(item.details, [("Context", context)])
            self._siblings.setdefault((task.key, written), item)
            self._subtasks.setdefault(key, item)
            yield item, task, data.get("dependencies")
            inside = objects_of(data.get("subtasks"))
            if inside and depth == _DEEPEST:
                self._draft.note(
                    NoteKind.DROPPED, item.line, f"the subtasks of {item.key} are nested too deeply: left out"
                )
            elif inside:
                whole = context_of(item.key, item.title, f"{_all_text(data)}\n\n{context}")
                yield from self._subtasks_of(item, inside, whole, depth + 1)

    def _tell_odd(self, tag: dict[str, Any]) -> None:
        for number, data in enumerate(list_of(tag.get("tasks")), 1):
            if not isinstance(data, dict):
                self._draft.note(NoteKind.DROPPED, 0, f"the entry {number} of the list of tasks is not a task")

    def _id(self, data: dict[str, Any], number: int) -> str:
        return self._free(_bare(data, str(number)), data)

    def _free(self, key: str, data: dict[str, Any]) -> str:
        free = self._keys.free(key)
        if free != key:
            line = self._source.line_of(data)
            text = f"there are several tasks {key}: a dependency on it means the first"
            self._draft.note(NoteKind.GUESSED, line, text)
        return free

    def _item(self, data: dict[str, Any], key: str, parent: Item | None = None) -> Item:
        item = Item(key, one_line(text_of(data.get("title"))) or key, self._source.line_of(data), branch=self._tag)
        self._set_state(item, text_of(data.get("status")), parent)
        item.description, rest = split_prose(text_of(data.get("description")))
        complexity = text_of(data.get("complexity") or data.get("complexityScore"))
        details = "\n\n".join(filter(None, (rest, text_of(data.get("details")))))
        item.details = with_parts(details, [("Complexity", complexity)])
        criteria = (
            *criteria_of(text_of(data.get("acceptanceCriteria")), item.line),
            *criteria_of(text_of(data.get("testStrategy")), item.line),
        )
        if criteria:
            item.fields["criteria"] = criteria
        if priority := priority_of(self._draft, item, text_of(data.get("priority"))):
            item.fields["priority"] = priority
        return item

    def _set_state(self, item: Item, word: str, parent: Item | None) -> None:
        """A subtask without a state takes its task's, and so does an open subtask of a settled task."""
        settled = parent is not None and parent.state is not ItemState.OPEN
        if parent is not None and (not word or (settled and state_of(word) is ItemState.OPEN)):
            item.state, item.word = parent.state, parent.word
            if word:
                text = f"{item.key} is {quoted(word)} in {parent.key}, which is {quoted(parent.word)}: so is it"
                self._draft.note(NoteKind.GUESSED, item.line, text)
        else:
            set_state(self._draft, item, word)

    def _set_needs(self, item: Item, parent: Item | None, needs: object) -> None:
        for need in list_of(needs):
            word = text_of(need.get("id") if isinstance(need, dict) else need)
            if not word:
                continue
            found = self._found(item, parent, word)
            if found is None:
                miss(self._draft, item, word, self._where(word))
            elif found is item:
                self._draft.note(NoteKind.DROPPED, item.line, f"{item.key} depends on itself")
            else:
                item.needs.append(found.key)

    def _found(self, item: Item, parent: Item | None, word: str) -> Item | None:
        """The item a dependency names: a bare number means a subtask of the same parent, then a task."""
        if parent is None:
            return self._tasks.get(word) or self._subtasks.get(word)
        if sibling := self._siblings.get((parent.key, word)):
            return sibling
        if (task := self._subtasks.get(word)) is not None:
            return task
        if (task := self._tasks.get(word)) is not None and task is not parent:
            text = f"{word} was read as the task: {parent.key} has no such subtask"
            self._draft.note(NoteKind.GUESSED, item.line, f"{item.key}: {text}")
        return task

    def _where(self, word: str) -> str:
        """The other tag that has a task of that id."""
        if self._elsewhere is None:
            self._elsewhere = {}
            for name, tag in self._tags.items():
                for task in objects_of(tag.get("tasks")) if name != self._tag else ():
                    self._elsewhere.setdefault(_bare(task, ""), name)
        tag_name = self._elsewhere.get(word)
        return f": it is a task of the tag {quoted(tag_name)}" if tag_name else ""


def _bare(data: dict[str, Any], default: str) -> str:
    return text_of(data.get("id")) or default


def _all_text(data: dict[str, Any]) -> str:
    parts = [("Details", text_of(data.get("details"))), ("How the whole is tested", text_of(data.get("testStrategy")))]
    return with_parts(text_of(data.get("description")), parts)


def _refusal(path: str, message: str, hint: str) -> InputError:
    return InputError([Problem(shown_path(path), 0, message, hint)])
