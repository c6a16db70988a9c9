"""Which items of a draft are inside which containers."""

from __future__ import annotations

from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.model import NoteKind

_DEEPEST = 64  # levels; deeper items become top-level


class Tree:
    """The containers of a draft: every item has a parent that exists, and no item is inside itself."""

    def __init__(self, draft: Draft) -> None:
        self.items = {item.key: item for item in draft.items}
        self._depth: dict[str, int] = {}
        for item in draft.items:
            self._place(draft, item)
        self.containers = {i.key for i in draft.items if i.container} | {i.parent for i in draft.items if i.parent}
        self.outermost_first = sorted(self.containers, key=self._depth.__getitem__)
        self.children: dict[str, list[str]] = {key: [] for key in self.containers}
        self.leaves = [item for item in draft.items if item.key not in self.containers]
        self.sizes = dict.fromkeys(self.containers, 0)  # number of leaves
        for item in draft.items:
            if item.parent:
                self.children[item.parent].append(item.key)
        for item in self.leaves:
            if item.parent:
                self.sizes[item.parent] += 1
        for key in reversed(self.outermost_first):
            if parent := self.items[key].parent:
                self.sizes[parent] += self.sizes[key]

    def _place(self, draft: Draft, item: Item) -> None:
        """Compute the item's depth, from the outermost container down; detach it if it is in a cycle or too deep."""
        chain: dict[str, Item] = {}
        at: Item | None = item
        while at is not None and at.key not in self._depth:
            chain[at.key] = at
            if at.parent and (at.parent not in self.items or at.parent in chain):
                why = "it is inside itself, through" if at.parent in chain else "there is no"
                draft.note(NoteKind.DROPPED, at.line, f"{at.key} is not a part: {why} {at.parent}", at.file)
                at.parent = ""
            at = self.items.get(at.parent)
        for found in reversed(chain.values()):
            depth = self._depth[found.parent] + 1 if found.parent else 0
            if depth > _DEEPEST:
                draft.note(NoteKind.DROPPED, found.line, f"{found.key} is nested too deeply to be a part", found.file)
                found.parent, depth = "", 0
            self._depth[found.key] = depth

    def missing(self, item: Item) -> tuple[str, ...]:
        """The missing dependencies of an item and of its containers; a settled item has only its own."""
        found = list(item.missing)
        while item.parent and item.state is ItemState.OPEN:
            item = self.items[item.parent]
            found += item.missing
        return tuple(dict.fromkeys(found))

    def is_inside(self, key: str, container: str) -> bool:
        """Returns True if an item is the container itself, or somewhere inside it."""
        while key and key != container:
            key = self.items[key].parent if key in self.items else ""
        return bool(key)
