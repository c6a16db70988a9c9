"""Reads the .planning folder of GSD (get-shit-done): one PLAN.md per task, in phases and waves."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import zip_longest

import msgspec

from nova_core.errors import InputError, Problem
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.folders import MOST_FILES, all_files, files_below, head_of
from nova_core.importers.frontmatter import FrontMatter, read_front_matter
from nova_core.importers.refs import Names
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser.cells import is_nothing, without_remarks
from nova_core.parser.findings import quoted, shown_path
from nova_core.parser.source import read_source
from nova_core.text import first_of, number_of

_PLAN = re.compile(r"(?P<id>(?P<phase>\d{1,4}(?:\.\d{1,4})?)(?:-(?P<number>\d{1,4}[a-z]?))?)(?:-[\w-]*?)?-?PLAN\.md\Z")
_PHASE = re.compile(
    r"^(?:#{2,5} |[-*] \[(?P<mark>[ xX])\] )(?:\*\*)?Phase (?P<number>\d{1,4}(?:\.\d{1,4})?)[:.] (?P<title>[^\n]*)",
    re.MULTILINE,
)
_DONE = re.compile(r"[✅✓✔]|[(\[](?:done|complete[d]?|shipped)\b", re.IGNORECASE)
_AFTER = re.compile(r"^\*\*Depends on:?\*\*:?\s*(?P<words>[^\n]*)", re.MULTILINE | re.IGNORECASE)
_OBJECTIVE = re.compile(r"<objective>\s*(?P<text>.*?)\s*(?:</objective>|\Z)", re.DOTALL)
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,4})?")
_FIELDS = ("phase", "plan", "type", "wave", "depends_on", "files_modified", "autonomous")
_LONGEST_TITLE = 120


class _Plan(msgspec.Struct):
    """A plan file: its task, its front matter, its phase and wave."""

    item: Item
    found: FrontMatter
    phase: str
    wave: int


def suits(path: str, _text: str) -> bool:
    """Returns True for the folder `.planning`, its folder of phases, or one phase."""
    if next(_files(path), ""):
        return any(_is_plan(file) for file in _files(path, most=20))
    return os.path.isfile(os.path.join(path, "ROADMAP.md")) and os.path.isfile(os.path.join(path, "STATE.md"))


def read(path: str, _text: str, _options: PlanOptions) -> Draft:
    """The plans of all phases. A plan with a summary is done; phases without plans are noted.

    Raises `InputError` if no phase has a plan.
    """
    return _Reader(path).read()


def _files(folder: str, most: int = MOST_FILES + 1) -> Iterator[str]:
    """The plan files of a folder and its subfolders, by name, without those of finished milestones."""
    return files_below(folder, _PLAN.match, most, closed="milestones")


def _is_plan(file: str) -> bool:
    """Returns True for a file with the front matter or the tags of a plan."""
    head = head_of(file, 4_000)
    return "<objective>" in head or re.search(r"^(?:plan|wave):", head, re.MULTILINE) is not None


class _Reader:
    """Turns the plan files into items, phase by phase."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        home = os.path.abspath(folder)
        while os.path.basename(home) != ".planning" and os.path.dirname(home) != home:
            home = os.path.dirname(home)
        home = home if os.path.basename(home) == ".planning" else os.path.abspath(folder)
        self._draft = Draft(os.path.basename(os.path.dirname(home)) or "plan", folder, "gsd")
        self._roadmap = os.path.join(folder, "ROADMAP.md")
        self._phases: dict[str, list[_Plan]] = {}
        self._keys: set[str] = set()
        self._problems: list[Problem] = []

    def read(self) -> Draft:
        """The draft of all plans."""
        for file in all_files(self._folder, _files(self._folder)):
            try:
                self._add(file)
            except InputError as error:
                self._problems += error.problems
        if self._problems:
            raise InputError(self._problems)
        titles, after = self._read_roadmap()
        plans = [plan for phase in self._phases.values() for plan in phase]
        if not plans:
            hint = "let GSD plan a phase first: each task is a file such as phases/01-base/01-01-PLAN.md"
            raise InputError([Problem(shown_path(self._folder), 0, "no phase has a PLAN.md yet", hint)])
        self._draft.items = [plan.item for plan in plans]
        names = Names(self._draft, [plan.item.key for plan in plans])
        for number, phase in self._phases.items():
            for name in {number, _plain(number)}:
                names.call(f"Phase {name}", [plan.item.key for plan in phase])
        self._order(names, after)
        for number, phase in self._phases.items():
            for plan in phase:
                plan.item.group = titles.get(_plain(number), plan.item.group)
        self._share_files(plans)
        return self._draft

    def _add(self, file: str) -> None:
        match = _PLAN.match(os.path.basename(file))
        if match is None or not _is_plan(file):
            return
        found = read_front_matter(_with_own_fields(read_source(file)), file)
        self._draft.notes += found.notes_on("plan", "wave", "depends_on", "files_modified")
        folder = os.path.basename(os.path.dirname(file))
        phase, key = match["phase"], match["id"]
        if not match["number"] and (number := found.text("plan")):
            key = f"{phase}-{number}"
        if key in self._keys:
            key = f"{folder}/{key}"[:60]
        self._keys.add(key)
        objective = _OBJECTIVE.search(found.body)
        text = objective["text"] if objective else found.body.strip()
        first = " ".join(text.split("\n\n", 1)[0].split()).lstrip("# ")
        title = first if len(first) <= _LONGEST_TITLE else first[:_LONGEST_TITLE].rpartition(" ")[0] + "…"
        item = Item(key, title or key, 1, shown_path(file), folder, folder, details=found.body.strip())
        if os.path.isfile(file.removesuffix("PLAN.md") + "SUMMARY.md"):
            item.state, item.word = ItemState.DONE, "has a summary"
        elif found.text("autonomous").casefold() == "false":
            text = f"{key} has checkpoints for a person: an agent will do it, as any other task"
            self._draft.note(NoteKind.GUESSED, 0, text, item.file)
        wave = found.text("wave")
        self._phases.setdefault(phase, []).append(
            _Plan(item, found, phase, int(wave) if wave.isascii() and wave.isdigit() and len(wave) < 6 else 1)
        )

    def _read_roadmap(self) -> tuple[dict[str, str], dict[str, str]]:
        """The titles of the phases, and the words for what they depend on; phases without plans are noted."""
        titles: dict[str, str] = {}
        after: dict[str, str] = {}
        if not os.path.isfile(self._roadmap):
            return titles, after
        text = read_source(self._roadmap)
        places = list(_PHASE.finditer(text))
        known = {_plain(number) for number in self._phases}
        bare: list[tuple[int, str]] = []
        done = {_plain(m["number"]) for m in places if (m["mark"] or "").strip() or _DONE.search(m["title"])}
        for match, following in zip_longest(places, places[1:]):
            number = _plain(match["number"])
            body = text[match.end() : following.start() if following else len(text)]
            if words := _AFTER.search(body):
                after[number] = words["words"]
            title = without_remarks(match["title"].replace("**", "").partition(" - ")[0].partition(" — ")[0]).strip()
            if number not in titles and number not in known and number not in done:
                bare.append((text.count("\n", 0, match.start()) + 1, f"Phase {number} ({title})"))
            titles.setdefault(number, f"Phase {number}: {title}")
        if bare:
            who = f"{bare[0][1]} has" if len(bare) == 1 else f"{first_of([name for _, name in bare], 5)} have"
            said = f"{who} no plans yet: nothing of this will run"
            self._draft.note(NoteKind.DROPPED, bare[0][0], said, shown_path(self._roadmap))
        return titles, after

    def _order(self, names: Names, after: dict[str, str]) -> None:
        """A plan waits for those it names; one that names none waits for the wave before it, and for its phase."""
        before: list[str] = []
        for number, phase in sorted(self._phases.items(), key=lambda found: _rank(found[0])):
            start = self._start(names, number, after.get(_plain(number)), before)
            waves: dict[int, list[str]] = {}
            for plan in phase:
                waves.setdefault(plan.wave, []).append(plan.item.key)
            for plan in phase:
                named = self._named(names, plan)
                if not named and (earlier := [wave for wave in waves if wave < plan.wave]):
                    plan.item.needs += self._all(f"wave {max(earlier)} of phase {number}", waves[max(earlier)])
                plan.item.needs += [need for need in start if need not in plan.item.needs]
            before = self._all(f"phase {number}", [plan.item.key for plan in phase])

    def _start(self, names: Names, number: str, words: str | None, before: list[str]) -> list[str]:
        """What all plans of a phase wait for: the phases that the roadmap names, else the phase before it."""
        if words is None:
            return before
        plain = without_remarks(words).strip()
        if is_nothing(plain) or plain.casefold().startswith(("nothing", "none")):
            return []
        found = []
        for name in _NUMBER.findall(plain):
            found += names.find(f"Phase {_plain(name)}") or []
        return found or ([] if _NUMBER.search(plain) else before)

    def _named(self, names: Names, plan: _Plan) -> bool:
        """Add the plans that a plan depends on. Returns True if it names some."""
        found = False
        for at, word in enumerate(plan.found.texts("depends_on")):
            if is_nothing(word):
                continue
            found = True
            line = plan.found.line_of("depends_on", at)
            text = word.strip().removesuffix(".md").removesuffix("-PLAN").rpartition("/")[2]
            needs = names.find(text) or names.find(f"{plan.phase}-{text}")
            if needs:
                plan.item.needs += [need for need in needs if need != plan.item.key]
            elif text.split("-")[0] in self._phases and not _NUMBER.fullmatch(text):
                plan.item.missing.append(word)
                said = f"{plan.item.key} depends on {quoted(word)}, which is not a plan of this folder"
                self._draft.note(NoteKind.UNRESOLVED, line, said, plan.item.file)
            elif not (needs := names.find(f"Phase {_plain(text)}")):
                said = f"{plan.item.key} depends on {quoted(word)}, which has no plans here: it is taken as done"
                self._draft.note(NoteKind.GUESSED, line, said, plan.item.file)
            else:
                plan.item.needs += needs
        return found

    def _all(self, name: str, keys: list[str]) -> list[str]:
        """A name for several keys, the key itself for one."""
        if len(keys) < 2:
            return keys
        self._draft.sets[name] = keys
        return [name]

    def _share_files(self, plans: list[_Plan]) -> None:
        """Plans that change the same file never run at the same time."""
        users: dict[str, list[_Plan]] = {}
        for plan in plans:
            if plan.item.state is ItemState.OPEN:
                for file in dict.fromkeys(plan.found.texts("files_modified")):
                    users.setdefault(file, []).append(plan)
        shared = {file: found for file, found in users.items() if len(found) > 1 and not is_nothing(file)}
        for file, found in shared.items():
            for plan in found:
                plan.item.fields["locks"] = (*plan.item.fields.get("locks", ()), file)
        if shared:
            said = f"{number_of(len(shared), 'file')} changed by several plans: these never run at the same time"
            self._draft.note(NoteKind.RESOLVED, 0, said)


def _with_own_fields(text: str) -> str:
    """The text of a plan with empty lines for the fields that only GSD reads: a mistake there is not ours."""
    head, end, body = text.partition("\n---")
    if not text.startswith("---"):
        return text
    wanted, lines = True, []
    for line in head.split("\n"):
        if line[:1].isalnum():
            wanted = line.partition(":")[0].rstrip() in _FIELDS
        lines.append(line if wanted else "")
    return "\n".join(lines) + end + body


def _plain(number: str) -> str:
    """A number of a phase without zeros before it."""
    return number.lstrip("0") or "0"


def _rank(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))
