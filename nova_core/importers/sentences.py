"""Applies the sentences about order in a checklist; every sentence that is not understood gets a note."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import msgspec

from nova_core.importers.checklist import Checklist
from nova_core.importers.draft import Draft, Item
from nova_core.importers.grammar import Grammar, Link, Reading
from nova_core.importers.lexicon import denies, is_free, keyword, ranks, sounds
from nova_core.importers.lists import dependencies_in, needed, starts_with_field
from nova_core.importers.order import circling
from nova_core.importers.phases import is_phase
from nova_core.model import NoteKind
from nova_core.parser.cells import without_remarks, without_struck
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
# Sentences of the template: its phases already follow them, or they address the author of the list.
_TEMPLATE = frozenset(
    ("tests must be written and fail before implementation", "models before services", "services before endpoints",
     "core implementation before integration", "story complete before moving to next priority",
     "verify tests fail before implementing", "or sequentially in priority order",
     "user stories can then proceed in parallel")
)  # fmt: skip
_REMARK = re.compile(r"\(([^()]{4,200})\)|\s[-–—]\s+([^()]{4,200})\Z")
_PART = re.compile(r"[;,]|\s[-–—]\s")
_EMPHASIS = re.compile(r"[*`]|(?<!\w)_+|_+(?!\w)")
_LONGEST = 4_000  # characters of a paragraph
_MOST_LINKS = 100_000  # dependencies that sentences add
_MOST = 500  # sentences that are read


class Things(msgspec.Struct):
    """What a name means: phases of stories by index, and tasks by key."""

    phases: list[int] = []
    tasks: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.phases or self.tasks)


class Plan(Protocol):
    """The tasks of a list, as sentences speak of them."""

    @property
    def words(self) -> Sequence[str]:
        """Names of headings that sentences may use."""

    def things(self, name: str) -> Things | None:
        """What a name means; None if it means nothing."""

    def below(self, heading: int) -> Things:
        """The tasks below a heading."""

    def wait(self, line: int, users: Things, needs: Things, *, dry: bool) -> bool:
        """Make some wait for others. Returns False if that is impossible; with `dry`, that is all it does."""

    def drop_circles(self) -> set[int]:
        """Remove contradictions. Returns the lines of the sentences."""


class Needs:
    """The dependencies that sentences add to tasks."""

    def __init__(self, draft: Draft, items: Sequence[Item]) -> None:
        self._draft, self._items = draft, items
        self._added: list[tuple[int, Item, str]] = []
        self._links = 0

    def add(self, line: int, item: Item, keys: Sequence[str]) -> None:
        """Make an item wait for keys or sets."""
        self._links += len(keys)
        if self._links > _MOST_LINKS:
            return
        new = [need for need in keys if need not in item.needs and need != item.key]
        item.needs += new
        self._added += [(line, item, need) for need in new]

    def drop_circles(self) -> set[int]:
        """Remove contradictions between sentences, or with the tasks. Returns the lines of what was removed."""
        needs = {item.key: item.needs for item in self._items}
        circle = circling({**self._draft.sets, **needs}) if self._added else set()
        told: set[int] = set()
        for line, item, need in self._added:
            if item.key in circle and need in circle:
                item.needs.remove(need)
                told.add(line)
        return told


class _Block(msgspec.Struct):
    """A paragraph or list item: its first line, its text, its heading."""

    line: int
    text: str
    heading: int
    last: int
    title: bool = False


def is_about_order(title: str) -> bool:
    """Returns True for the heading of a text about the order of tasks, which holds no tasks."""
    return _ABOUT_ORDER.search(title[:300]) is not None


def read_sentences(
    draft: Draft, found: Checklist, plan: Plan, *, tasks: Collection[int] = (), deepest: int = 6
) -> None:  # fmt: skip
    """Add the dependencies in the section about order, and those of whole headings (`**Depends on:** Section 2`).

    `tasks` are lines that are tasks; the titles of headings are read down to the level `deepest`.
    """
    _Sentences(draft, found, plan, tasks, deepest).read()


def remarks_in(title: str) -> list[str]:
    """What a heading says in brackets or behind a dash about its order: `3. Page (depends on 1)`."""
    remarks = (match[1] or match[2] for match in _REMARK.finditer(plain(title[:500])))
    return [remark.strip() for remark in remarks if keyword(remark.strip() + " ", 0)[0] in ("A", "B")]


def plain(text: str) -> str:
    """A text without emphasis, and without what is struck out."""
    return _EMPHASIS.sub("", without_struck(text)).strip()


class _Sentences:
    def __init__(
        self, draft: Draft, found: Checklist, plan: Plan, tasks: Collection[int], deepest: int
    ) -> None:  # fmt: skip
        self._draft, self._found, self._plan = draft, found, plan
        self._tasks, self._deepest = frozenset(tasks), deepest
        self._grammar = Grammar(plan.words)

    def read(self) -> None:
        blocks = [block for block in self._blocks() if self._is_about_order(block)]
        ours = [block for block in blocks if _folded(plain(block.text)) in _TEMPLATE]
        others = [block for block in blocks if _folded(plain(block.text)) not in _TEMPLATE]
        for block in others[:_MOST]:
            self._read(block)
        if len(others) > _MOST:
            text = f"sentences about the order after the first {_MOST} were not read"
            self._draft.note(NoteKind.DROPPED, others[_MOST].line, text)
        for line in sorted(self._plan.drop_circles()):
            self._draft.note(NoteKind.DROPPED, line, "this would be a cycle: it was not used")
        if ours:
            text = f"{len(ours)} sentences of the template add nothing to the order of the tasks"
            self._draft.note(NoteKind.RESOLVED, 0, text)
        for fence in self._found.fences:
            body = self._found.lines[fence.start + 1 : fence.end]
            if self._is_section(fence.heading) and any("→" in row or "->" in row for row in body):
                self._draft.note(NoteKind.DROPPED, fence.start + 1, "the graph in the code fence was not read")

    def _read(self, block: _Block) -> None:
        """Use what a paragraph says, or note that it was not understood."""
        text = plain(block.text)
        field = self._is_field(block)
        reading = self._grammar.read(text, ("",) if field else ())
        if reading is None and field:
            value = needed(dependencies_in(text) or text.partition(":")[2])
            reading = Reading((_link_of(text, value),)) if self._is_name(value) else self._grammar.read(value, ("",))
            reading = reading if reading and (not reading.links or self._is_name(value)) else None
        if not self._apply(block, reading):
            self._draft.note(NoteKind.DROPPED, block.line, f"not fully understood: {quoted(text)}")

    def _is_about_order(self, block: _Block) -> bool:
        """Returns True if a paragraph says something about the order, wherever it stands."""
        text = plain(block.text)
        if not text or text.startswith(("---", "|")) or block.line in self._tasks:
            return False
        if block.title:
            named = self._grammar.names(text) or self._is_name(needed(dependencies_in(text)))
            return bool(named and self._plan.below(block.heading))
        if self._is_field(block):
            if block.heading < 0 or self._found.headings[block.heading].level == 1:
                return False
            value = text.partition(":")[2]
            named = self._grammar.names(text) or any(
                self._plan.things(needed(v)) for v in (value, _PART.split(value)[0])
            )
            return self._is_section(block.heading) or bool(named and self._plan.below(block.heading))
        names = [name for name in self._grammar.names(text) if any(map(str.isdigit, name))]
        if text.endswith((":", "：")) and not names:  # `Recommended sequence:` says nothing itself
            return False
        if self._is_section(block.heading):
            return sounds(text) or is_free(text) or len(set(names)) > 1 or bool(names and ranks(text))
        if any(is_about_order(title.text) for title in self._found.titles(block.heading) if title.level > 1):
            return False
        return sounds(text) and len({name for name in names if self._plan.things(name)}) > 1

    def _is_name(self, value: str) -> bool:
        """Returns True for the name of a heading, or for names and nothing else."""
        numbers = any(any(map(str.isdigit, name)) for name in self._grammar.names(value))
        whole = not numbers or self._grammar.is_names(value)
        return whole and not denies(value) and bool(self._plan.things(value))

    def _is_field(self, block: _Block) -> bool:
        """Returns True for a text about the tasks below its heading: `Depends on: 2`, `Depends on section 2.`"""
        return block.title or starts_with_field(block.text) or bool(dependencies_in(plain(block.text)))

    def _apply(self, block: _Block, reading: Reading | None) -> bool:
        """Apply all that a paragraph says, or nothing. Returns False if it cannot be applied."""
        if reading is None:
            return False
        means = {"": self._plan.below(block.heading)}
        for name in (
            *(n for link in reading.links for n in (*link.users, *link.needs)),
            *(n for p in reading.same for n in p),
        ):
            if name not in means:
                things = self._plan.things(name)
                if things is None:
                    return False
                means[name] = things
        if not all(_inside(means[part], means[whole]) for whole, part in reading.same):
            return False
        links = [(_sum(means, link.users), _sum(means, link.needs)) for link in reading.links]
        return all(users and needs for users, needs in links) and all(
            self._plan.wait(block.line, users, needs, dry=dry) for dry in (True, False) for users, needs in links
        )

    def _is_section(self, heading: int) -> bool:
        for title in self._found.titles(heading):
            if is_phase(title.text):  # `Phase 2: Install the dependencies`
                return False
            if title.level > 1 and _DEPENDENCIES.search(title.text[:300]):
                return True
            if title.level > 1 and is_about_order(title.text):
                return False
        return False

    def _blocks(self) -> Iterator[_Block]:
        """What headings say, and the paragraphs and list items with their continued lines."""
        for at, title in enumerate(self._found.headings):
            if 1 < title.level <= self._deepest and title.line not in self._tasks:
                yield from (_Block(title.line, text, at, title.line, title=True) for text in remarks_in(title.text))
        block: _Block | None = None
        for line in self._found.loose:
            follows = block and line.line == block.last + 1 and line.heading == block.heading
            if block and follows and not line.bullet and not _starts(line.text) and len(block.text) < _LONGEST:
                block.text, block.last = f"{block.text} {line.text}", line.line
                continue
            if block:
                yield block
            block = _Block(line.line, line.text.lstrip("> "), line.heading, line.line)
        if block:
            yield block


def _starts(text: str) -> bool:
    """Returns True for a line that begins a field or another block: `**Goal**: ...`."""
    return text.startswith(("|", ">", "---", "#")) or (text.startswith("**") and ":" in text) or starts_with_field(text)


def _link_of(field: str, names: str) -> Link:
    """The link of a field whose value names something as a whole: `Depends on: 2. Jobs`."""
    return Link((names,), ("",)) if field.casefold().startswith("blocks") else Link(("",), (names,))


def _sum(means: dict[str, Things], names: Sequence[str]) -> Things:
    found = Things([], [])
    for name in names:
        found.phases += means[name].phases
        found.tasks += means[name].tasks
    return Things(list(dict.fromkeys(found.phases)), list(dict.fromkeys(found.tasks)))


def _inside(part: Things, whole: Things) -> bool:
    """Returns True if all of a part belongs to the whole; tasks may belong to its phases."""
    return set(part.phases) <= set(whole.phases) and (
        not part.tasks or bool(whole.phases) or set(part.tasks) <= set(whole.tasks)
    )


def _folded(text: str) -> str:
    return " ".join(without_remarks(text).casefold().strip(" .").split())
