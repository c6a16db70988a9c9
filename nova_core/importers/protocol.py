"""Reads folders of task files in the Task Orchestration Protocol: one Markdown file per task."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import msgspec

from nova_core.errors import InputError, Problem
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.folders import MOST_FILES, all_files, files_below, head_of
from nova_core.importers.frontmatter import FrontMatter, read_front_matter
from nova_core.importers.paths import WORKSPACE, Paths
from nova_core.importers.prose import set_state
from nova_core.model import Criterion, NoteKind, PlanOptions, is_safe_id
from nova_core.parser.cells import is_nothing
from nova_core.parser.criteria import checklist
from nova_core.parser.findings import quoted, shown_path
from nova_core.parser.source import read_source
from nova_core.parser.values import BadValueError, read_estimate, reader_of

_NO_TASK = re.compile(
    r"(?i)(?:readme|template|changelog|license|index|[_.]|00[-_]|epic\.md\Z)|.*(?:template|protocol)\.md\Z"
)
_KNOWN = frozenset(("task_id", "id", "title", "name", "dependencies", "depends_on", "inputs", "outputs", "phase"))
_COMPANION = re.compile(r"(?P<task>\d+)-[A-Za-z][\w-]*\.md\Z")  # `001-analysis.md` beside `001.md`
_NUMBER = re.compile(r"(?P<number>\d+[a-z]?)(?P<more>(?:-\d+)*)(?=[-_.]|\Z)")
_SPAN = re.compile(r"(?P<least>\d+(?:\.\d+)?)\s*(?:-|–|to)\s*(?P<most>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]+)\Z")
_FIELDS = (
    "agent", "model", "command", "timeout", "retries", "priority", "budget", "cpu", "memory", "approval", "terminal",
)  # fmt: skip
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_BUILTINS = frozenset(
    ("!", "{", "[[", "cd", "export", "set", "if", "for", "while", "until", "case", "command", "source", ".")
)
_NAME_HINT = "rename the file: letters, digits, `.`, `_` and `-`"


def suits(path: str, _text: str) -> bool:
    """Returns True if a file in the folder, or in a folder below it, has the front matter of a task."""
    return any(_looks_like_task(file) for file in _files(path, most=200) if not _skipped(file))


def read(path: str, _text: str, _options: PlanOptions) -> Draft:
    """The tasks of all files. A file without front matter, a README or a template is not a task; a note names it.

    Raises `InputError` with every file that cannot be read.
    """
    return _Reader(path).read()


def _files(folder: str, most: int = MOST_FILES + 1) -> Iterator[str]:
    """The Markdown files of a folder and its subfolders, by name."""
    return files_below(folder, lambda name: name.endswith(".md"), most)


def _head(file: str) -> str:
    return head_of(file, 20_000)


def _skipped(file: str) -> bool:
    return bool(_NO_TASK.match(os.path.basename(file))) and not _has_own_folder(file)


def _has_own_folder(file: str) -> bool:
    """Returns True for the README of a folder named like its task: `0001E/README.md` with `id: 0001E`."""
    if os.path.basename(file) != "README.md":
        return False
    try:
        found = read_front_matter(_head(file), file)
    except InputError:
        return False
    return found.text("task_id", "id") == os.path.basename(os.path.dirname(file))


def _looks_like_task(file: str) -> bool:
    """Returns True if the file has the fields of a task, or would if its front matter were valid."""
    try:
        return _is_task(read_front_matter(_head(file), file))
    except InputError:
        return True  # its mistakes must be reported in any case


def _is_task(found: FrontMatter) -> bool:
    return found.found and not _KNOWN.isdisjoint(found.fields)


class _Reader:
    """Turns the files of one folder into items."""

    def __init__(self, folder: str) -> None:
        home = os.path.dirname(os.path.abspath(folder))
        self._folder = folder
        self._draft = Draft(os.path.basename(home) or "tasks", folder, "protocol")
        self._found: list[tuple[Item, FrontMatter]] = []
        self._problems: list[Problem] = []
        self._paths = Paths(home, os.path.basename(os.path.abspath(folder)))
        self._by_name: dict[str, list[str]] = {}
        self._by_id: dict[str, list[str]] = {}  # ids in the files
        self._by_number: dict[str, list[str]] = {}  # numbers that begin file names

    def read(self) -> Draft:
        """The draft of all files. Dependencies are resolved once all tasks are known."""
        for file in all_files(self._folder, _files(self._folder)):
            try:
                self._add(file)
            except InputError as error:
                self._problems += error.problems
        for item, found in self._found:
            self._name(item, found)
            item.fields["outputs"] = self._outputs(item, found)
        if self._problems:
            raise InputError(self._problems)
        for item, found in self._found:
            name = "dependencies" if "dependencies" in found.fields else "depends_on"
            for at, word in enumerate(found.texts(name)):
                self._need(item, word, found.line_of(name, at))
        after = _Ancestors({item.key: item.needs for item, _ in self._found})
        for item, found in self._found:
            if item.state is ItemState.OPEN:
                inputs = (
                    self._input(item, path, found.line_of("inputs", at), after)
                    for at, path in enumerate(found.texts("inputs"))
                )
                item.fields["inputs"] = tuple(filter(None, inputs))
        return self._draft

    def _name(self, item: Item, found: FrontMatter) -> None:
        """Record the names others may use for a task."""
        name = item.key.rpartition("/")[2]
        self._by_name.setdefault(name, []).append(item.key)
        if own := found.text("task_id", "id"):
            self._by_id.setdefault(own, []).append(item.key)
        if number := _NUMBER.match(name):
            parts = number[0].split("-")
            for last in range(1, len(parts) + 1):  # `01` and `01-02` for `01-02-PLAN`
                self._by_number.setdefault("-".join(parts[:last]), []).append(item.key)

    def _note(self, kind: NoteKind, item: Item, line: int, text: str) -> None:
        self._draft.note(kind, line, text, item.file)

    def _fail(self, file: str, line: int, message: str, hint: str = "") -> None:
        self._problems.append(Problem(file, line, message, hint))

    def _add(self, file: str) -> None:
        path = os.path.dirname(file) if _has_own_folder(file) else file.removesuffix(".md")
        key = os.path.relpath(path, self._folder).replace(os.sep, "/")
        shown = shown_path(file)
        found = None if _skipped(file) else read_front_matter(read_source(file), file)
        if found is None or not _is_task(found):
            why = "its name says so" if found is None else "it has no front matter of a task"
            self._draft.note(NoteKind.DROPPED, 0, f"is not a task: {why}", shown)
            return
        if (companion := _COMPANION.match(os.path.basename(file))) and os.path.isfile(
            os.path.join(os.path.dirname(file), f"{companion['task']}.md")
        ):
            self._draft.note(NoteKind.DROPPED, 0, f"is not a task: it is about {companion['task']}.md", shown)
            return
        if not is_safe_id(key):
            self._fail(shown, 0, f"{quoted(key)} cannot be the id of a task", _NAME_HINT)
            return
        self._draft.notes += found.notes
        phase = key.rpartition("/")[0] or found.text("phase")
        item = Item(key, found.text("title", "name") or _title(found.body) or key, 1, shown, phase, phase)
        own = found.text("task_id", "id")
        if own and own != key:
            line = found.line_of("task_id" if found.text("task_id") else "id")
            self._note(NoteKind.GUESSED, item, line, f"has the id {own}; its id here is that of its file, {key}")
        if word := found.text("status"):
            set_state(self._draft, item, word)
        item.details = found.body.strip()
        item.fields = self._fields(item, found)
        self._draft.items.append(item)
        self._found.append((item, found))

    def _fields(self, item: Item, found: FrontMatter) -> dict[str, Any]:
        lines = found.body.split("\n")
        fields: dict[str, Any] = {
            "criteria": tuple(self._criterion(item, found) for found in checklist(lines, found.body_line)),
            "workspace": f"{WORKSPACE}/{item.key}",
            "locks": tuple(found.texts("locks")),
        }
        for name in _FIELDS:
            if text := found.text(name):
                try:
                    fields[name] = reader_of(name, name)(text)
                except BadValueError as error:
                    self._fail(item.file, found.line_of(name), error.message, error.hint)
        if text := found.text("estimated_duration", "duration"):
            fields["duration"] = _estimate(text)
        return fields

    def _criterion(self, item: Item, criterion: Criterion) -> Criterion:
        """A criterion of prose: text in backticks may be code, and runs only if it can be a command."""
        if criterion.command is None or _is_command(criterion.command):
            return criterion
        text = f"{quoted(criterion.command)} is not a program here: it is in the prompt, but will not be checked"
        self._note(NoteKind.GUESSED, item, criterion.line, text)
        return msgspec.structs.replace(criterion, command=None)

    def _need(self, item: Item, word: str, line: int) -> None:
        if is_nothing(word):
            return
        key = word.strip().removesuffix(".md").removeprefix("./").removeprefix("tasks/")
        if key in self._by_name.get(key.rpartition("/")[2], []):
            item.needs.append(key)
        elif len(named := self._named(key, item)) == 1:
            item.needs += named
            self._note(NoteKind.GUESSED, item, line, f"{quoted(word)} was read as {named[0]}")
        elif item.state is ItemState.OPEN:
            item.missing.append(word)
            text = f"{item.key} depends on {quoted(word)}, which is not a task of this folder"
            self._note(NoteKind.UNRESOLVED, item, line, text)

    def _named(self, word: str, item: Item) -> list[str]:
        """The tasks a word may mean: by file name, by id in the file, by the number before a name."""
        if found := self._by_name.get(word.rpartition("/")[2]) or self._by_id.get(word):
            return found
        numbered = self._by_number.get(word, [])
        beside = [key for key in numbered if key.rpartition("/")[0] == item.key.rpartition("/")[0]]
        return beside or numbered

    def _outputs(self, item: Item, found: FrontMatter) -> tuple[str, ...]:
        outputs = found.texts("outputs")
        for at, path in enumerate(outputs):
            if not self._paths.add_output(item.key, path):
                hint = "write paths relative to the project, or to the task's own folder of outputs"
                self._fail(
                    item.file,
                    found.line_of("outputs", at),
                    f"the output {quoted(path)} is outside the project",
                    hint,
                )
        return tuple(outputs)

    def _input(self, item: Item, path: str, line: int, after: _Ancestors) -> str:
        """An input as a path from the project; "" if it is outside of it."""
        if is_nothing(path):
            return ""
        found, writer = self._paths.find_input(item.key, path, item.needs)
        if writer and not after.has(item.key, writer):
            text = (
                f"{item.key} reads {path} of {writer} without depending on it: it waits for the file, not for the task"
            )
            self._note(NoteKind.GUESSED, item, line, text)
        if found:
            return found
        guess = self._paths.guess(item.key, path)
        near = self._paths.like(item.key, path)
        why = (
            "is outside the project"
            if not guess
            else "does not exist, and no task writes it" + (f" ({near})" if near else "")
        )
        kind = NoteKind.UNRESOLVED if guess else NoteKind.DROPPED
        self._note(kind, item, line, f"{item.key} reads {shown_path(path)}, which {why}")
        return guess


class _Ancestors:
    """Finds out whether a task comes after another one."""

    def __init__(self, needs: dict[str, list[str]]) -> None:
        self._needs = needs
        self._known: dict[str, set[str]] = {}

    def has(self, task: str, before: str) -> bool:
        """Returns True if `task` waits for `before`, or is the same task."""
        if task not in self._known:
            found, todo = {task}, [task]
            while todo:
                new = [i for i in self._needs.get(todo.pop(), ()) if i not in found]
                found.update(new)
                todo += new
            self._known = {task: found}  # requested for one task after the other
        return before in self._known[task]


def _is_command(line: str) -> bool:
    """Returns True if a shell line begins with a program of this machine, of the project, or of the shell itself."""
    words = (word for word in line.split() if not _ASSIGNMENT.match(word))
    first = next(words, "").lstrip("(")
    return first in _BUILTINS or first.startswith(("./", "/", "$", "~")) or shutil.which(first) is not None


def _title(body: str) -> str:
    """The first heading."""
    return next((line.lstrip("# ").strip() for line in body.split("\n")[:50] if line.startswith("# ")), "")


def _estimate(text: str) -> float | None:
    """Seconds from `4h`, or the middle of a span such as `3-5 hours`."""
    if span := _SPAN.match(text.strip()):
        least, most = (read_estimate(f"{span[end]} {span['unit']}") for end in ("least", "most"))
        return None if least is None or most is None else (least + most) / 2
    return read_estimate(text)
