"""The contents of another tool's plan, in its own words, before they become a cascade."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from nova_core.model import Note, NoteKind


class ItemState(StrEnum):
    """An item's state in the plan: open, done, or dropped (cancelled, optional, somebody else's)."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


class Item(msgspec.Struct):
    """A task of a foreign plan, or a container of tasks.

    `key` is the plan's own name for it, unique in its draft; `parent` is the key of its container. `needs` are keys of
    items, or names of sets, that come before it; `missing` are words for such things that do not exist. `word` is its
    state as the plan writes it. `fields` are further fields of `Task`. `box` is the line of its checkbox, 0 if it has
    none, and `mark` the text after the checkbox; `steps` are further boxes (line and text) that are ticked with it. An
    item that is another's parent is a container too, whatever `container` says.
    """

    key: str
    title: str
    line: int = 0
    file: str = ""
    branch: str = ""
    group: str = ""
    parent: str = ""
    needs: list[str] = []
    missing: list[str] = []
    state: ItemState = ItemState.OPEN
    word: str = ""
    description: str = ""
    details: str = ""
    fields: dict[str, Any] = {}
    box: int = 0
    mark: str = ""
    steps: tuple[tuple[int, str], ...] = ()
    container: bool = False


class Draft(msgspec.Struct):
    """A foreign plan: its items in order, and named sets of items (a phase, a wave) that others may need as a whole.

    `path` names the file or folder it was read from, `format` the kind of plan.
    """

    name: str
    path: str
    format: str
    items: list[Item] = []
    sets: dict[str, list[str]] = {}
    notes: list[Note] = []

    def note(self, kind: NoteKind, line: int, text: str, file: str = "") -> None:
        """Record how a part of the plan was handled."""
        self.notes.append(Note(kind, file or self.path, line, text))
