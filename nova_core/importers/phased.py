"""Reads checklists in phases and stories (spec-kit and most others): boxes, headings or paragraphs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from nova_core.importers.checklist import DONE_MARKS, Box, Checklist, Loose
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.heads import STATE_FIRST, Head, read_head, state_in
from nova_core.importers.lists import (
    Keys,
    Todo,
    draft_of,
    put_late,
    read_fields,
    resolve,
    set_state,
    take_words,
    texts,
    todo_of,
)
from nova_core.importers.order import Order, Step
from nova_core.importers.phases import (
    Phase,
    follow,
    is_phase,
    make_phase,
    name_phases,
    number_blocks,
    phase_heading,
    rank,
    tell_empty,
)
from nova_core.importers.proofs import prove
from nova_core.importers.refs import Names
from nova_core.importers.sentences import is_about_order, read_sentences
from nova_core.importers.storyorder import StoryOrder
from nova_core.importers.taskwords import words_on
from nova_core.importers.work import NO_ID, Work
from nova_core.model import NoteKind
from nova_core.parser.blocks import Heading
from nova_core.parser.cells import undecorated
from nova_core.text import number_of

_ID = re.compile(r"T(?:ASK)?-?\d{1,6}[a-z]{0,2}(?:\.\d{1,6})*\Z")
_SURE_ID = re.compile(r"T-?\d|\d+\.\d")
_PICTURE = re.compile(r"\A[^\x00-\x7f\w\s]+\s+(?=\S)")
_HEADED = re.compile(r"task\s+#?\d{1,6}[a-z]?\b(?!\s*\.\s*\d)", re.IGNORECASE)


def headed_tasks(found: Checklist) -> dict[int, Head]:
    """The headings that are tasks, by index: `### T1: Title`, `### Task 2: Title`."""
    return {at: head_of(heading.text) for at, heading in enumerate(found.headings) if _is_task(heading)}


def head_of(title: str) -> Head:
    """The head of a heading; a state or a picture at its start comes last: `✅ Task 2: Till`, `[DONE] T2: Till`."""
    if first := STATE_FIRST.match(title):
        state = first[1] or first[2]
        title = f"{title[first.end() :]} [{'done' if first[2] else state}]" if state else title[first.end() :]
    return read_head(_PICTURE.sub("", title))


def has_headed_tasks(found: Checklist) -> bool:
    """Returns True if headings are the tasks of a file, and none of its boxes are."""
    return len(headed_tasks(found)) > 1 and not any(_SURE_ID.match(read_head(box.text).id) for box in found.boxes)


def read_phases(
    path: str, text: str, kind: str, found: Checklist, tasks: Mapping[int, Head] | None = None, *, prose: bool = False,
    alone: bool = False,
) -> Draft:  # fmt: skip
    """The draft of a file of a `kind`, already split into parts.

    `tasks` are the headings that are tasks, `alone` without other tasks. In `prose` below them, `Dependencies: zod`
    names no task.
    """
    draft = draft_of(path, kind, found, text)
    plan = _Plan(draft, found, headed_tasks(found) if tasks is None else tasks, prose=prose, alone=alone)
    todos = plan.todos
    draft.items = [todo.item for todo in todos]
    phases = _phases(found, todos, plan.places)
    if todos:
        tell_empty(draft, found, (*plan.places.values(), *plan.headings), plan.left_out)
    names = Names(draft, [todo.key for todo in todos])
    name_phases(names, phases)
    number_blocks(phases)
    resolve(draft, todos, names)
    order = StoryOrder(draft, found, names, phases, todos, plan.places)
    read_sentences(draft, found, order, tasks=[todo.item.line for todo in todos], deepest=2)
    put_late(draft, todos, [Step(None, steps=phase.steps) for phase in phases])
    follow(Order(draft), phases)
    around = [phase_heading(found, at) for at in range(len(found.headings))]
    prove(found, todos, {todo.key: around[at] if (at := plan.places[todo.key]) >= 0 else -1 for todo in todos}, around)
    return draft


class _Plan:
    """The tasks of a file in order, and for each the index of its heading."""

    def __init__(self, draft: Draft, found: Checklist, tasks: Mapping[int, Head], *, prose: bool, alone: bool) -> None:
        self._draft, self._found, self._tasks, self._prose = draft, found, tasks, prose
        self._keys = Keys(draft)
        self._steps: dict[int, list[Box]] = {}
        self._headed: dict[int, Todo] = {}
        self._loose: dict[int, list[Loose]] = {}
        for line in found.loose:
            self._loose.setdefault(line.heading, []).append(line)
        self._heads = [read_head(box.text) for box in found.boxes]
        last = max((b.line for b, head in zip(found.boxes, self._heads, strict=True) if _ID.match(head.id)), default=0)
        last = max([last, *(found.headings[at].line for at in self._tasks)])
        self._own_ids = last > 0
        self._work = Work(found, self._own_ids, last, {}, {}, none=alone)
        self._by_id: dict[str, Todo] = {}
        self.places: dict[str, int] = {}
        self.todos: list[Todo] = []
        self._read_headings()
        self._read_boxes()
        for at, todo in self._headed.items():
            self._set_steps(todo, self._steps.get(at, ()))
        if not self._by_id:
            self._read_paragraphs()
        self.todos.sort(key=lambda todo: todo.item.line)
        self._keys.tell()

    @property
    def headings(self) -> Collection[int]:
        """The headings that are tasks."""
        return self._headed

    @property
    def left_out(self) -> Collection[int]:
        """The headings of boxes that are no tasks."""
        return self._work.left_out

    def _add(self, todo: Todo, heading: int, written: str) -> None:
        self.todos.append(todo)
        self.places[todo.key] = heading
        if written:
            self._by_id.setdefault(written, todo)
        for title in self._found.titles(heading):
            if title.level > 2:
                take_words(todo, words_on(title.text, title.line))
        for label in todo.head.labels:
            if re.fullmatch(r"P\d", label):
                todo.item.fields["priority"] = rank(label)

    def _read_headings(self) -> None:
        """Read `## T001: Title` with the text up to the next heading of its level."""
        for at, head in self._tasks.items():
            heading = self._found.headings[at]
            key = self._keys.own(head.id, heading.line)
            end = self._end(at, heading)
            lines = self._found.lines[heading.line : end]
            written, status = state_in(head.title)
            title, description = texts(written or key)
            item = Item(key, title, heading.line, branch=self._draft.name, description=description)
            item.details = "\n".join(lines).strip()
            todo = Todo(item, head, status=status)
            loose = [(line.line, "- " * line.bullet + line.text) for line in self._below(at)]
            read_fields(todo, loose, sure=not self._prose)
            take_words(todo, words_on(heading.text, heading.line))
            set_state(self._draft, todo)
            self._headed[at] = todo
            self._add(todo, self._found.above[at], head.id)

    def _below(self, at: int) -> list[Loose]:
        return self._loose.get(at, [])

    def _end(self, at: int, heading: Heading) -> int:
        """The line before the next heading that is not part of this one."""
        following = at + 1
        headings = self._found.headings
        while following < len(headings) and headings[following].level > heading.level and following not in self._tasks:
            following += 1
        return headings[following].line - 1 if following < len(headings) else len(self._found.lines)

    def _read_boxes(self) -> None:
        holders: list[int] = []
        chosen: set[int] = set()
        for at, (box, head) in enumerate(zip(self._found.boxes, self._heads, strict=True)):
            around = box.inside if box.inside in chosen else holders[box.inside] if box.inside >= 0 else -1
            holders.append(around)
            if not box.text:
                self._draft.note(NoteKind.DROPPED, box.line, "an empty box is not a task")
            elif self._is_id(head):
                chosen.add(at)
            elif around >= 0:
                self._found.boxes[around].body += [*range(box.line - 1, box.line + box.more), *box.body]
            elif (task := next((i for i in self._found.around(box.heading) if i in self._tasks), -1)) >= 0:
                self._steps.setdefault(task, []).append(box)  # already in the details of the task
            elif self._work.is_work(box, head):
                chosen.add(at)
        for at in sorted(chosen):
            self._found.boxes[at].body.sort()
            self._read_box(self._found.boxes[at], self._heads[at])
        self._work.tell(self._draft, {head.id for head in (*self._heads, *self._tasks.values())})

    def _set_steps(self, todo: Todo, steps: Sequence[Box]) -> None:
        """Tick the steps of a task in a heading with it; it is done when they are."""
        item = todo.item
        item.steps = tuple((box.line, box.head) for box in steps)
        ticked = sum(box.mark in DONE_MARKS for box in steps)
        if not ticked or item.state is not ItemState.OPEN or todo.status:
            return
        if ticked == len(steps):
            item.state, item.word = ItemState.DONE, "x"
        else:
            text = f"{item.key} has {ticked} of {number_of(len(steps), 'step')} ticked: it will run"
            self._draft.note(NoteKind.RESOLVED, item.line, text)

    def _is_id(self, head: Head) -> bool:
        """Returns True if a box is a task by its id. In a file with ids like T001, plain numbers are steps."""
        return bool(_ID.match(head.id)) or (bool(head.id) and not self._own_ids and not NO_ID.match(head.id))

    def _read_box(self, box: Box, head: Head) -> None:
        known = self._by_id.get(head.id) if head.id else None
        if known is not None and (known.box is None or known.head.title == head.title):
            self._again(known, box, head)
            return
        key = self._keys.own(head.id, box.line) if self._is_id(head) else self._keys.made(head.title, box.line)
        todo = todo_of(self._draft, self._found, box, head, key)
        set_state(self._draft, todo)
        self._add(todo, box.heading, head.id if self._is_id(head) else "")

    def _again(self, known: Todo, box: Box, head: Head) -> None:
        """Read a second box of a known task: in a list of all tasks at the end."""
        if known.box is not None:
            self._draft.note(NoteKind.DROPPED, box.line, f"{known.key} is already in line {known.item.line}")
            return
        known.box, known.item.box, known.item.mark = box, box.line, box.head
        known.head = known.head if known.head.parallel else Head(head.id, head.labels, known.head.title, head.struck)
        if box.line != known.item.line:
            self._draft.note(NoteKind.RESOLVED, box.line, f"this is the box of {known.key} in line {known.item.line}")
        if known.item.state is ItemState.OPEN:
            set_state(self._draft, known)

    def _read_paragraphs(self) -> None:
        """Read `T001 [P] Title` without a box, with the bullets below it."""
        todo: Todo | None = None
        heading = -2
        for line in self._found.loose:
            head = read_head(line.text) if line.text.lstrip("*`[")[:1] in ("T", "t") else None
            if head and _ID.match(head.id) and not self._is_prose(line.heading):
                todo = self._paragraph(line, head)
                heading = line.heading
            elif todo is not None and line.heading == heading:
                todo.item.details = f"{todo.item.details}\n{'- ' if line.bullet else ''}{line.text}".strip()
                read_fields(todo, [(line.line, line.text)])

    def _is_prose(self, heading: int) -> bool:
        return any(is_about_order(title.text) for title in self._found.titles(heading) if title.level > 1)

    def _paragraph(self, line: Loose, head: Head) -> Todo:
        key = self._keys.own(head.id, line.line)
        title, description = texts(head.title or key)
        todo = Todo(Item(key, title, line.line, branch=self._draft.name, description=description), head)
        take_words(todo, words_on(line.text, line.line))
        self._add(todo, line.heading, head.id)
        return todo


def _is_task(heading: Heading) -> bool:
    """Returns True for `### T001: Title` and `### Task 2: Title`."""
    start = _PICTURE.sub("", STATE_FIRST.sub("", heading.text, count=1)).lstrip("*`[~ ")
    if heading.level < 2 or start[:1] not in ("T", "t"):
        return False
    return bool(_ID.match(read_head(start).id) or _HEADED.match(start))


def _phases(found: Checklist, todos: list[Todo], places: dict[str, int]) -> list[Phase]:
    """The phases in the order of their first tasks, with their tasks."""
    phases: dict[int, Phase] = {}
    cache: dict[int, int] = {}
    labels: dict[int, list[set[int]]] = {}
    for todo in todos:
        place = places[todo.key]
        if place not in cache:
            cache[place] = phase_heading(found, place)
        at = cache[place]
        if at not in phases:
            title = undecorated(found.headings[at].text) if at >= 0 else ""
            phases[at] = make_phase(len(phases), title, found.headings[at].line if at >= 0 else 0)
        phase = phases[at]
        todo.item.group = phase.title
        if phase.priority:
            todo.item.fields.setdefault("priority", phase.priority)
        phase.steps.append(Step(todo.item, todo.head.parallel, todo.fields))
        phase.keys.append(todo.key)
        labels.setdefault(at, []).append({int(label.strip("US -")) for label in todo.head.labels if label[0] == "U"})
    for at, phase in phases.items():
        if not phase.stories and is_phase(phase.title) and all(labels[at]):  # whatever its title
            phase.stories = frozenset().union(*labels[at]) if len(set().union(*labels[at])) == 1 else phase.stories
    return list(phases.values())
