"""Numbered lists of boxes with several levels (Kiro, OpenSpec): which are tasks or containers, and their order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nova_core.importers.checklist import Box, Checklist
from nova_core.importers.draft import Draft, ItemState
from nova_core.importers.heads import Head, read_head
from nova_core.importers.lexicon import denies
from nova_core.importers.listorder import ListOrder
from nova_core.importers.lists import (
    Keys,
    Todo,
    dependencies_in,
    drop_optional,
    needed,
    put_late,
    resolve,
    set_state,
    todo_of,
)
from nova_core.importers.order import Order, Step
from nova_core.importers.proofs import prove
from nova_core.importers.refs import Names
from nova_core.importers.sentences import read_sentences, remarks_in
from nova_core.importers.work import Work
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser.cells import undecorated

_NUMBERED = re.compile(r"([^\W\d]+(?: [^\W\d]+){0,2}) (\d{1,4})\s*:")
_DEEPEST = 32  # levels; deeper boxes stay at the last level
_MOST_CONTEXT = 2_000  # characters of a parent's details copied to each of its tasks
_MOST_TASKS = 50
_PLAIN_HEADINGS = frozenset(("tasks", "task list", "implementation tasks", "implementation plan", "タスク", "任务"))


class Nested:
    """The boxes of a file as a tree.

    A box with a number is a part of the box with the number before its last dot, else of the one it is indented below.
    A box without an id inside another is one of its steps. `marks` is True if `(P)` and `*` have a meaning.
    """

    def __init__(self, draft: Draft, found: Checklist, options: PlanOptions, *, marks: bool) -> None:
        self.draft, self._found, self._options, self._marks = draft, found, options, marks
        self._heads: dict[int, Head] = {}
        self._parents: dict[int, int] = {}
        heads = [read_head(box.text) for box in found.boxes]
        last = max((box.line for box, head in zip(found.boxes, heads, strict=True) if head.id), default=0)
        self._work = Work(found, last > 0, last, {}, {})
        self._choose(heads)
        self._work.tell(draft, {head.id for head in heads})
        self._work.tell_lists(draft, {found.boxes[at].heading for at in self._heads})
        self._containers = {parent for parent in self._parents.values() if parent >= 0}
        self.todos: dict[int, Todo] = {}
        self._optional: set[int] = set()
        keys = Keys(draft)
        for at in self._heads:
            self._make(at, keys)
        keys.tell()
        draft.items = [todo.item for todo in self.todos.values()]
        self.leaves = [todo for at, todo in self.todos.items() if at not in self._containers]
        self._share_details()
        self.names = self._names()
        self.steps = self._steps()
        around = range(len(found.headings))
        prove(found, self.leaves, {todo.key: todo.box.heading if todo.box else -1 for todo in self.leaves}, around)

    def follow(self) -> None:
        """Order the tasks as in the file."""
        self.arranged().follow(self.steps, [])

    def arranged(self, *, moving: bool = True) -> Order:
        """Resolve the dependencies between the tasks, and move tasks behind later ones that they wait for."""
        for at in self._containers:  # all tasks of a parent inherit its dependencies
            for asked in self.todos[at].asked:
                self.names.ask(self.todos[at].item, asked)
        resolve(self.draft, self.leaves, self.names)
        read_sentences(
            self.draft, self._found, ListOrder(self.draft, self._found, self.names, list(self.todos.values()))
        )
        if moving:
            put_late(self.draft, self.leaves, self.steps)
        return Order(self.draft)

    def _choose(self, heads: Sequence[Head]) -> None:
        """Find the boxes that are tasks, and the parent of each box."""
        boxes = self._found.boxes
        depths: dict[int, int] = {}
        latest: dict[str, int] = {}
        holders: list[int] = []  # for each box the task it is indented below
        place = -1
        for at, box in enumerate(boxes):
            enclosing = box.inside if box.inside in self._heads else holders[box.inside] if box.inside >= 0 else -1
            holders.append(enclosing)
            if (top := self._top(box)) != place:
                place, latest = top, {}
            head = heads[at]
            if not box.text:
                self.draft.note(NoteKind.DROPPED, box.line, "an empty box is no task")
            elif not head.id and enclosing >= 0:
                boxes[enclosing].body += [*range(box.line - 1, box.line + box.more), *box.body]
            elif head.id or enclosing >= 0 or not self._work.ids or self._work.is_work(box, head):
                while enclosing >= 0 and _are_siblings(head.id, self._heads[enclosing].id):
                    enclosing = self._parents[enclosing]  # it is indented too far
                parent = _by_number(head.id, latest, enclosing)
                whole = latest.get(f"{head.id.rpartition('.')[0]}.0", -1)
                if whole >= 0 and parent == enclosing == self._parents[whole] and self._is_whole(whole):
                    parent = whole
                while parent >= 0 and depths[parent] >= _DEEPEST:
                    parent = self._parents[parent]
                depths[at] = depths[parent] + 1 if parent >= 0 else 0
                self._heads[at], self._parents[at] = head, parent
                latest[head.id] = at
        for at in self._heads:
            boxes[at].body.sort()

    def _is_whole(self, at: int) -> bool:
        """Returns True for `1.0 Complete the base`, whose parts 1.1 and 1.2 need not be indented."""
        return self.draft.format == "agent-os" or self._heads[at].title.lstrip("*_ ").casefold().startswith("complete")

    def _top(self, box: Box) -> int:
        """The chapter of a box: numbers may start again in the next one."""
        last = -1
        for heading in self._found.titles(box.heading):
            if heading.level <= 2:
                last = heading.line
                break
        return last

    def _make(self, at: int, keys: Keys) -> None:
        box, head, parent = self._found.boxes[at], self._heads[at], self._parents[at]
        title = self._found.headings[box.heading].text if box.heading >= 0 else ""
        key = keys.own(head.id, box.line) if head.id else keys.made(head.title, box.line)
        todo = self.todos[at] = todo_of(self.draft, self._found, box, head, key)
        item = todo.item
        if parent >= 0:
            item.parent = self.todos[parent].key
        item.group = self._group(title, parent)
        optional = self._marks and (box.star or parent in self._optional)
        if optional:
            self._optional.add(at)
        if at in self._containers:
            if box.mark in ("x", "X"):
                item.state, item.word = ItemState.DONE, box.mark
            return
        set_state(self.draft, todo)
        if optional:
            drop_optional(self.draft, todo, self._options)
        if item.state is ItemState.OPEN and parent >= 0 and self._found.boxes[parent].mark in ("x", "X"):
            text = f"{key} is not ticked, but {item.parent} around it is: {key} is to be done"
            self.draft.note(NoteKind.GUESSED, box.line, text)

    def _group(self, title: str, parent: int) -> str:
        """The outermost task around, with its number, else the heading."""
        if parent >= 0:
            above = self.todos[parent].item
            number = above.key if "." in above.key else f"{above.key}."
            return above.group if self._parents[parent] >= 0 else f"{number} {above.title}"
        plain = undecorated(title)
        return "" if plain.casefold() in _PLAIN_HEADINGS else plain

    def _share_details(self) -> None:
        """Copy the text below a parent to its tasks, which would not show it otherwise."""
        users: dict[str, list[Todo]] = {}
        for todo in self.leaves:
            if todo.item.parent:
                users.setdefault(todo.item.parent, []).append(todo)
        for at in self._containers:
            parent = self.todos[at].item
            tasks = users.get(parent.key, [])
            if not parent.details:
                continue
            if not tasks or len(tasks) > _MOST_TASKS or len(parent.details) > _MOST_CONTEXT:
                text = f"what is written below {parent.key} is in none of its tasks"
                self.draft.note(NoteKind.DROPPED, parent.line, text)
                continue
            for todo in tasks:
                head = f"Part of {parent.key}, {parent.title}:\n{parent.details}"
                todo.item.details = f"{todo.item.details}\n\n{head}".strip()

    def _steps(self) -> list[Step]:
        """The tasks in order; each heading is a separate group."""
        alone = self._alone()
        top: list[Step] = []
        made: dict[int, Step] = {}
        heading = -2
        for at, todo in self.todos.items():
            box, parent = self._found.boxes[at], self._parents[at]
            parallel = self._marks and todo.head.parallel
            step = made[at] = Step(None if at in self._containers else todo.item, parallel)
            if parent >= 0:
                made[parent].steps.append(step)
                continue
            if box.heading != heading:
                heading = box.heading
                title = self._found.headings[heading].text if heading >= 0 else ""
                top.append(Step(None, self._marks and "(P)" in title, heading in alone))
            top[-1].steps.append(step)
        return top

    def _alone(self) -> set[int]:
        """The headings whose text says what all of their tasks wait for: that replaces their place in the file."""
        texts = [(line.heading, line.text) for line in self._found.loose]
        for at, title in enumerate(self._found.headings):
            texts += ((at, remark) for remark in remarks_in(title.text))
        found = set()
        for heading, text in texts:
            if heading >= 0 and (words := dependencies_in(text)) and not denies(needed(words)):
                known, unknown = self.names.read(needed(words))
                if known or not unknown:
                    found.add(heading)
        return found

    def _names(self) -> Names:
        names = Names(self.draft, [todo.key for todo in self.todos.values()])
        for todo in self.leaves:
            if not todo.box or todo.box.heading < 0:
                continue
            for heading in self._found.titles(todo.box.heading):
                title = undecorated(heading.text)
                number = read_head(title).id
                for noun in ("Section", "Group", "Phase") if number else ():
                    names.call(f"{noun} {number}", [todo.key])
                if number and not names.key(number):
                    names.call(number, [todo.key])
                names.call(title, [todo.key])
                if ":" in title:
                    names.call(title.partition(":")[0], [todo.key])
                    if numbered := _NUMBERED.match(title):  # `Task Groups 1, 2`
                        names.call(f"{numbered[1]}s {numbered[2]}", [todo.key])
        return names


def _are_siblings(number: str, other: str) -> bool:
    """Returns True if two numbers are siblings, such as `1.7` and `1.8`; `1.0` is the whole of what is below it."""
    stem = number.rpartition(".")[0]
    return bool(stem) and stem == other.rpartition(".")[0] and not other.endswith(".0")


def _by_number(number: str, latest: dict[str, int], enclosing: int) -> int:
    """The parent of `number`: `2.3` for `2.3.1`, else `2`, else the enclosing task."""
    stem = number
    while "." in stem:
        stem = stem.rpartition(".")[0]
        if stem in latest:
            return latest[stem]
    return enclosing
