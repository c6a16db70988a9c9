"""The phases of a spec-kit plan: which headings they are, and how they depend on each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import msgspec

from nova_core.importers.checklist import Checklist
from nova_core.importers.draft import Draft
from nova_core.importers.order import Order, Step
from nova_core.importers.refs import Names
from nova_core.model import NoteKind
from nova_core.parser.cells import undecorated, without_remarks
from nova_core.parser.findings import quoted
from nova_core.parser.values import read_priority

_PHASE = re.compile(
    r"\W*(?:\d{1,3}(?:\.\d{1,3}){0,2}[.)]?\s+)?"
    r"(?:phase|milestone|sprint|week|fase|étape|etapa|stage|阶段|階段|フェーズ|단계|этап|фаза|aşama|giai đoạn|第)"
    r"\s*(?:(?P<number>\d{1,4}(?:\.\d{1,4}){0,3})|[N一二三四五六七八九十])",
    re.IGNORECASE,
)
_FINISHED = re.compile(r"[✅✓✔]|\b(?:completed?|done|finished|shipped|when)\b", re.IGNORECASE)
STORY = re.compile(
    r"(?:\bstor(?:y|ies)|\bUS|用户故事|ユーザーストーリー|hist[oó]ria de usu[aá]rio)\s*-?#?(\d{1,4})",
    re.IGNORECASE,
)
PRIORITY = re.compile(r"\((?:priority|优先级|優先度|prioridad(?:e)?)?\s*[:：]?\s*(P\d)\b", re.IGNORECASE)


class Phase(msgspec.Struct):
    """Tasks between two barriers, or those of one story (`stories`), which runs beside the other stories.

    `after` are indexes of phases in the same block of stories that it waits for; `needs` are its other dependencies.
    """

    index: int
    title: str
    line: int
    stories: frozenset[int]
    priority: int
    steps: list[Step] = []
    keys: list[str] = []
    after: list[int] = []
    needs: list[str] = []
    block: int = 0

    @property
    def number(self) -> str:
        """The number in its title."""
        match = _PHASE.match(self.title)
        return (match["number"] or "") if match else ""

    @property
    def name(self) -> str:
        """Its name without number and remarks: `Setup`, `Tests First`."""
        plain = self.title.partition(":")[2] if ":" in self.title and is_phase(self.title) else self.title
        return without_remarks(plain[:500]).partition(" - ")[0].strip(" ⚠️🎯-–—:")


def rank(word: str) -> int:
    """The priority of P0 to P9: as everywhere, with lower ones than P4 read as P4."""
    return read_priority(f"P{min(int(word[1:]), 4)}")


def is_phase(title: str) -> bool:
    """Returns True if a heading marks a phase."""
    return _PHASE.match(title) is not None


def tell_empty(draft: Draft, found: Checklist, places: Iterable[int], left_out: Collection[int]) -> None:
    """Note the phases in which no task was read: `places` are the headings of tasks, `left_out` of other boxes."""
    used: set[int] = set()
    for at in (*places, *left_out):
        while at >= 0 and at not in used:
            used.add(at)
            at = found.above[at]
    text = {line.heading for line in found.loose}
    for at in range(len(found.headings) - 1, -1, -1):  # the text below a heading is that of those around it
        if at in text and found.above[at] >= 0:
            text.add(found.above[at])
    titles = [undecorated(heading.text[:300]) for heading in found.headings]
    numbers = {make_phase(0, titles[at], 0).number for at in used}
    empty = [
        at for at, title in enumerate(titles)
        if is_phase(title) and at not in used and at in text and make_phase(0, title, 0).number not in numbers
        and not _FINISHED.search(title)
    ]  # fmt: skip
    if empty:
        first = found.headings[empty[0]]
        phases = "1 phase has" if len(empty) == 1 else f"{len(empty)} phases have"
        said = f"{phases} no boxes (`- [ ]`), and so no tasks: {quoted(first.text)}{', ...' * (len(empty) > 1)}"
        draft.note(NoteKind.DROPPED, first.line, said)


def phase_heading(found: Checklist, heading: int) -> int:
    """The index of the heading of the phase around a place: one that says so, a story, else the outermost.

    It is -1 for none; the title of the file does not count.
    """
    around = []
    at = heading
    while at >= 0:
        if found.headings[at].level > 1:
            around.append(at)
        at = found.above[at]
    around.reverse()
    titles = [undecorated(found.headings[at].text[:300]) for at in around]
    for suits in (_PHASE.match, STORY.search):
        for at, title in zip(around, titles, strict=True):
            if suits(title):
                return at
    return around[0] if around else -1


def make_phase(index: int, title: str, line: int) -> Phase:
    """The phase of a heading."""
    stories = frozenset(int(number) for number in STORY.findall(title[:500]))
    priority = PRIORITY.search(title[:500])
    return Phase(index, title, line, stories, rank(priority[1]) if priority else 0)


def number_blocks(phases: Iterable[Phase]) -> None:
    """Number the blocks: adjacent stories form a block, every other phase is its own block."""
    block, stories = 0, False
    for phase in phases:
        if not (phase.stories and stories):
            block += 1
        stories = bool(phase.stories)
        phase.block = block


def name_phases(names: Names, phases: Iterable[Phase]) -> None:
    """Let dependencies name phases and stories."""
    for phase in phases:
        if phase.number:
            names.call(f"Phase {phase.number}", phase.keys)
        for story in sorted(phase.stories):
            for word in (f"US{story}", f"US {story}", f"User Story {story}"):
                names.call(word, phase.keys)


def follow(order: Order, phases: list[Phase]) -> None:
    """Make each phase wait for all before it; stories wait for one another only if they say so."""
    barrier: list[str] = []
    at = 0
    while at < len(phases):
        last = at
        while last < len(phases) and phases[last].block == phases[at].block:
            last += 1
        barrier = _block(order, phases[at:last], barrier)
        at = last


def _block(order: Order, phases: list[Phase], barrier: list[str]) -> list[str]:
    """Order the phases of a block. Returns the tasks that end it."""
    ends: dict[int, list[str]] = {}
    latest: dict[int, int] = {}
    for phase in phases:  # the second phase of a story waits for the first
        phase.after += [latest[story] for story in phase.stories if story in latest]
        latest.update(dict.fromkeys(phase.stories, phase.index))
    for phase in _sorted(phases):
        start = [key for index in dict.fromkeys(phase.after) for key in ends.get(index, ())]
        start = start or barrier
        if phase.needs:
            start = list(dict.fromkeys([*start, *phase.needs]))
        done = order.follow(phase.steps, start)
        ends[phase.index] = done if phase.keys else start
    covered = {index for phase in phases if phase.keys for index in phase.after}
    found = [key for phase in phases if phase.index not in covered for key in ends[phase.index]]
    return list(dict.fromkeys(found)) or barrier


def _sorted(phases: list[Phase]) -> list[Phase]:
    """The phases of a block, each after its dependencies; dependencies that form a cycle are left out."""
    by_index = {phase.index: phase for phase in phases}
    done: dict[int, bool] = {}
    out: list[Phase] = []
    for first in phases:
        stack = [(first, iter(first.after))]
        while stack:
            phase, rest = stack[-1]
            if phase.index not in done:
                done[phase.index] = False
            following = next((i for i in rest if i in by_index and i not in done), None)
            if following is not None:
                stack.append((by_index[following], iter(by_index[following].after)))
                continue
            stack.pop()
            if not done[phase.index]:
                done[phase.index] = True
                out.append(phase)
    return out
