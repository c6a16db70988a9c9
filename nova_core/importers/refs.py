"""Resolves the references in a checklist: ids, lists, ranges, stories, phases."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

from nova_core.errors import InputError, Problem
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.model import NoteKind
from nova_core.parser.cells import is_nothing
from nova_core.parser.findings import quoted, shown_path
from nova_core.parser.references import MAX_EDGES
from nova_core.parser.wording import folded_name, numbered, plain, range_ends, trimmed, variants
from nova_core.text import first_of

_JOINTS = (" and ", " or ", " & ", " + ", " plus ", "+", "&", "/", ";", "、", "，", "；", "와", "和")
_ID = re.compile(r"([A-Za-z]*)-?0*(\d+)([a-z]{0,2})((?:\.\d+)*)([a-z]?)\Z")
_NOTHING = frozenset(("없음", "无", "無", "なし", "ninguna", "nenhuma", "aucune", "keine", "нет", "независимо", "yok"))
_MOST_WORDS = 10_000  # characters of one list of references
_MOST_NAMED = 1_000  # phases in one range


class Asked(msgspec.Struct, frozen=True, gc=False):
    """Words that name dependencies of a task; `field` is True if they are in a field for dependencies only."""

    line: int
    words: str
    field: bool = True


def alike(word: str) -> str:
    """The common form of `T001`, `T-1` and `t1`: an id without dashes, zeros and case."""
    match = _ID.match(word)
    if not match:
        return word.casefold()
    return f"{match[1].casefold()}{match[2]}{match[3]}{match[4]}{match[5]}"


class Names:
    """Everything a reference can name: the keys of a draft in order, and groups of them by name."""

    def __init__(self, draft: Draft, keys: Sequence[str]) -> None:
        self._draft = draft
        self._keys = keys
        self._position = {key: at for at, key in enumerate(keys)}
        self._dotted = any("." in key for key in keys)
        self._alike: dict[str, str] = {}
        for key in keys:
            like = alike(key)
            self._alike[like] = "" if like in self._alike else key
        for key in keys:  # `T1` for the task 1, and the reverse
            like = alike(key)
            other = like[1:] if like[:1] == "t" and like[1:].isdigit() else f"t{like}" if like[:1].isdigit() else ""
            if other:
                self._alike.setdefault(other, key)
        self._groups: dict[str, list[str]] = {}
        self._ranges: dict[tuple[int, int], Sequence[str]] = {}
        self._spent = 0
        self._large: dict[str, frozenset[str]] = {}
        self._own: dict[str, tuple[str, list[str]]] = {}  # a group without the task that names it: its name, its tasks

    def call(self, name: str, keys: Iterable[str]) -> None:
        """Let a name mean these keys; a repeated name means all of them."""
        self._groups.setdefault(folded_name(name), []).extend(keys)

    def ask(self, item: Item, asked: Asked) -> list[str]:
        """Add the requested dependencies to an item and return them; unknown ones are missing and noted."""
        found, unknown = self.read(asked.words, item.key)
        if len(found) > 1 and " or " in asked.words.casefold():
            self._draft.note(NoteKind.GUESSED, asked.line, f"{item.key} depends on all of {quoted(asked.words)}")
        found = [self._rest(need, item.key) if need in self._own else need for need in found]
        for need in found:
            if need == item.key:
                self._draft.note(NoteKind.DROPPED, asked.line, f"{item.key} depends on itself")
            elif need not in item.needs:
                item.needs.append(need)
        passed: list[str] = []
        for word in unknown:
            if item.state is not ItemState.OPEN:
                text = f"{item.key} does not depend on {quoted(word)}, which does not exist: it is settled"
                self._draft.note(NoteKind.RESOLVED, asked.line, text)
            elif asked.field or self.is_id(word):
                item.missing.append(word[:100])
                self._draft.note(
                    NoteKind.UNRESOLVED, asked.line, f"{item.key} depends on {quoted(word)}, which does not exist"
                )
            else:
                passed.append(quoted(word))
        if passed:
            verb = "is not read as a task" if len(passed) == 1 else "are not read as tasks"
            self._draft.note(NoteKind.DROPPED, asked.line, f"{first_of(passed, 5)} {verb}")
        return [need for need in found if need != item.key]

    def is_id(self, word: str) -> bool:
        """Returns True if an unknown word looks like the ids of this file, so that it should name something."""
        return (word[:1] in "Tt" or self._dotted or not word[:1].isdigit()) and _ID.match(word) is not None

    def read(self, words: str, but: str = "") -> tuple[list[str], list[str]]:
        """The dependencies in a list of references (keys, or names of sets without the key `but`), and words left."""
        text = words if words.isascii() else unicodedata.normalize("NFKC", words)
        if is_nothing(text):
            return [], []
        text = plain(text[:_MOST_WORDS])
        if is_nothing(text) or text.casefold() in _NOTHING or not text:
            return [], []
        if (whole := self.find(text, but)) is not None:
            return whole, []
        for joint in _JOINTS:
            text = text.replace(joint, ",")
        found: list[str] = []
        unknown: list[str] = []
        noun = ""
        for part in (trimmed(piece) for piece in text.split(",")):
            if not part or is_nothing(part):
                continue
            noun = part.rpartition(" ")[0] or noun
            needs = self.find(part, but)
            if needs is None and noun and part.isdigit():
                needs = self.find(f"{noun} {part}", but)
            if needs is None:
                unknown.append(part)
            else:
                found += needs
        return list(dict.fromkeys(found)), unknown

    def find(self, word: str, but: str = "") -> list[str] | None:
        """The dependencies of one reference; None if it names nothing."""
        if len(word) > 200:
            return None
        for form in variants(trimmed(word)):
            if key := self.key(form):
                return [key]
            if (group := self._groups.get(folded_name(form))) is not None:
                return self._set(form, group, but)
        return self._range(trimmed(word), but)

    def key(self, word: str) -> str:
        """The key that a word names exactly, or apart from case, dashes and zeros; "" if there is none."""
        if word in self._position:
            return word
        return self._alike.get(alike(word.rstrip(".")), "")

    def _range(self, text: str, but: str) -> list[str] | None:
        for left, right in range_ends(text):
            first = next((key for form in variants(trimmed(left)) if (key := self.key(form))), "")
            last = first and (self.key(trimmed(right)) if not trimmed(right).isdigit() else "")
            if first and not last:
                last = self.key(numbered(first)[0] + trimmed(right)) or self.key(trimmed(right))
            if first and last:
                return self._between(first, last, but)
            if not first and (phases := self._phases(left, trimmed(right), but)) is not None:
                return phases
        return None

    def _between(self, first: str, last: str, but: str) -> list[str] | None:
        """The tasks of a range in file order; a range that runs backwards names nothing."""
        begin, end = self._position[first], self._position[last]
        if begin > end:
            return None
        keys = self._ranges.get((begin, end))
        if keys is None:
            keys = self._ranges[begin, end] = self._keys[begin : end + 1]
            self._spend(len(keys))
        return self._set(f"{first} to {last}", keys, but)

    def _phases(self, left: str, right: str, but: str) -> list[str] | None:
        """`Phases 3-5`: each of them."""
        noun, start = numbered(trimmed(left))
        noun = noun.strip().rstrip("s")
        right = numbered(right)[1]
        if not noun or not start or not right or len(right) > 6 or len(start) > 6:
            return None
        if not 0 <= int(right) - int(start) < _MOST_NAMED:
            return None
        found: list[str] = []
        for number in range(int(start), int(right) + 1):
            group = self._groups.get(folded_name(f"{noun} {number}"))
            if group is None:
                return None
            found += self._set(f"{noun} {number}", group, but)
        return found

    def _set(self, name: str, keys: Sequence[str], but: str) -> list[str]:
        """A name for several keys, the key itself for one."""
        if len(keys) < 2:
            return [key for key in keys if key != but]
        if but and but in self._members(name, keys):
            self._spend(len(keys))
            whole = name, list(keys)
            keys = [key for key in keys if key != but]
            name = f"{name} but {but}"
            self._own[name] = whole
        while name in self._position:
            name += " all"
        if name not in self._draft.sets:
            self._draft.sets[name] = list(keys)
        return [name]

    def _rest(self, name: str, key: str) -> str:
        """The set of a group for a task in it: without all tasks in it that wait for the group."""
        whole, keys = self._own[name]
        self._draft.sets.pop(name, None)
        rest = self._draft.sets.setdefault(f"the rest of {whole}", list(keys))
        if key in rest:
            rest.remove(key)
        return f"the rest of {whole}"

    def _spend(self, count: int) -> None:
        """Reject a file whose ranges hold more than a graph may."""
        self._spent += count
        if self._spent > MAX_EDGES:
            raise InputError(
                [Problem(shown_path(self._draft.path), 0, f"the plan has more than {MAX_EDGES:,} dependencies")]
            )

    def _members(self, name: str, keys: Sequence[str]) -> frozenset[str]:
        known = self._large.get(name)
        if known is None or len(known) != len(keys):
            known = self._large[name] = frozenset(keys)
        return known
