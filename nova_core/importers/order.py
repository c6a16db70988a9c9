"""Turns the order of a list into dependencies: one after the other, except steps marked as parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from nova_core.importers.draft import Draft, Item


class Step(msgspec.Struct):
    """A task, or a group of steps.

    A `parallel` step does not wait for parallel neighbours. A `free` step names its own dependencies, and the next step
    waits for it.
    """

    item: Item | None = None
    parallel: bool = False
    free: bool = False
    steps: list[Step] = []


class Order:
    """Adds dependencies to items. Several needed together become a named set of the draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._keys = {item.key for item in draft.items}
        self._names: dict[int, tuple[list[str], str]] = {}

    def follow(self, steps: Iterable[Step], start: list[str]) -> list[str]:
        """Make each step wait for those before it, the first for `start`. Returns the keys at the end.

        A run of parallel steps starts after the last step before them that is not parallel; the next such step waits
        for the whole run.
        """
        base, loose = start, False
        run: list[str] = []
        for step in steps:
            if step.free:
                run += self._take(step, start)
                loose = True
            elif step.parallel:
                run += self._take(step, base)
            else:
                before = [*run, *base] if loose else (run or base)
                ends = self._take(step, before)
                if ends:
                    base, run, loose = ends, [], False
        if loose and base is not start:
            return [*run, *base]
        return run or base

    def wait(self, item: Item, before: list[str]) -> None:
        """Make an item need all of `before`."""
        needs = before if len(before) < 2 else [self._named(before)]
        item.needs += [need for need in needs if need != item.key and need not in item.needs]

    def _take(self, step: Step, before: list[str]) -> list[str]:
        if step.item is not None:
            self.wait(step.item, before)
            return [step.item.key]
        ends = self.follow(step.steps, before)
        return [] if ends is before else ends

    def _named(self, keys: list[str]) -> str:
        """The set of these keys. The same list is requested repeatedly, so it is recognized by identity."""
        known = self._names.get(id(keys))
        if known is not None and known[0] is keys:
            return known[1]
        name = f"{keys[0]} to {keys[-1]}"
        number = 1
        while name in self._keys or self._draft.sets.get(name, keys) != keys:
            number += 1
            name = f"{keys[0]} to {keys[-1]} ({number})"
        self._draft.sets[name] = keys
        self._names[id(keys)] = keys, name
        return name


def late(keys: Sequence[str], needs: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, int]]:
    """New places for tasks that wait for a later one: the position of the later one, and the number of steps after it.

    `needs` are the dependencies of keys, and the members of sets. Tasks in a cycle stay in place.
    """
    position = {key: at for at, key in enumerate(keys)}
    waiting = {key: len(wanted) for key, wanted in needs.items()}
    users: dict[str, list[str]] = {}
    for key, wanted in needs.items():
        for need in wanted:
            users.setdefault(need, []).append(key)
    ready = deque(key for key in (*keys, *(k for k in users if k not in position)) if not waiting.get(key))
    place: dict[str, tuple[int, int]] = {}
    found: dict[str, tuple[int, int]] = {}
    while ready:
        key = ready.popleft()
        own = (position.get(key, -1), 0)
        most = max((place[need] for need in needs.get(key, ())), default=own)
        if most > own:
            own = (most[0], most[1] + (key in position))
            if key in position:
                found[key] = own
        place[key] = own
        for user in users.get(key, ()):
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return found


def circling(needs: Mapping[str, Sequence[str]]) -> set[str]:
    """The keys that are part of a cycle, or wait for one."""
    waiting = {key: len(wanted) for key, wanted in needs.items()}
    users: dict[str, list[str]] = {}
    for key, wanted in needs.items():
        for need in wanted:
            users.setdefault(need, []).append(key)
    ready = [key for key in users if not waiting.get(key)]
    while ready:
        for user in users.get(ready.pop(), ()):
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return {key for key, count in waiting.items() if count}


def moved(steps: list[Step], places: Mapping[str, tuple[int, int]], keys: Sequence[str]) -> None:
    """Move these steps behind their dependencies, and remove the order with their neighbours there."""
    if not places:
        return
    behind: dict[str, list[tuple[int, Step]]] = {}
    _cut(steps, places, keys, behind)
    _paste(steps, behind)


def _cut(
    steps: list[Step],
    places: Mapping[str, tuple[int, int]],
    keys: Sequence[str],
    behind: dict[str, list[tuple[int, Step]]],
) -> None:
    kept = []
    for step in steps:
        place = places.get(step.item.key) if step.item else None
        if place is None:
            kept.append(step)
            _cut(step.steps, places, keys, behind)
        else:
            step.free = not step.parallel
            behind.setdefault(keys[place[0]], []).append((place[1], step))
    steps[:] = kept


def _paste(steps: list[Step], behind: Mapping[str, list[tuple[int, Step]]]) -> None:
    out = []
    for step in steps:
        out.append(step)
        _paste(step.steps, behind)
        if step.item and step.item.key in behind:
            out += [other for _, other in sorted(behind[step.item.key], key=lambda found: found[0])]
    steps[:] = out
