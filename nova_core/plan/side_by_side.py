"""Finds tasks that can run at the same time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from nova_core.parser.cascade import Cascade

MAX_STEPS = 1_000_000  # edges walked in search of such tasks


class SideBySide:
    """Which tasks of a plan can run at the same time: no lock in common, neither waits for the other.

    Gives up after `MAX_STEPS` edges: from then on, no more pairs are found.
    """

    def __init__(self, cascade: Cascade) -> None:
        self._tasks = cascade.tasks
        self._dag = cascade.dag
        self._rank = {node: at for at, node in enumerate(cascade.dag.order)}
        self._steps = MAX_STEPS

    def pairs(self, ids: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Pairs of `ids`, each in plan order: topological neighbours without a link. At least one if there is any."""
        nodes = sorted((self._dag.index[task_id] for task_id in ids), key=self._rank.__getitem__)
        return self._free(pairwise(nodes))

    def pairs_between(self, some: Iterable[str], others: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Pairs of one of `some` and one of `others`, each in plan order."""
        index, others = self._dag.index, list(others)
        return self._free((index[one], index[other]) for one in some for other in others if one != other)

    def _free(self, nodes: Iterable[tuple[int, int]]) -> Iterator[tuple[str, str]]:
        for one, other in nodes:
            self._steps -= 1
            first, second = sorted((one, other), key=self._rank.__getitem__)
            if self._share_lock(first, second) or self._leads_to(first, second):
                continue
            if self._steps <= 0:
                return
            low, high = sorted((first, second))
            yield self._dag.ids[low], self._dag.ids[high]

    def _share_lock(self, first: int, second: int) -> bool:
        one, other = (self._tasks[self._dag.ids[node]].locks for node in (first, second))
        return not set(one).isdisjoint(other)

    def _leads_to(self, first: int, second: int) -> bool:
        """Returns True if `second` waits for `first`, directly or not: walks up to the rank of `first`."""
        limit, seen, stack = self._rank[first], {second}, [second]
        while stack and self._steps > 0:
            dependencies = self._dag.dependencies[stack.pop()]
            self._steps -= len(dependencies) + 1
            if first in dependencies:
                return True
            above = [d for d in dependencies if d not in seen and self._rank[d] > limit]
            seen.update(above)
            stack += above
        return False
