"""The kinds of plans, how to recognize them, and how to read each."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nova_core.config import load_config
from nova_core.errors import InputError, Problem, UsageError
from nova_core.importers.choice import MARKDOWN, ids_of, is_ours, is_table, task_tables
from nova_core.model import Note, NoteKind, PlanOptions
from nova_core.parser.cascade import Cascade, parse_text
from nova_core.parser.findings import shown_path
from nova_core.parser.source import read_source
from nova_core.text import number_of

if TYPE_CHECKING:
    from nova_core.importers.checklist import Box
    from nova_core.importers.draft import Draft

TABLE = "table"
_CHECKLIST = "tasks.md"
_BOX = r"(?m)^[ \t]*(?:[-*+]|\d{1,9}[.)]) \[[^\]\n\w]{0,3}[xX]?[ ]?\][ \t]"


class Format(msgspec.Struct, frozen=True):
    """A kind of plan, read by a module of this package that has two functions.

    `suits(path, text)` returns True for a file or folder of this kind; `read(path, text, options)` returns its `Draft`,
    or raises `InputError`. `text` is the content of a file, empty for a folder. `suffixes` are the endings of its file
    names, `reader` the module if it has another name.
    """

    name: str
    suffixes: tuple[str, ...] = ()
    folder: bool = False
    reader: str = ""

    @property
    def module(self) -> str:
        """The name of the module that reads it."""
        return f"nova_core.importers.{self.reader or self.name.replace('-', '')}"

    def suits(self, path: str, text: str) -> bool:
        """Returns True for a plan of this kind."""
        suits: Callable[[str, str], bool] = import_module(self.module).suits
        return suits(path, text)

    def read(self, path: str, text: str, options: PlanOptions) -> Draft:
        """The draft of the plan. Raises `InputError`."""
        read: Callable[[str, str, PlanOptions], Draft] = import_module(self.module).read
        return read(path, text, options)


# In the order in which they are tried: the most certain signs first.
FORMATS = (
    Format("backlog", folder=True),
    Format("gsd", folder=True),
    Format("protocol", folder=True),
    Format("taskmaster", (".json",)),
    Format("ralph", (".json",)),
    Format("feature-list", (".json",), reader="ralph"),
    Format("beads", (".jsonl",)),
    Format("bmad", (".yaml", ".yml")),
    Format("conductor", MARKDOWN),
    Format("agent-os", MARKDOWN),
    Format("superpowers", MARKDOWN),
    Format("prd", MARKDOWN),
    Format("kiro", MARKDOWN),
    Format("spec-kit", MARKDOWN),
    Format("openspec", MARKDOWN),
    Format("checklist", MARKDOWN, reader="todo"),
)
# Files to look for in a folder that is not a plan itself.
_IN_FOLDER = (
    "tasks.md", "tasks/tasks.json", "tasks.json", "issues.jsonl", "beads.jsonl", "backup/issues.jsonl", "prd.json",
    "CASCADE.md", "plan.md", "sprint-status.yaml", "implementation-artifacts/sprint-status.yaml", "feature_list.json",
    "fix_plan.md", "IMPLEMENTATION_PLAN.md",
)  # fmt: skip


def read_plan(path: str | os.PathLike[str], options: PlanOptions | None = None, *, root: str | Path = ".") -> Cascade:
    """The plan in a file or folder, in any format. Without `options`, those of the settings in `root` apply.

    Raises `InputNotFoundError` (a `FileNotFoundError`) if there is nothing, `InputError` (a `ValueError`) with every
    problem at once, `UsageError` for a format that does not exist.
    """
    name, text = _source(os.fspath(path))
    is_cascade = not os.path.isdir(name) and is_table(name, text)
    ours = is_ours(name, text)
    if options is None:
        options = PlanOptions() if is_cascade and ours else load_config(None, environ=os.environ, root=root).plan
    if options.format:
        found = _named(options.format)
    elif is_cascade:
        found = None
    else:
        found = find_format(name, text)
    with _no_collections():
        if found is None:
            lenient = not ours if options.lenient is None else options.lenient
            return _with_boxes(parse_text(text, name, lenient=lenient), text, lenient=lenient)
        from nova_core.importers.build import build  # with its readers 20 ms, which a table need not wait for

        draft = found.read(name, text, options)
        for table in task_tables(text) if found.suffixes == MARKDOWN else ():
            told = f"the table of {number_of(len(table.ids), 'task')} was not read: the boxes of the file are its tasks"
            draft.note(NoteKind.DROPPED, table.line, told)
        return build(draft)


def _with_boxes(cascade: Cascade, text: str, *, lenient: bool) -> Cascade:
    """The plan of a table, with a note on boxes that it does not mention."""
    boxes = _boxes_beside(text) if lenient and "[" in text else []
    if not boxes:
        return cascade
    number = "1 box is not a task" if len(boxes) == 1 else f"{len(boxes):,} boxes are not tasks"
    note = Note(NoteKind.DROPPED, cascade.path, boxes[0].line, f"{number}: the table is the plan of this file")
    return msgspec.structs.replace(cascade, notes=tuple(sorted((*cascade.notes, note), key=lambda n: n.line)))


def _boxes_beside(text: str) -> list[Box]:
    from nova_core.importers.boxes import boxes_apart

    return boxes_apart(text, ids_of(task_tables(text)))


@contextmanager
def _no_collections() -> Iterator[None]:
    """Reading creates many objects and no garbage; searching for it more than doubled the time (1.0 s to 2.3 s)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def find_format(path: str, text: str) -> Format | None:
    """The format of a foreign plan that is not a table of tasks; None if no known format fits.

    Raises `InputError` for a folder that holds no plan.
    """
    folder = os.path.isdir(path)
    suffix = Path(path).suffix.lower()
    for known in FORMATS:
        if (known.folder if folder else suffix in known.suffixes) and known.suits(path, text):
            return known
    if Path(path).name.lower() == _CHECKLIST and re.search(_BOX, text):
        return _named("spec-kit")
    if folder:
        hint = "name the file of the plan; a folder of tasks has Markdown files with a front matter"
        raise InputError([Problem(shown_path(path), 0, "this folder has no plan", hint)])
    return None


def plan_file(path: str) -> str:
    """The file of the plan, which a folder may hold; the folder itself if its files are the tasks."""
    folder, name = os.path.split(path)
    if name == "ROADMAP.md" and os.path.basename(folder) == ".planning":
        return folder
    inside = (os.path.join(path, name) for name in _IN_FOLDER) if os.path.isdir(path) else ()
    return next(filter(os.path.isfile, inside), path)


def _source(path: str) -> tuple[str, str]:
    """The path of the plan, which a folder may hold, and its text."""
    found = plan_file(path)
    return found, "" if os.path.isdir(found) else read_source(found)


def _named(name: str) -> Format | None:
    names = [TABLE, *(known.name for known in FORMATS)]
    if name not in names:
        from difflib import get_close_matches  # only for mistakes

        near = get_close_matches(name, names, 1)
        raise UsageError(f"unknown format {name!r}", hint=f"did you mean {near[0]!r}?" if near else ", ".join(names))
    return next((known for known in FORMATS if known.name == name), None)
