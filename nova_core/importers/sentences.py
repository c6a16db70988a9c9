"""Reads sentences about the order of a spec-kit plan: `US3 (Phase 5): Depends on US1`, `T008 blocks T009`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from nova_core.importers.checklist import Checklist
from nova_core.importers.draft import Draft, Item
from nova_core.importers.lists import Todo
from nova_core.importers.order import circling
from nova_core.importers.phases import PRIORITY, STORY, Phase
from nova_core.importers.refs import REFERENCES, Names
from nova_core.model import NoteKind
from nova_core.parser.cells import without_remarks
from nova_core.parser.findings import quoted

_ABOUT_ORDER = re.compile(
    r"dependenc|execution order|parallel|within each|implementation strategy|execution flow|依赖|依存|dependencias"
    r"|dependências|abhängigkeit|dépendance|зависимост",
    re.IGNORECASE,
)
_DEPENDENCIES = re.compile(
    r"dependenc|execution order|within each|依赖|依存|dependencias|dependências|abhängigkeit|dépendance|зависимост",
    re.IGNORECASE,
)
_BLOCKS = re.compile(r"\bblocks?\b", re.IGNORECASE)
_BEFORE = re.compile(
    r"\b(?:must (?:be )?(?:complete|completed|done|finish|finished) before|before|precedes?)\b|→|--?>", re.IGNORECASE
)
_AFTER = re.compile(
    r"\b(?:(?:all )?depends? (?:up)?on|(?:can |should |must )?(?:only )?(?:start|begin|run)s? (?:only )?(?:after|once)"
    r"|after|requires?|needs?|blocked by|waits? for|follows?)\b|依赖于?|依存",
    re.IGNORECASE,
)
_SOUNDS = re.compile(
    r"\b(?:depend(?:s|ing|ent)?|after|before|blocks?|blocked|requires?|needs?|once|until|waits?|prerequisites?|follows?"
    r"|sequenced?)\b|依赖|依存|→",
    re.IGNORECASE,
)
_FREE = re.compile(
    r"\bno (?:\w+ )?dependenc|\bindependent|in parallel\b|can start immediately|\bnone\b|parallelized", re.IGNORECASE
)
_CLAUSES = re.compile(r"\s[-–—]\s|;|\.\s|,?\s+but\s|\.\Z")
_ALL_STORIES = re.compile(
    r"\b(?:all|every|any|desired|three|two)?\s*(?:desired |the )?(?:user )?stories\b", re.IGNORECASE
)
_RANKED_STORIES = re.compile(r"\b(P\d)\s+(?:user )?stor(?:y|ies)\b", re.IGNORECASE)
_NUMBER = r"\d{1,4}(?:\.\d{1,4})?"
_JOINT = r"\s*(?:,\s*and\b|,|\band\b|&|\+|/)\s*"
_SPAN = r"\s*(?:[-–—]|\bto\b|\bthrough\b)\s*"
_PHASES = re.compile(rf"\bphases?\s+({_NUMBER}(?:(?:{_JOINT}|{_SPAN}){_NUMBER}(?!\w))*)(\+)?", re.IGNORECASE)
# `US2 → Can start after US1` is a label and a sentence; the arrow does not mean order.
_ARROW_OF_LABEL = re.compile(
    r"\s*→\s*(?=(?:can|may|must|should|will|no|none|requires?|depends?|needs?|blocks?|after|before|starts?|independent)\b)",
    re.IGNORECASE,
)
_REMARK = re.compile(r"\([^()]*\)")
# A task does not wait for the items after these words.
_BESIDE = re.compile(r"\b(?:independent(?:ly)?|in parallel|parallel (?:to|with)|alongside)\b", re.IGNORECASE)
_TASKS = re.compile(r"\bT-?\d{1,6}[a-z]{0,2}\b", re.IGNORECASE)
# Sentences of the template: its phases already follow them, or they address the author of the list.
_TEMPLATE = frozenset(
    ("tests must be written and fail before implementation", "models before services", "services before endpoints",
     "core implementation before integration", "story complete before moving to next priority",
     "verify tests fail before implementing", "or sequentially in priority order",
     "user stories can then proceed in parallel")
)  # fmt: skip
_LONGEST = 2_000  # characters of a sentence
_MOST = 500  # sentences that are read
_MOST_NAMED = 20  # stories, and ranges of phases, in one sentence
_MOST_LINKS = 100_000  # pairs of phases, and of tasks and phases


class _Subject(msgspec.Struct):
    """The things a part of a sentence names: phases by index, and words for tasks."""

    phases: list[int] = []
    tasks: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.phases or self.tasks)


def is_about_order(title: str) -> bool:
    """Returns True for the heading of a text about the order of tasks, which holds no tasks."""
    return _ABOUT_ORDER.search(title[:300]) is not None


class Sentences:
    """Adds the dependencies in the section about order; every sentence that is not understood gets a note."""

    def __init__(
        self, draft: Draft, found: Checklist, names: Names, phases: Sequence[Phase], todos: Sequence[Todo]
    ) -> None:
        self._draft, self._found, self._names, self._phases = draft, found, names, phases
        self._todos = {todo.key: todo for todo in todos}
        self._phase_of = {key: phase.index for phase in phases for key in phase.keys}
        self._by_number = {phase.number: phase.index for phase in phases if phase.number}
        self._by_story: dict[int, list[int]] = {}
        for phase in phases:
            for story in phase.stories:
                self._by_story.setdefault(story, []).append(phase.index)
        self._links = 0
        self._added: list[tuple[int, Item, str]] = []
        self._by_name: dict[str, int] = {}
        for phase in phases:
            word = phase.name.split(" ")[0].casefold()
            if len(word) > 3 and word.isalpha() and not phase.stories and word not in ("phase", "user", "tasks"):
                self._by_name[word] = -1 if word in self._by_name else phase.index

    def read(self) -> None:
        """Read the sections."""
        count = kept = 0
        for line, text in self._lines():
            if not (_SOUNDS.search(text) or _FREE.search(text)):
                continue
            if _folded(text) in _TEMPLATE:
                kept += 1
                continue
            count += 1
            if count > _MOST:
                self._draft.note(
                    NoteKind.DROPPED, line, f"sentences about the order after the first {_MOST} were not read"
                )
                break
            if not self._sentence(line, text):
                self._draft.note(NoteKind.DROPPED, line, f"not fully understood: {quoted(text)}")
        self._drop_circles()
        if kept:
            self._draft.note(
                NoteKind.RESOLVED, 0, f"{kept} sentences of the template add nothing to the order of the tasks"
            )
        for fence in self._found.fences:
            body = self._found.lines[fence.start + 1 : fence.end]
            if self._is_section(fence.heading) and any("→" in row or "->" in row for row in body):
                self._draft.note(NoteKind.DROPPED, fence.start + 1, "the graph in the code fence was not read")

    def _lines(self) -> Iterator[tuple[int, str]]:
        for line in self._found.loose:
            if line.text.startswith("|") or not self._is_section(line.heading):
                continue
            text = line.text[:_LONGEST].replace("**", "").replace("`", "").strip("_* ")
            if text and not text.startswith(("---", ">")):
                yield line.line, text

    def _is_section(self, heading: int) -> bool:
        for title in self._found.titles(heading):
            if title.level > 1 and _DEPENDENCIES.search(title.text[:300]):
                return True
            if title.level > 1 and is_about_order(title.text):
                return False
        return False

    def _sentence(self, line: int, text: str) -> bool:
        """Apply one sentence. Returns True if all of it was understood."""
        text = _ARROW_OF_LABEL.sub(": ", text, count=1)
        text = _REMARK.sub(lambda remark: _CLAUSES.sub(", ", remark[0]), text)
        head, colon, tail = text.partition(":")
        subject = self._named(head) if colon and len(head) < 120 else _Subject()
        if not subject and not (colon and len(head) < 40):
            tail = text
        understood = False
        whole = True
        for clause in _CLAUSES.split(tail if subject or colon else text):
            if not clause.strip():
                continue
            known = self._clause(line, clause.strip(), subject)
            if known is None and not subject:
                subject = self._named(clause)
            understood = understood or bool(known)
            whole = whole and known is not False
        return whole and (understood or bool(subject and not _SOUNDS.search(without_remarks(tail))))

    def _clause(self, line: int, clause: str, subject: _Subject) -> bool | None:
        """Returns True if a clause was understood; None if it says nothing about order."""
        for pattern, turned in ((_AFTER, False), (_BLOCKS, True), (_BEFORE, True)):
            if match := pattern.search(clause):
                left = self._named(_BESIDE.split(clause[: match.start()], maxsplit=1)[0]) or subject
                right = self._named(_BESIDE.split(clause[match.end() :], maxsplit=1)[0])
                if left and right:
                    users, needed = (right, left) if turned else (left, right)
                    return self._add(line, users, needed)
                return _FREE.search(clause) is not None
        if _FREE.search(clause):
            return self._is_free(line, self._named(clause) or subject, clause)
        return None

    def _is_free(self, line: int, subject: _Subject, clause: str) -> bool:
        """Items called independent are so already: stories, and tasks with `[P]`; no others become so."""
        bound = [self._phases[at].name for at in subject.phases if at and not self._phases[at].stories]
        if bound and "no " not in clause.casefold() and "immediately" not in clause.casefold():
            text = f"{bound[0] or 'it'} stays behind the phases above it, though {quoted(clause)}"
            self._draft.note(NoteKind.GUESSED, line, text)
        return True

    def _named(self, text: str) -> _Subject:
        """The things a part names; those in brackets count only if nothing else is named."""
        outside = without_remarks(text)
        return self._scan(outside) or (self._scan(text) if outside != text else _Subject())

    def _scan(self, text: str) -> _Subject:
        found = _Subject()
        for match in islice(STORY.finditer(text), _MOST_NAMED):
            found.phases += self._by_story.get(int(match[1]), [])
        for match in islice(_PHASES.finditer(text), _MOST_NAMED):
            for piece in re.split(_JOINT, match[1], flags=re.IGNORECASE)[:_MOST_NAMED]:
                first, _, last = re.sub(_SPAN, "-", piece).partition("-")
                found.phases += self._span(first, last, open_end=bool(match[2]))
        for match in REFERENCES.finditer(text):
            if _TASKS.match(match[0].removeprefix("task ").removeprefix("tasks ").strip("# ")):
                found.tasks.append(match[0])
        if not found and _ALL_STORIES.search(text):
            found.phases += self._stories(text)
        if not found:
            for word in re.findall(r"[a-z]+", text.casefold()):
                word = "foundational" if word == "foundation" and word not in self._by_name else word
                if self._by_name.get(word, -1) >= 0:
                    found.phases.append(self._by_name[word])
        found.phases = list(dict.fromkeys(found.phases))
        return found

    def _stories(self, text: str) -> list[int]:
        """All stories, or those of the named priorities."""
        ranks = {match[1].upper() for match in _RANKED_STORIES.finditer(text)}
        stories = [(phase.index, PRIORITY.search(phase.title[:500])) for phase in self._phases if phase.stories]
        return [index for index, rank in stories if not ranks or (rank and rank[1].upper() in ranks)]

    def _span(self, first: str, last: str, *, open_end: bool) -> list[int]:
        begin = self._by_number.get(first, -1)
        if begin < 0:
            return []
        if open_end:
            return [phase.index for phase in self._phases[begin:] if phase.stories]
        end = self._by_number.get(last, begin) if last else begin
        return list(range(begin, end + 1))

    def _add(self, line: int, users: _Subject, needed: _Subject) -> bool:
        """Make some wait for others, unless the order of the phases does so already."""
        understood = True
        for user in users.phases:
            if user in needed.phases and len(users.phases) > len(needed.phases):
                continue  # `US1 before all stories`: before all other stories
            self._links += len(needed.phases)
            if self._links > _MOST_LINKS:
                return False
            for need in needed.phases:
                if user != need:
                    understood = self._phase_after(user, need) and understood
            for words in needed.tasks:
                understood = self._phase_after_tasks(user, words) and understood
        for words in users.tasks:
            keys, unknown = self._names.read(words)
            self._unknown(line, unknown)
            understood = self._tasks_after(line, self._members(keys), needed) and understood
        return understood

    def _phase_after(self, user: int, need: int) -> bool:
        first, second = self._phases[user], self._phases[need]
        if second.block < first.block:
            return True
        if second.block > first.block:
            return False
        first.after.append(need)
        return True

    def _phase_after_tasks(self, user: int, words: str) -> bool:
        keys, unknown = self._names.read(words)
        phase = self._phases[user]
        open_ones = [key for key in self._members(keys) if self._block_of(key) >= phase.block]
        if any(self._block_of(key) > phase.block for key in open_ones):
            return False
        phase.needs += [key for key in open_ones if self._phase_of[key] != user]
        return not unknown

    def _tasks_after(self, line: int, users: Sequence[str], needed: _Subject) -> bool:
        """Make tasks wait for the same things. Returns False if that is impossible."""
        for words in needed.tasks:
            keys, unknown = self._names.read(words)
            members = self._members(keys)
            last = max((self._block_of(key) for key in members), default=0)
            if not frozenset(members).isdisjoint(users):
                return len(users) == len(members) == 1
            for user in users:
                if last >= self._block_of(user):
                    self._need(line, self._todos[user].item, keys)
                self._todos[user].item.missing.extend(word[:100] for word in unknown)
            self._unknown(line, unknown, users[0] if users else "")
        for at in needed.phases:
            phase = self._phases[at]
            keys, _ = self._names.read(f"Phase {phase.number}") if phase.number else (phase.keys, [])
            for user in users:
                if phase.block >= self._block_of(user) and at != self._phase_of[user]:
                    self._need(line, self._todos[user].item, keys)
        return True

    def _block_of(self, key: str) -> int:
        return self._phases[self._phase_of[key]].block

    def _need(self, line: int, item: Item, keys: Sequence[str]) -> None:
        self._links += len(keys)
        if self._links > _MOST_LINKS:
            return
        new = [need for need in keys if need not in item.needs and need != item.key]
        item.needs += new
        self._added += [(line, item, need) for need in new]

    def _drop_circles(self) -> None:
        """Remove contradictions between sentences, or with the tasks: `T020-T027 before T023-T029`."""
        needs = {todo.key: todo.item.needs for todo in self._todos.values()}
        circle = circling({**self._draft.sets, **needs}) if self._added else set()
        told: set[int] = set()
        for line, item, need in self._added:
            if item.key in circle and need in circle:
                item.needs.remove(need)
                if line not in told:
                    told.add(line)
                    self._draft.note(NoteKind.DROPPED, line, "this would be a cycle: it was not used")

    def _members(self, needs: Sequence[str]) -> list[str]:
        return [key for need in needs for key in self._draft.sets.get(need, [need])]

    def _unknown(self, line: int, words: Sequence[str], key: str = "") -> None:
        for word in words:
            what = f"{key} depends on {quoted(word)}" if key else f"the order names {quoted(word)}"
            self._draft.note(NoteKind.UNRESOLVED, line, f"{what}: there is none")


def _folded(text: str) -> str:
    plain = without_remarks(text).casefold().strip(" .")
    return " ".join(plain.split())
