"""The dependency graph: one pass of Kahn's algorithm; everything else walks in that order. O(V + E)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

COMPLETED = "completed"
PENDING = "pending"


class CycleError(ValueError):
    """The graph has a cycle; `path` holds its ids, the first repeated at the end."""

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(path)
        super().__init__("cyclic dependency: " + " -> ".join(self.path))


class DAG:
    """An immutable graph of task ids, in plan order.

    Give it `{id: ids it depends on}`; every id named must be a key. Raises `CycleError` for a cycle, `KeyError` for an
    unknown id.
    """

    def __init__(self, depends_on: Mapping[str, Iterable[str]]) -> None:
        self.ids = list(depends_on)
        self.index = {task_id: i for i, task_id in enumerate(self.ids)}
        number = self.index.__getitem__
        self.dependencies = [list(dict.fromkeys(map(number, deps))) for deps in depends_on.values()]
        self.dependents: list[list[int]] = [[] for _ in self.ids]
        for i, deps in enumerate(self.dependencies):
            for d in deps:
                self.dependents[d].append(i)
        self.order = self._topological_order()
        self._depths = self._count_depths()

    def __len__(self) -> int:
        return len(self.ids)

    def _topological_order(self) -> list[int]:
        waiting = [len(deps) for deps in self.dependencies]
        order = [i for i, n in enumerate(waiting) if not n]
        for i in order:
            for s in self.dependents[i]:
                waiting[s] -= 1
                if not waiting[s]:
                    order.append(s)
        if len(order) < len(self.ids):
            raise CycleError(self._find_cycle(waiting))
        return order

    def _find_cycle(self, waiting: Sequence[int]) -> list[str]:
        """Walk back among the nodes Kahn could not free: each has an unfreed dependency, so the walk must repeat."""
        node = next(i for i, n in enumerate(waiting) if n)
        seen: dict[int, int] = {}
        path: list[int] = []
        while node not in seen:
            seen[node] = len(path)
            path.append(node)
            node = next(d for d in self.dependencies[node] if waiting[d])
        cycle = path[seen[node] :]
        first = min(range(len(cycle)), key=cycle.__getitem__)
        cycle = cycle[first:] + cycle[:first]
        return [self.ids[i] for i in [*cycle, cycle[0]]]

    def _count_depths(self) -> list[int]:
        depths = [0] * len(self.ids)
        for i in self.order:
            below = depths[i] + 1
            for s in self.dependents[i]:
                if depths[s] < below:
                    depths[s] = below
        return depths

    def get_ready_tasks(self, statuses: Mapping[str, str]) -> list[str]:
        """Ids in plan order that are pending (or not in `statuses`) and whose dependencies are all completed."""
        done = [statuses.get(task_id, PENDING) == COMPLETED for task_id in self.ids]
        return [
            task_id
            for i, task_id in enumerate(self.ids)
            if statuses.get(task_id, PENDING) == PENDING and all(done[d] for d in self.dependencies[i])
        ]

    def get_task_depth(self, task_id: str) -> int:
        """Longest chain of dependencies above the task, 0 if it has none. Raises `KeyError` for an unknown id."""
        return self._depths[self.index[task_id]]

    @property
    def depth(self) -> int:
        """Number of layers: 0 for an empty graph, 1 when nothing depends on anything."""
        return max(self._depths, default=-1) + 1

    @property
    def widest_wave(self) -> int:
        """The largest number of tasks that share a depth."""
        counts = [0] * self.depth
        for d in self._depths:
            counts[d] += 1
        return max(counts, default=0)

    def remaining_paths(self, weights: Sequence[float]) -> list[float]:
        """For each task, by index: its own weight plus the heaviest chain of dependents below it."""
        longest = [0.0] * len(self.ids)
        for i in reversed(self.order):
            below = 0.0
            for s in self.dependents[i]:
                if longest[s] > below:
                    below = longest[s]
            longest[i] = weights[i] + below
        return longest

    def critical_path(self, weights: Sequence[float]) -> list[str]:
        """Ids of one heaviest chain from a root to a leaf; ties go to plan order."""
        if not self.ids:
            return []
        longest = self.remaining_paths(weights)
        node: int | None = max((i for i, d in enumerate(self._depths) if d == 0), key=lambda i: longest[i])
        path = []
        while node is not None:
            path.append(self.ids[node])
            node = max(self.dependents[node], key=lambda i: longest[i], default=None)
        return path

    def ancestors(self, ids: Iterable[str]) -> set[str]:
        """All tasks that the given tasks depend on, directly or not, without the given tasks themselves."""
        return self._closure(ids, self.dependencies)

    def descendants(self, ids: Iterable[str]) -> set[str]:
        """All tasks that depend on the given tasks, directly or not, without the given tasks themselves."""
        return self._closure(ids, self.dependents)

    def _closure(self, ids: Iterable[str], edges: Sequence[Sequence[int]]) -> set[str]:
        start = [self.index[task_id] for task_id in ids]
        seen = set(start)
        stack = list(start)
        while stack:
            for n in edges[stack.pop()]:
                if n not in seen:
                    seen.add(n)
                    stack.append(n)
        return {self.ids[i] for i in seen.difference(start)}
