"""Reads the folder of Backlog.md: one Markdown file for each task, with its fields in front matter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from nova_core.errors import InputError, Problem
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.frontmatter import FrontMatter, read_front_matter
from nova_core.importers.prose import Keys, context_of, miss, one_line, priority_of, set_state, split_prose, with_parts
from nova_core.model import Criterion, NoteKind, PlanOptions
from nova_core.parser.blocks import end_of_fence, opening_fence, split_lines
from nova_core.parser.criteria import checklist, read_criterion
from nova_core.parser.findings import quoted, shown_path
from nova_core.parser.source import read_source

_FIELDS = ("id", "title", "status", "dependencies", "depends_on", "priority", "parent_task_id", "parent")
_CONFIGS = ("config.yml", "config.yaml")
_SKIPPED = {"archive": "is in the archive", "drafts": "is a draft"}
_FOLDERS = ("tasks", "completed", *_SKIPPED)
_ID = re.compile(r"(?:(?P<prefix>[A-Za-z][\w-]*?)-)?(?P<number>\d+(?:\.\d+)*)\Z")
_FILE = re.compile(r"(?P<id>(?:[A-Za-z][\w-]*?-)?\d+(?:\.\d+)*) - ")
_MARKER = re.compile(r"\s*<!-- *[A-Z_:]+:(?:BEGIN|END) *-->\s*\Z")
_NUMBERED = re.compile(r"#\d+\s+")
_CRITERIA = ("acceptance criteria", "definition of done")
_MARKS = ("<!-- AC:BEGIN -->", "<!-- DOD:BEGIN -->")

Number = tuple[int, ...]


def suits(path: str, _text: str) -> bool:
    """Returns True for such a folder, or a project that contains one."""
    return _home(path) is not None


def read(path: str, _text: str, _options: PlanOptions) -> Draft:
    """The tasks of `tasks/`, and those of `completed/`, which are done. Notes name archive and drafts."""
    home = _home(path)
    if home is None:
        hint = "choose one with `config.yml` and the folder `tasks`"
        raise InputError([Problem(shown_path(path), 0, "this is not a folder of Backlog.md", hint)])
    draft = Draft(os.path.basename(os.path.abspath(os.path.dirname(home))), path, "backlog")
    return _Reader(draft, home).read()


def _home(path: str) -> str | None:
    for folder in (path, os.path.join(path, "backlog"), os.path.join(path, ".backlog")):
        if any(os.path.isdir(os.path.join(folder, name)) for name in _FOLDERS) and any(
            os.path.isfile(os.path.join(folder, name)) for name in _CONFIGS
        ):
            return folder
    return None


class _Reader:
    """Turns the files of one folder into items."""

    def __init__(self, draft: Draft, home: str) -> None:
        self._draft, self._home = draft, home
        self._keys = Keys()
        self._problems: list[Problem] = []
        self._texts: dict[str, str] = {}  # text of a task, for its parts
        self._by_number: dict[Number, list[Item]] = {}
        self._by_id: dict[str, Item] = {}
        self._fields: list[tuple[Item, FrontMatter]] = []
        self._last_status = ""

    def read(self) -> Draft:
        """All tasks in number order, then the dependencies of each."""
        self._read_config()
        for folder in ("tasks", "completed"):
            for file in self._files(folder):
                self._add(file, done=folder == "completed")
        if self._problems:
            raise InputError(self._problems)
        skipped = dict(self._skipped())
        for item, found in self._fields:
            self._set_parent(item, found)
            for at, word in enumerate(found.texts("dependencies", "depends_on")):
                self._need(item, word, found.line_of("dependencies", at), skipped)
        self._place()
        self._draft.items = [item for item, _ in sorted(self._fields, key=lambda pair: _number(pair[0].key) or ())]
        return self._draft

    def _read_config(self) -> None:
        """Read the project's name and the last state."""
        paths = [os.path.join(self._home, name) for name in _CONFIGS]
        path = next(filter(os.path.isfile, paths), paths[0])
        try:
            found = read_front_matter(f"---\n{read_source(path)}\n---\n", path)
        except InputError as error:
            self._draft.note(NoteKind.DROPPED, 0, f"the settings were not read: {error.problems[0].message}", path)
            return
        self._draft.name = one_line(found.text("project_name", "projectName")) or self._draft.name
        self._last_status = next(reversed(found.texts("statuses")), "")

    def _files(self, folder: str) -> list[str]:
        top = os.path.join(self._home, folder)
        try:
            names = os.listdir(top)
        except OSError:
            return []
        paths = [os.path.join(top, name) for name in sorted(names) if name.lower().endswith(".md") and name[0] != "."]
        return list(filter(os.path.isfile, paths))

    def _add(self, file: str, *, done: bool) -> None:
        try:
            found = read_front_matter(read_source(file), file)
        except InputError as error:
            self._problems += error.problems
            return
        written = _FILE.match(os.path.basename(file))
        task_id = found.text("id") or (written["id"] if written else "")
        if not found.found or not task_id:
            self._draft.note(NoteKind.DROPPED, 0, "this file was skipped: it has no task id", file)
            return
        title = one_line(found.text("title"))
        if (other := self._by_id.get(task_id.casefold())) is not None and done and other.title == title:
            self._draft.note(
                NoteKind.GUESSED, 1, f"{task_id} is also in {other.file}: this one, which is done, counts", file
            )
            other.state, other.word = ItemState.DONE, found.text("status") or "completed"
            return
        key = self._keys.free(task_id)
        if key != task_id:
            text = f"there are several tasks {task_id}: a dependency on it means the first"
            self._draft.note(NoteKind.GUESSED, found.line_of("id"), text, file)
        item = Item(key, title or key, found.line_of("id"), file, branch=self._draft.name)
        self._draft.notes += found.notes_on(*_FIELDS)
        self._set_state(item, found.text("status"), done=done)
        self._fill(item, found)
        self._by_id.setdefault(task_id.casefold(), item)
        if (number := _number(task_id)) is not None:
            self._by_number.setdefault(number, []).append(item)
        self._fields.append((item, found))

    def _set_state(self, item: Item, word: str, *, done: bool) -> None:
        """Tasks in `completed/` are done, and so is the last state in the settings."""
        last = word and word.casefold() == self._last_status.casefold()
        if not done and not last:
            set_state(self._draft, item, word)
            return
        set_state(Draft("", "", ""), item, word)  # without its notes: the place of the file decides
        if item.state is ItemState.OPEN:
            item.state = ItemState.DONE
            why = "the file is in `completed`" if done else "it is the last of the states in the settings"
            self._draft.note(NoteKind.GUESSED, item.line, f"{item.key} is {quoted(word)}: done, as {why}", item.file)

    def _fill(self, item: Item, found: FrontMatter) -> None:
        text, criteria = _parted(split_lines(found.body), found.body_line)
        self._texts[item.key] = text
        item.description, item.details = split_prose(text)
        if criteria:
            item.fields["criteria"] = criteria
        if priority := priority_of(self._draft, item, found.text("priority")):
            item.fields["priority"] = priority

    def _skipped(self) -> Iterator[tuple[Number, str]]:
        """The numbers of tasks that are skipped, with the reason."""
        for folder, why in _SKIPPED.items():
            files = self._files(os.path.join("archive", "tasks") if folder == "archive" else folder)
            if files:
                text = f"{len(files)} {'file' if len(files) == 1 else 'files'} in `{folder}` skipped"
                self._draft.note(NoteKind.DROPPED, 0, text)
            for file in files:
                written = _FILE.match(os.path.basename(file))
                if written and folder == "archive" and (number := _number(written["id"])):
                    yield number, why

    def _found(self, word: str) -> Item | None:
        """The task a word names: exactly, else by its number whatever the prefix (`task-5` is `BACK-5`)."""
        if (item := self._by_id.get(word.casefold())) is not None:
            return item
        number = _number(word)
        return next(iter(self._by_number.get(number, ())), None) if number is not None else None

    def _set_parent(self, item: Item, found: FrontMatter) -> None:
        word = found.text("parent_task_id", "parent")
        parent = self._found(word) if word else None
        if parent is not None and parent is not item:
            item.parent = parent.key
        elif word:
            line = found.line_of("parent_task_id")
            self._draft.note(NoteKind.DROPPED, line, f"{item.key} is not a part: there is no {quoted(word)}", item.file)

    def _need(self, item: Item, word: str, line: int, skipped: dict[Number, str]) -> None:
        needed = self._found(word)
        number = _number(word)
        if needed is item:
            self._draft.note(NoteKind.DROPPED, line, f"{item.key} depends on itself", item.file)
        elif needed is not None:
            item.needs.append(needed.key)
            if needed.key.casefold() != word.casefold():
                self._draft.note(NoteKind.RESOLVED, line, f"{quoted(word)} was read as {needed.key}", item.file)
        elif number is not None and number in skipped:
            text = f"{item.key} does not depend on {quoted(word)}, which {skipped[number]}"
            self._draft.note(NoteKind.RESOLVED, line, text, item.file)
        else:
            miss(self._draft, item, word)

    def _place(self) -> None:
        """Give parts their group and their parent's text."""
        contexts: dict[str, str] = {}
        items = {item.key: item for item, _ in self._fields}
        for item, _ in self._fields:
            if not item.parent:
                continue
            parent = items[item.parent]
            item.group = parent.title
            if parent.key not in contexts:
                contexts[parent.key] = context_of(parent.key, parent.title, self._texts[parent.key])
                if parent.fields.get("criteria") and parent.state is ItemState.OPEN:
                    text = f"{parent.key} has parts, and is done when they are: its own criteria are not checked"
                    self._draft.note(NoteKind.DROPPED, parent.line, text, parent.file)
            if item.state is ItemState.OPEN:
                item.details = with_parts(item.details, [("Context", contexts[parent.key])])


def _number(task_id: str) -> Number | None:
    """`BACK-24.02` as (24, 2): prefixes are renamed, and old references keep the old one."""
    match = _ID.match(task_id.strip()) if len(task_id) < 100 else None
    return tuple(map(int, match["number"].split("."))) if match else None


def _parted(lines: list[str], first: int) -> tuple[str, tuple[Criterion, ...]]:
    """The text of a task without its marks and its lists of criteria, and these criteria."""
    kept: list[str] = []
    criteria: list[Criterion] = []
    ends = [mark.replace("BEGIN", "END") for mark in _MARKS]
    last = {end: max((i for i, line in enumerate(lines) if line.strip() == end), default=-1) for end in ends}
    at = 0
    while at < len(lines):
        line = lines[at]
        title = line.lstrip("#").strip().casefold() if line.startswith("##") else ""
        if fence := opening_fence(line):
            end = min(end_of_fence(lines, at, fence) + 1, len(lines))
            kept += lines[at:end]
        elif title in _CRITERIA:
            end = _end_of_section(lines, at)
            criteria += _boxes(lines[at + 1 : end], first + at + 1)
        elif line.strip() in _MARKS:
            close = line.strip().replace("BEGIN", "END")
            end = next(i for i in range(at + 1, len(lines)) if lines[i].strip() == close) if last[close] > at else at
            criteria += _boxes(lines[at + 1 : end], first + at + 1)
            end += 1
        else:
            end = at + 1
            if title != "description" and not _MARKER.match(line):
                kept.append(line)
        at = end
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), tuple(criteria)


def _end_of_section(lines: list[str], at: int) -> int:
    """The index of the next heading outside of code; the end marker of criteria does not end their section."""
    end = at + 1
    while end < len(lines) and not re.match(r"#{1,6}\s", lines[end]):
        fence = opening_fence(lines[end])
        end = min(end_of_fence(lines, end, fence) + 1, len(lines)) if fence else end + 1
    return end


def _boxes(lines: list[str], first: int) -> Iterator[Criterion]:
    for criterion in checklist(lines, first):
        yield read_criterion(_NUMBERED.sub("", criterion.text, count=1), criterion.line)
