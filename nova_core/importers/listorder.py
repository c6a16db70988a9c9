"""What sentences about the order of a numbered list may change: which tasks and sections wait for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nova_core.importers.checklist import Checklist
from nova_core.importers.draft import Draft
from nova_core.importers.heads import read_head
from nova_core.importers.lists import Todo
from nova_core.importers.refs import Names
from nova_core.importers.sentences import Needs, Things
from nova_core.parser.cells import undecorated

_MOST_NAMED = 200  # headings that sentences may name
_SHORTEST = 4  # characters of a heading that sentences may name


class ListOrder:
    """The tasks and sections of a list by the names in sentences."""

    def __init__(self, draft: Draft, found: Checklist, names: Names, todos: Sequence[Todo]) -> None:
        self._draft, self._names = draft, names
        self._items = {todo.key: todo.item for todo in todos}
        self._needs = Needs(draft, [todo.item for todo in todos])
        self._below: dict[int, list[str]] = {}
        for todo in todos:
            at = todo.box.heading if todo.box and not todo.item.parent else -1
            while at >= 0:
                self._below.setdefault(at, []).append(todo.key)
                at = found.above[at]
        titles = [read_head(undecorated(found.headings[at].text)).title for at in self._below]
        counts = Counter(titles)
        named = [title for title in titles if len(title) >= _SHORTEST and counts[title] == 1]
        self.words: Sequence[str] = named[:_MOST_NAMED]
        known = frozenset(self.words)
        for at, title in zip(self._below, titles, strict=True):
            if title in known:
                names.call(title, self._below[at])

    def below(self, heading: int) -> Things:
        """The tasks below a heading."""
        return Things([], self._below.get(heading, []))

    def things(self, name: str) -> Things | None:
        """The tasks of a name."""
        keys, unknown = self._names.read(name.strip().removesuffix("+"))
        return None if unknown or not keys or name.endswith("+") else Things([], keys)

    def wait(self, line: int, users: Things, needs: Things, *, dry: bool) -> bool:
        """Make tasks wait for others."""
        waiting, wanted = self._members(users), self._members(needs)
        if not set(waiting).isdisjoint(wanted):
            return False
        for key in () if dry else waiting:
            self._needs.add(line, self._items[key], needs.tasks)
        return True

    def drop_circles(self) -> set[int]:
        """Remove contradictions between sentences, or with the tasks."""
        return self._needs.drop_circles()

    def _members(self, things: Things) -> list[str]:
        return [key for need in things.tasks for key in self._draft.sets.get(need, [need])]
