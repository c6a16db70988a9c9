"""Orders the tasks of a list by its graph: wave after wave; tasks outside of it by their place in the file."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from itertools import pairwise

from nova_core.importers.lists import Todo
from nova_core.importers.nested import Nested
from nova_core.importers.waves import Graph, Wave
from nova_core.model import NoteKind
from nova_core.parser.findings import quoted


class Placing:
    """Places every task of a plan by its graph."""

    def __init__(self, plan: Nested, graph: Graph) -> None:
        self._plan, self._draft, self._graph = plan, plan.draft, graph
        self._items = {todo.key: todo.item for todo in plan.leaves}
        self._order = plan.arranged(moving=False)
        self._level: dict[str, int] = {}
        self._leaves: dict[str, list[str]] = {}
        parents = {todo.key: todo.item.parent for todo in plan.todos.values()}
        for todo in plan.leaves:
            parent = todo.item.parent
            while parent:
                self._leaves.setdefault(parent, []).append(todo.key)
                parent = parents[parent]

    def place(self) -> None:
        """Add the dependencies, and notes on guesses."""
        known = self._waves() if self._graph.waves else self._arrows()
        if not known:
            text = "the graph names no task of this file; the order of the file is used"
            self._draft.note(NoteKind.GUESSED, self._graph.line, text)
            self._order.follow(self._plan.steps, [])
            return
        self._place_others()

    def _waves(self) -> bool:
        ends: dict[str, list[str]] = {}
        levels: dict[str, int] = {}
        before: list[str] = []
        level = 0
        for wave in self._graph.waves:
            start, level = self._start(wave, before, ends, levels, level)
            members = self._members(wave)
            for need in [] if not members else start:
                for key in members:
                    self._order.wait(self._items[key], ends[need])
            for key in members:
                self._level[key] = level
            if members:
                before = [wave.name]
            ends[wave.name] = members or [key for need in start for key in ends[need]]
            levels[wave.name] = level
        return bool(self._level)

    def _start(
        self, wave: Wave, before: list[str], ends: dict[str, list[str]], levels: dict[str, int], level: int
    ) -> tuple[list[str], int]:
        """The end of the waves that a wave waits for, and its depth in the graph."""
        if wave.after is None:
            return before, level + 1
        known = [name for name in wave.after if name in ends]
        for name in wave.after:
            if name not in ends:
                text = f"wave {quoted(wave.name)} depends on wave {quoted(name)}, which is not above it"
                self._draft.note(NoteKind.UNRESOLVED, wave.line, text)
                wave.tasks = list(wave.tasks)
                for key in self._members(wave, quiet=True):
                    self._items[key].missing.append(f"wave {name}"[:100])
        return known, 1 + max((levels[name] for name in known), default=0)

    def _members(self, wave: Wave, *, quiet: bool = False) -> list[str]:
        """The tasks of a wave, each once; a parent stands for all of its tasks, in sequence."""
        found: dict[str, None] = {}
        for word in wave.tasks:
            key = self._plan.names.key(word)
            if not key:
                if not quiet:
                    text = f"wave {quoted(wave.name)} names {quoted(word)}: there is no such task"
                    self._draft.note(NoteKind.UNRESOLVED, wave.line, text)
                continue
            for leaf in [key] if key in self._items else self._leaves.get(key, []):
                if leaf not in self._level:
                    found[leaf] = None
                elif key == leaf and not quiet:
                    self._draft.note(NoteKind.GUESSED, wave.line, f"{leaf} is in two waves: the first one counts")
            if key not in self._items and not quiet:
                self._in_a_row(key)
        return list(found)

    def _in_a_row(self, parent: str) -> None:
        leaves = [key for key in self._leaves.get(parent, []) if key not in self._level]
        for first, second in pairwise(leaves):
            self._order.wait(self._items[second], [first])

    def _arrows(self) -> bool:
        """Add dependencies from arrows; they define the depth of each task."""
        after: dict[str, list[str]] = {}
        for line, left, right in self._graph.arrows:
            firsts, unknown = self._plan.names.read(left)
            seconds, others = self._plan.names.read(right)
            for word in (*unknown, *others):
                self._draft.note(NoteKind.UNRESOLVED, line, f"the graph names {quoted(word)}: there is no such task")
            for second in self._spread(seconds):
                for first in self._spread(firsts):
                    if first != second:
                        after.setdefault(first, []).append(second)
                        self._order.wait(self._items[second], [first])
        self._sound(after)
        return bool(after)

    def _spread(self, needs: list[str]) -> list[str]:
        """The tasks of keys, parents and sets."""
        keys = [key for need in needs for key in self._draft.sets.get(need, [need])]
        return [leaf for key in keys for leaf in ([key] if key in self._items else self._leaves.get(key, []))]

    def _sound(self, after: dict[str, list[str]]) -> None:
        """Compute the longest chain of arrows to each task."""
        left = dict.fromkeys(after, 0)
        for users in after.values():
            for key in users:
                left[key] = left.get(key, 0) + 1
        ready = deque(key for key, count in left.items() if not count)
        self._level = dict.fromkeys(left, 1)
        while ready:
            key = ready.popleft()
            for user in after.get(key, ()):
                self._level[user] = max(self._level[user], self._level[key] + 1)
                left[user] -= 1
                if not left[user]:
                    ready.append(user)

    def _place_others(self) -> None:
        """A task outside of the graph comes after all above it, and before tasks below it in later waves.

        Not before all below it: a wave may hold tasks from both sides of a checkpoint.
        """
        highest = 0
        since: list[str] = []
        others: list[Todo] = []
        levels: list[int] = []
        for todo in self._plan.leaves:
            level = self._level.get(todo.key, 0)
            if level:
                highest = max(highest, level)
                if at := bisect_left(levels, level):
                    self._order.wait(todo.item, [others[at - 1].key])
                since.append(todo.key)
                continue
            self._order.wait(todo.item, [*([others[-1].key] if others else []), *since])
            others.append(todo)
            levels.append(highest)
            since = []
            text = f"{todo.key} is in no wave: it comes after all tasks above, and before those below in later waves"
            self._draft.note(NoteKind.GUESSED, todo.item.line, text)
