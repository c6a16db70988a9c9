"""Reads sprint-status.yaml of BMAD: stories of epics in sequence, with the text of their story files."""

from __future__ import annotations

import os
import re
from itertools import zip_longest

from nova_core.errors import InputError, Problem
from nova_core.files.yaml_file import Document, parse_yaml
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.prose import set_state
from nova_core.model import NoteKind, PlanOptions, is_safe_id
from nova_core.parser.findings import quoted, shown_path
from nova_core.parser.source import read_source
from nova_core.text import number_of

_KEY = "development_status"
_OWN = re.compile(rf"^{_KEY}[ \t]*:", re.MULTILINE)
_EPIC = re.compile(r"epic-(?P<number>[\w.]+?)(?:-[a-z][\w-]*)?\Z")
_NUMBER = r"(?P<epic>\d{1,4}[a-z]?)[-.](?P<number>\d{1,4}(?:\.\d{1,4})?[a-z]?)"
_STORY = re.compile(rf"{_NUMBER}(?:[-.](?P<slug>.*))?\Z", re.IGNORECASE)
_HEADING = re.compile(
    rf"^#{{2,5}} (?:\*\*)?Story {_NUMBER}(?:\*\*)?\s*[:.–—-]\s*(?P<title>[^\n]*)", re.MULTILINE | re.IGNORECASE
)
_STATUS = re.compile(r"^\**Status:?\**:?\s*(?P<word>[^\n]+)", re.MULTILINE | re.IGNORECASE)
_EPICS = (
    "epics.md",
    "planning-artifacts/epics.md",
    "project-planning-artifacts/epics.md",
    "../docs/epics.md",
    "../epics.md",
)
_ROOT = re.compile(r"^(\w+:[ \t]+)(\{[^\n\"]*)$", re.MULTILINE)  # `{project-root}/stories`: real, and not YAML
_MEETINGS = ("retrospective", "retro")


def suits(_path: str, text: str) -> bool:
    """Returns True for a file with the status of a sprint."""
    return _OWN.search(text) is not None


def read(path: str, text: str, _options: PlanOptions) -> Draft:
    """The stories in file order, each after the one before it. Raises `InputError` for a file without stories."""
    return _Reader(path, parse_yaml(_ROOT.sub(r'\1"\2"', text), path)).read()


class _Reader:
    def __init__(self, path: str, document: Document) -> None:
        self._document = document
        self._fields = document.data if isinstance(document.data, dict) else {}
        self._draft = Draft(str(self._fields.get("project") or "") or "sprint", path, "bmad")
        self._folder = os.path.dirname(path)
        self._sections: dict[str, tuple[str, str]] = {}
        self._bare: list[Item] = []

    def read(self) -> Draft:
        """The draft of all stories."""
        status = self._fields.get(_KEY)
        line = self._document.line_of((_KEY,))
        if not isinstance(status, dict):
            hint = "write lines such as `1-2-sign-in: backlog` below it"
            raise InputError([Problem(shown_path(self._draft.path), line, f"{_KEY} has no stories", hint)])
        self._read_epics()
        before = ""
        left_out = []
        for key, word in status.items():
            if not isinstance(word, str) or _EPIC.match(key):
                left_out += [key] if key.rpartition("-")[2] in _MEETINGS else []
                continue
            item = self._story(key, word)
            item.needs = [before] if before else []
            before = item.key
            self._draft.items.append(item)
        if left_out:
            said = f"{number_of(len(left_out), 'retrospective')} of epics: a meeting is no task"
            self._draft.note(NoteKind.DROPPED, self._document.line_of((_KEY, left_out[0])), said)
        if self._bare:
            who = f"{self._bare[0].key} has" if len(self._bare) == 1 else f"{len(self._bare)} stories have"
            said = f"{who} no story file and no section in epics.md: a name is all that an agent gets"
            self._draft.note(NoteKind.GUESSED, self._bare[0].line, said)
        if before:
            said = "each story depends on the one before it: a sprint has no other order"
            self._draft.note(NoteKind.RESOLVED, line, said)
        return self._draft

    def _story(self, key: str, word: str) -> Item:
        match = _STORY.match(key)
        number = f"{match['epic']}.{match['number']}" if match else key
        slug = (match["slug"] or "") if match else key
        group = f"Epic {match['epic']}" if match else ""
        title, text = self._sections.get(number.casefold(), ("", ""))
        title = title or slug.replace("-", " ").strip().capitalize() or key
        item = Item(key, title, self._document.line_of((_KEY, key)), group=group, branch=self._draft.name)
        item.details = text
        set_state(self._draft, item, word)
        self._read_file(item)
        if not item.details and item.state is ItemState.OPEN:
            self._bare.append(item)
        return item

    def _read_file(self, item: Item) -> None:
        """Take the text of the story's own file, and compare its status."""
        if not is_safe_id(item.key):
            return
        file = next((path for path in self._places(f"{item.key}.md") if os.path.isfile(path)), "")
        if not file:
            return
        item.details = read_source(file).strip()
        own = _STATUS.search(item.details)
        if own and item.state is ItemState.OPEN and own["word"].strip().casefold() in ("done", "completed"):
            said = (
                f"{item.key} is {quoted(item.word)} here, though {shown_path(file)} says {quoted(own['word'].strip())}"
            )
            self._draft.note(NoteKind.GUESSED, item.line, said)

    def _places(self, name: str) -> list[str]:
        """Where a story file may be: in the folder that the file names, from here or any folder above, or beside it."""
        location = str(self._fields.get("story_location") or self._fields.get("story_path") or "").strip()
        location = location.rpartition("}")[2].lstrip("/") if location.startswith("{") else location
        places = [os.path.join(self._folder, name), os.path.join(self._folder, "stories", name)]
        if location and not os.path.isabs(location) and ".." not in location.split("/"):
            up = self._folder or "."
            for _ in range(6):
                places.append(os.path.join(up, location, name))
                up = os.path.join(up, "..")
        return places

    def _read_epics(self) -> None:
        """Take title and text of each story from epics.md."""
        above = os.path.join(self._folder, "..")
        for name in _EPICS:
            file = os.path.normpath(os.path.join(above, name))
            if not os.path.isfile(file):
                continue
            text = read_source(file)
            places = list(_HEADING.finditer(text))
            for match, following in zip_longest(places, places[1:]):
                body = text[match.end() : following.start() if following else len(text)]
                body = re.split(r"^#{1,3} (?!Story)", body, maxsplit=1, flags=re.MULTILINE)[0]
                number = f"{match['epic']}.{match['number']}".casefold()
                self._sections[number] = (match["title"].strip(" *"), body.strip())
            return
