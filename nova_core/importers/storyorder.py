"""What sentences about the order of a spec-kit plan may change: which stories and tasks wait for which."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nova_core.importers.checklist import Checklist
from nova_core.importers.draft import Draft, ItemState
from nova_core.importers.lists import Todo
from nova_core.importers.order import circling
from nova_core.importers.phases import PRIORITY, Phase
from nova_core.importers.refs import Names
from nova_core.importers.sentences import Needs, Things
from nova_core.model import NoteKind
from nova_core.parser.findings import quoted

_RANKED = re.compile(r"\bP\d\b", re.IGNORECASE)
_PHASES = re.compile(r"phases?\s*[-#]?\s*(?P<numbers>.*?)(?P<open>\+?)\Z", re.IGNORECASE)
_STORIES = re.compile(r"(?:user\s+)?stor(?:y|ies)|US", re.IGNORECASE)
_SPAN = re.compile(
    r"\s*(?:[-–—]|\bto\b|\bthrough\b|\bthru\b)\s*(?:phases?|(?:user\s+)?stor(?:y|ies)|US)?\s*-?", re.IGNORECASE
)
_JOINT = re.compile(r"\s*(?:,\s*and\b|,|\band\b|&|\+)\s*", re.IGNORECASE)
_MOST_LINKS = 100_000  # pairs of phases, and of tasks and phases
_MOST_SPAN = 1_000


class StoryOrder:
    """The phases and tasks of a plan by the names in sentences."""

    def __init__(
        self,
        draft: Draft,
        found: Checklist,
        names: Names,
        phases: Sequence[Phase],
        todos: Sequence[Todo],
        places: dict[str, int],
    ) -> None:
        self._draft, self._names, self._phases = draft, names, phases
        self._todos = {todo.key: todo for todo in todos}
        self._phase_of = {key: phase.index for phase in phases for key in phase.keys}
        self._by_number = {phase.number: phase.index for phase in phases if phase.number}
        self._by_story: dict[int, list[int]] = {}
        for phase in phases:
            for story in phase.stories:
                self._by_story.setdefault(story, []).append(phase.index)
        self._by_name = _named(phases)
        self._below: dict[int, list[str]] = {}
        for todo in todos:
            at = places[todo.key]
            while at >= 0:
                self._below.setdefault(at, []).append(todo.key)
                at = found.above[at]
        self._links = 0
        self._needs = Needs(draft, [todo.item for todo in todos])
        self._after: list[tuple[int, Phase, int]] = []

    @property
    def words(self) -> Sequence[str]:
        """The names of phases without their numbers: their first words."""
        return [word for word, index in self._by_name.items() if index >= 0]

    def below(self, heading: int) -> Things:
        """The phases whose tasks are all below a heading, else those tasks."""
        keys = self._below.get(heading, [])
        inside = {self._phase_of[key] for key in keys}
        if sum(len(self._phases[at].keys) for at in inside) == len(keys):
            return Things(sorted(inside), [])
        return Things([], keys)

    def things(self, name: str) -> Things | None:
        """The phases or tasks of a name."""
        text = name.strip()
        if self._by_name.get(text.casefold().removesuffix(" phase"), -1) >= 0:
            return Things([self._by_name[text.casefold().removesuffix(" phase")]], [])
        if match := _PHASES.fullmatch(text):
            return self._numbered(match["numbers"], {key: [at] for key, at in self._by_number.items()}, match["open"])
        if _STORIES.search(text):
            if not re.search(r"\d", _RANKED.sub("", text)):
                return self._stories(text)
            numbers = _STORIES.split(text, maxsplit=1)[1].lstrip(" -#")
            return self._numbered(numbers, {str(number): at for number, at in self._by_story.items()})
        keys, unknown = self._names.read(text)
        if unknown:
            return Things([], [text]) if re.match(r"(?:tasks?\s+)?#?T-?\d", text, re.IGNORECASE) else None
        return Things([], keys)

    def _numbered(self, text: str, known: dict[str, list[int]], open_end: str = "") -> Things | None:
        found: list[int] = []
        for piece in _JOINT.split(text):
            first, *last = _SPAN.sub("-", piece, count=1).split("-", 1)
            if first not in known or (last and last[0] not in known):
                return None
            found += known[first]
            if last and first.isdigit() and last[0].isdigit():
                if not 0 <= int(last[0]) - int(first) < _MOST_SPAN:
                    return None
                for number in range(int(first) + 1, int(last[0]) + 1):
                    found += known.get(str(number), [])
            elif last:
                found += range(known[first][0], known[last[0]][0] + 1)
        if open_end:
            found = [phase.index for phase in self._phases[found[0] :] if phase.stories]
        return Things(list(dict.fromkeys(found)), [])

    def _stories(self, text: str) -> Things | None:
        """All stories, or those of the named priorities."""
        ranks = {rank.upper() for rank in _RANKED.findall(text)}
        stories = [(phase.index, PRIORITY.search(phase.title[:500])) for phase in self._phases if phase.stories]
        found = [index for index, rank in stories if not ranks or (rank and rank[1].upper() in ranks)]
        return Things(found, []) if found else None

    def wait(self, line: int, users: Things, needs: Things, *, dry: bool) -> bool:
        """Make some wait for others, unless the order of the phases does so already."""
        self._links += len(users.phases) * len(needs.phases) + len(users.tasks)
        if self._links > _MOST_LINKS:
            return False
        some = [at for at in users.phases if at not in needs.phases]
        others = [at for at in needs.phases if at not in users.phases]
        if len(some) < len(users.phases):  # `US1 before all stories`: before all other stories
            if bool(some) == bool(others):
                return False
            some, others = some or users.phases, others or needs.phases
        return (
            all(self._phase_waits(line, at, need, dry=dry) for at in some for need in others)
            and all(self._phase_waits_for_tasks(at, needs.tasks, dry=dry) for at in some)
            and self._tasks_wait(line, self._members(users.tasks), needs, dry=dry)
        )

    def _phase_waits(self, line: int, user: int, need: int, *, dry: bool) -> bool:
        first, second = self._phases[user], self._phases[need]
        if second.block != first.block:
            return second.block < first.block
        if not dry and need not in first.after:
            first.after.append(need)
            self._after.append((line, first, need))
        return True

    def _phase_waits_for_tasks(self, user: int, names: Sequence[str], *, dry: bool) -> bool:
        phase = self._phases[user]
        keys = self._members(names)
        if any(key not in self._phase_of or self._block_of(key) > phase.block for key in keys):
            return False
        if not dry:
            phase.needs += [k for k in keys if self._block_of(k) == phase.block and self._phase_of[k] != user]
        return True

    def _tasks_wait(self, line: int, users: Sequence[str], needs: Things, *, dry: bool) -> bool:
        if any(user not in self._todos for user in users):
            return False
        wanted = self._members(needs.tasks)
        unknown = [key for key in wanted if key not in self._todos]
        if not set(wanted).isdisjoint(users):
            return False
        if dry:
            return True
        last = max((self._block_of(key) for key in wanted if key in self._todos), default=0)
        for user in users:
            item = self._todos[user].item
            if last >= self._block_of(user):
                self._needs.add(line, item, [name for name in needs.tasks if name not in unknown])
            for at in needs.phases:
                if self._phases[at].block >= self._block_of(user) and at != self._phase_of[user]:
                    self._needs.add(line, item, self._phases[at].keys)
            for word in unknown if item.state is ItemState.OPEN else ():
                item.missing.append(word[:100])
                text = f"{user} depends on {quoted(word)}: there is none"
                self._draft.note(NoteKind.UNRESOLVED, line, text)
        return True

    def _block_of(self, key: str) -> int:
        return self._phases[self._phase_of[key]].block

    def drop_circles(self) -> set[int]:
        """Remove contradictions between sentences, or with the tasks: `T020-T027 before T023-T029`."""
        told = self._needs.drop_circles()
        after = {str(phase.index): list(map(str, phase.after)) for phase in self._phases}
        circle = circling(after) if self._after else set()
        for line, phase, index in self._after:
            if str(phase.index) in circle and str(index) in circle:
                phase.after.remove(index)
                told.add(line)
        return told

    def _members(self, needs: Sequence[str]) -> list[str]:
        return [key for need in needs for key in self._draft.sets.get(need, [need])]


def _named(phases: Sequence[Phase]) -> dict[str, int]:
    """The phases by the first word of their names; -1 for a word of several."""
    found: dict[str, int] = {}
    for phase in phases:
        word = phase.name.split(" ")[0].casefold()
        if len(word) > 3 and word.isalpha() and not phase.stories and word not in ("phase", "user", "tasks"):
            found[word] = -1 if word in found else phase.index
    if "foundational" in found:
        found.setdefault("foundation", found["foundational"])
    return found
