"""Shared by the readers of checklists: from a box to an item with its state, texts and dependencies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from nova_core.digest import blake2b
from nova_core.errors import InputError, Problem
from nova_core.importers.checklist import DONE_MARKS, Box, Checklist
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.heads import Head, state_in
from nova_core.importers.order import Step, late, moved
from nova_core.importers.refs import Asked, Names
from nova_core.importers.taskwords import Words, grammar, says_all, words_on
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser.cells import undecorated, without_remarks
from nova_core.parser.findings import quoted, shown_path

_LONGEST_TITLE = 120
_LONGEST_FIELD = 2_000
_IN_PROGRESS = frozenset("-/")
_FIELD = re.compile(
    r"\s*(?:[-*+]\s+)?(?:\*\*|__|\*|_)?"
    r"(?P<key>depends(?: on)?|dependenc(?:y|ies)|deps?|blocked by|waits? for|blocks|status|boundary"
    r"|requires?|needs|prerequisites?|prereqs?|after|依赖|依存|의존성)"
    r"(?:\*\*|__|\*|_)?\s*[:：](?:\*\*|__|\*|_)?\s*(?P<value>.*)",
    re.IGNORECASE,
)
_SAID = re.compile(r"\W*(?:depends\s+on|(?:is\s+)?blocked\s+by)\s+(?P<value>[^:：\s].*?)\W*\Z", re.IGNORECASE)
_COMPLETE = re.compile(
    r"\s+(?:(?:must|should|has to|have to) be\s+|(?:is|are)\s+)?(?:completed?|done|finished)[\s.]*\Z", re.IGNORECASE
)
_BULLET = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+")
_ANNOTATION = re.compile(r"_(?P<key>depends(?: on)?|boundary)\s*[:：]\s*(?P<value>[^_]*)_", re.IGNORECASE)
_DONE_WORDS = re.compile(
    r"\W*(?:done|completed?|finished|merged|shipped|closed|resolved|x\W*\Z)\b|\W*[✅✓✔☑]|已完成|完了", re.IGNORECASE
)
_DROPPED_WORDS = re.compile(
    r"\W*(?:skipped|cancell?ed|dropped|obsolete|not needed|won['’]?t|n/a|superseded|deferred|postponed)", re.IGNORECASE
)
_REFERENCE = re.compile(r"\s*(?:[-*+]\s+)?(?:task\s+)?(?:T-?\d|\d+\.\d)", re.IGNORECASE)
_MOST_VALUES = 200
_LEFT_OUT = re.compile(r"(?:deferred|postponed|skipped|obsolete|not needed|superseded|won['’]?t)", re.IGNORECASE)
_SOFT = ("requir", "need", "prereq", "after")  # keys of fields that may name anything
_GENERIC = frozenset(
    ("tasks", "task list", "implementation plan", "implementation tasks", "plan", "tasks document", "todo", "tasklist",
     "task breakdown", "实施计划", "实现计划", "任务", "任务列表", "実装計画", "実装タスク", "タスク")
)  # fmt: skip
_KIND_OF_FILE = re.compile(
    r"(?:(?:implementation |development )?(?:tasks?|plan|task list|task breakdown)|任务|实施计划|実装計画|タスク"
    r"|tareas|tarefas|tâches|aufgaben)\s*[:：–—-]+\s*",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\s+(?:implementation (?:plan|tasks)|task list|tasks)\Z", re.IGNORECASE)
_SLUG = re.compile(r"[^a-z0-9]+")


class Todo(msgspec.Struct):
    """A task not yet in the draft: `asked` is what it waits for, `blocks` what waits for it.

    `unread` are phrases about its order that were not understood, with their lines.
    """

    item: Item
    head: Head
    box: Box | None = None
    asked: list[Asked] = []
    blocks: list[Asked] = []
    unread: list[tuple[int, str]] = []
    status: str = ""
    fields: bool = False

    @property
    def key(self) -> str:
        """The key of its item."""
        return self.item.key


class Keys:
    """Gives every task a key: its own id, or one from its text, which neither a tick nor a line above changes."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}
        self._made: tuple[int, str] | None = None
        self._number = 0

    def own(self, written: str, line: int) -> str:
        """The id itself, or with a number after it if it is used already."""
        key = written
        while key in self._used:
            self._counts[written] = self._counts.get(written, 1) + 1
            key = f"{written}-{self._counts[written]}"
        if key != written:
            self._draft.note(NoteKind.GUESSED, line, f"{written} is used twice: the second one is called {key}")
        self._used.add(key)
        return key

    def made(self, text: str, line: int) -> str:
        """A key from the text of a task: a key from its line would belong to another task after the next edit."""
        words = _SLUG.sub(" ", text.casefold()[:200]).split()
        stem = "-".join(words[:5])[:36].strip("-")
        if stem != "-".join(words) or not stem or len(text) > 200:
            stem = f"{stem or 'task'}-{blake2b(text.encode('utf-8', 'replace'), digest_size=3).hexdigest()}"
        key = stem
        while key in self._used:
            self._counts[stem] = self._counts.get(stem, 1) + 1
            key = f"{stem}-{self._counts[stem]}"
        self._used.add(key)
        self._made = self._made or (line, key)
        self._number += 1
        return key

    def tell(self) -> None:
        """Report once that keys were generated."""
        if self._made:
            line, first = self._made
            tasks = "1 task has" if self._number == 1 else f"{self._number:,} tasks have"
            text = f"{tasks} no id; named after its text, as {first}"
            self._draft.note(NoteKind.GUESSED, line, text)


def draft_of(path: str, kind: str, found: Checklist, text: str) -> Draft:
    """An empty draft, named after the feature, with a note for everything left unclosed."""
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError([Problem(shown_path(path), line, "the file is not text: there is a NUL character")])
    draft = Draft(feature(found, path), path, kind)
    for line, what in found.unclosed:
        draft.note(NoteKind.DROPPED, line, f"the {what} is never closed: everything below it is ignored")
    return draft


def feature(found: Checklist, path: str) -> str:
    """The plan's subject: the first H1 without words such as `Tasks:`, else the name of its folder."""
    title = next((undecorated(heading.text) for heading in found.headings if heading.level == 1), "")
    title = _KIND_OF_FILE.sub("", title, count=1).strip() if len(title) < 500 else title[:500]
    if title.casefold() not in _GENERIC:
        title = _SUFFIX.sub("", title)
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if title and title.casefold() not in _GENERIC:
        return title
    return parts[-2] if len(parts) > 1 else parts[-1] if parts else title


def todo_of(draft: Draft, found: Checklist, box: Box, head: Head, key: str) -> Todo:
    """The task of a box, with its texts, its state, and the dependencies in its details."""
    title, description = texts(head.title or key)
    item = Item(key, title, box.line, branch=draft.name, box=box.line, mark=box.head, description=description)
    todo = Todo(item, head, box)
    if box.body:
        item.details = found.details(box)
        read_fields(todo, [(at + 1, found.lines[at]) for at in box.body if at not in found.fenced])
    if len(box.text) > 8:
        take_words(todo, words_on(box.text, box.line))
    return todo


def take_words(todo: Todo, words: Words) -> None:
    """Add what the text of a task says about its order."""
    todo.asked += words.asked
    todo.blocks += words.blocks
    todo.unread += words.unread


def starts_with_field(text: str) -> bool:
    """Returns True for `**Depends on:** T002` and the like."""
    match = _FIELD.match(text[:_LONGEST_FIELD])
    return match is not None and match["key"].casefold() not in ("status", "boundary")


def dependencies_in(text: str) -> str:
    """The value of `**Depends on:** T002` or `Depends on T002.`; "" for any other text, and for fields of anything."""
    if said := _SAID.match(text[:_LONGEST_FIELD]):
        return said["value"]
    match = _FIELD.match(text[:_LONGEST_FIELD])
    if match is None or not match["key"].casefold().startswith(("depend", "blocked by", "依")):
        return ""
    return match["value"].strip().strip("*_").strip()


def needed(value: str) -> str:
    """What a value such as `Group A complete (server)` names: `Group A`."""
    return _COMPLETE.sub("", without_remarks(value)).strip()


def texts(title: str) -> tuple[str, str]:
    """A title of limited length, and the whole text if it was cut."""
    if len(title) <= _LONGEST_TITLE:
        return title, ""
    cut = title[:_LONGEST_TITLE].rpartition(" ")[0] or title[:_LONGEST_TITLE]
    return f"{cut.rstrip(' ,;:')}…", title


def read_fields(todo: Todo, lines: Iterable[tuple[int, str]], *, sure: bool = True) -> None:
    """Read `- Dependencies: T002`, `_Depends: 1.2_`, `- Blocks: T003`, `- Status: Done` and `_Boundary: Api_`.

    Unless `sure`, a field for dependencies may name other things than tasks: packages, files.
    """
    for number, line in _with_lists(lines):
        if len(line) > _LONGEST_FIELD or not (":" in line or "：" in line):
            take_words(todo, words_on(_BULLET.sub("", line), number))
            continue
        match = _FIELD.match(line)
        pairs = [(match["key"], match["value"])] if match else []
        if not match or "_" in match["value"].strip("_ "):
            annotations = [(found["key"], found["value"]) for found in _ANNOTATION.finditer(line)]
            pairs = annotations or pairs
        if not pairs:
            take_words(todo, words_on(_BULLET.sub("", line), number))
        for key, value in pairs:
            _field(todo, number, key.casefold(), value.strip().strip("*_").strip(), sure=sure)


def _with_lists(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines; a field without a value has that of the list below it, or is left out."""
    rows, at = list(lines), 0
    while at < len(rows):
        number, line = rows[at]
        at += 1
        match = _FIELD.match(line[:_LONGEST_FIELD]) if line.rstrip("*_ ")[-1:] in (":", "：", "*") else None
        if match and not match["value"].strip("*_ ") and match["key"].casefold() not in ("status", "boundary"):
            values: list[str] = []
            while at < len(rows) and _is_value(line, rows[at][1]) and len(values) < _MOST_VALUES:
                values.append(_BULLET.sub("", rows[at][1]).strip().rstrip(","))
                at += 1
            if not values:
                continue
            line = f"{line.rstrip()} {', '.join(values)}"
        yield number, line


def _is_value(field: str, line: str) -> bool:
    """Returns True for a line that belongs to the empty field above: it is indented, a bullet, or begins with an id."""
    deeper = len(line) - len(line.lstrip()) > len(field) - len(field.lstrip())
    bullet = _BULLET.match(line) and not _BULLET.match(field)
    return bool(deeper or bullet or _REFERENCE.match(line)) and not _FIELD.match(line[:_LONGEST_FIELD])


def _field(todo: Todo, line: int, key: str, value: str, *, sure: bool) -> None:
    if key == "status":
        todo.status = todo.status or value
    elif key == "boundary":
        names = [part.strip().strip("`") for part in value.split(",")]
        todo.item.fields["locks"] = tuple(dict.fromkeys(name for name in names if name))
    elif key == "blocks":
        todo.blocks.append(Asked(line, value, field=sure))
    else:
        sure = sure and not key.startswith(_SOFT)
        todo.fields = todo.fields or sure
        todo.asked.append(Asked(line, value, field=sure))


def set_state(draft: Draft, todo: Todo) -> None:
    """Set the state from the box, else from the status in words."""
    item, box = todo.item, todo.box
    mark = box.mark if box else ""
    if mark in DONE_MARKS:
        item.state, item.word = ItemState.DONE, mark
    elif todo.head.struck:
        item.state, item.word = ItemState.DROPPED, "struck through"
        draft.note(NoteKind.DROPPED, item.line, f"{item.key} is struck out: it will not run")
    elif mark in _IN_PROGRESS:
        draft.note(NoteKind.RESOLVED, item.line, f"{item.key} was started, says [{mark}]: it will run")
    elif mark:
        draft.note(NoteKind.GUESSED, item.line, f"{item.key} has the mark [{mark}]: it will run")
    elif todo.status:
        _set_status(draft, item, todo.status)
    elif box:
        _set_state_of_title(draft, todo)


def _set_state_of_title(draft: Draft, todo: Todo) -> None:
    """Leave out `[ ] Print (deferred)`; a box that says that it is done, but is not ticked, is still to do."""
    item, (_, word) = todo.item, state_in(todo.head.title[-_LONGEST_TITLE:])
    if word and _LEFT_OUT.match(word):
        item.state, item.word = ItemState.DROPPED, word[:60]
        draft.note(NoteKind.GUESSED, item.line, f"{item.key} will not run: its text says {quoted(word)}")
    elif word[:1].isalpha() and _DONE_WORDS.match(word):
        draft.note(NoteKind.GUESSED, item.line, f"{item.key} says {quoted(word)}, but is not ticked: it will run")


def _set_status(draft: Draft, item: Item, status: str) -> None:
    word = status[:60]
    if _DROPPED_WORDS.match(status):
        item.state, item.word = ItemState.DROPPED, word
        draft.note(NoteKind.DROPPED, item.line, f"{item.key} will not run: its status is {quoted(word)}")
    elif _DONE_WORDS.match(status):
        item.state, item.word = ItemState.DONE, word


def drop_optional(draft: Draft, todo: Todo, options: PlanOptions) -> None:
    """Drop a task with a star unless the options include optional tasks."""
    if todo.item.state is ItemState.OPEN and not options.optional:
        todo.item.state, todo.item.word = ItemState.DROPPED, "optional"
        draft.note(NoteKind.DROPPED, todo.item.line, f"{todo.key} is optional: it was left out")


def resolve(draft: Draft, todos: Sequence[Todo], names: Names) -> None:
    """Add the dependencies that the tasks name."""
    items = {todo.key: todo.item for todo in todos}
    for todo in todos:
        for asked in todo.asked:
            names.ask(todo.item, asked)
        for asked in todo.blocks:
            _block(draft, todo, asked, names, items)
        for line, phrase in todo.unread:
            named = (need for name in grammar().names(phrase) for need in names.find(name) or ())
            others = (need for need in named if todo.key not in draft.sets.get(need, ()))
            if "depends on" in phrase.casefold() or says_all(phrase) or any(need != todo.key for need in others):
                draft.note(NoteKind.DROPPED, line, f"{quoted(phrase)} was not read as a dependency of {todo.key}")


def _block(draft: Draft, todo: Todo, asked: Asked, names: Names, items: Mapping[str, Item]) -> None:
    found, unknown = names.read(asked.words, todo.key)
    for name in found:
        for key in draft.sets.get(name, (name,)):
            if key in items and key != todo.key and todo.key not in items[key].needs:
                items[key].needs.append(todo.key)
    for word in unknown:
        kind = NoteKind.UNRESOLVED if asked.field or names.is_id(word) else NoteKind.DROPPED
        draft.note(kind, asked.line, f"{todo.key} blocks {quoted(word)}: there is none")


def put_late(draft: Draft, todos: Sequence[Todo], steps: list[Step]) -> None:
    """Move tasks behind later ones that they wait for: a task's own dependencies override its place."""
    keys = [todo.key for todo in todos]
    inside: dict[str, list[str]] = {}
    for todo in todos:
        if todo.item.parent:
            inside.setdefault(todo.item.parent, []).append(todo.key)
    graph: dict[str, Sequence[str]] = {t.key: t.item.needs for t in todos if t.item.needs and t.key not in inside}
    if not graph:
        return
    places = late(keys, {**draft.sets, **inside, **graph})
    places = {key: place for key, place in places.items() if key not in inside}
    lines = {todo.key: todo.item.line for todo in todos}
    for key, (position, _) in places.items():
        text = f"{key} comes after {keys[position]}, which it waits for; what stands below {key} does not wait for it"
        draft.note(NoteKind.RESOLVED, lines[key], text)
    moved(steps, places, keys)
