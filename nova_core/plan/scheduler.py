"""Chooses the task to start next: the ready one with the longest remaining path within the limits. Pure, O(V + E)."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import fsum

import msgspec

from nova_core.dag import DAG
from nova_core.model import Task


class Limits(msgspec.Struct, frozen=True):
    """Limits besides the number of workers. `cpu` is in cores, `memory` in bytes; 0 means no limit."""

    branches: Mapping[str, int] = {}
    groups: Mapping[str, int] = {}
    cpu: float = 0.0
    memory: int = 0


_Rank = tuple[int, float, int]


class Frontier:
    """Counts how many dependencies each task still waits for."""

    def __init__(self, dag: DAG, completed: Collection[str]) -> None:
        self._dag = dag
        self._done = [task_id in completed for task_id in dag.ids]
        self._waiting = [sum(not self._done[d] for d in deps) for deps in dag.dependencies]

    def is_free(self, index: int) -> bool:
        """Returns True if all dependencies are completed."""
        return not self._waiting[index]

    def complete(self, index: int) -> list[int]:
        """Mark a task completed; returns the tasks that became ready, in plan order."""
        if self._done[index]:
            return []
        self._done[index] = True
        freed = []
        for s in self._dag.dependents[index]:
            self._waiting[s] -= 1
            if not self._waiting[s]:
                freed.append(s)
        return freed

    def reopen(self, index: int) -> None:
        """Mark a completed task as not completed."""
        if self._done[index]:
            self._done[index] = False
            for s in self._dag.dependents[index]:
                self._waiting[s] += 1


class ReadyQueue:
    """The ready tasks. `pop` returns the best one that the limits allow; `finish` releases what a task held.

    A task over a limit is parked with that limit and checked again when it frees up, so thousands of parked tasks cost
    nothing. A demand above a limit counts as the whole limit: the task runs alone rather than never.
    """

    def __init__(self, dag: DAG, tasks: Mapping[str, Task], weights: Sequence[float], limits: Limits) -> None:
        longest = dag.remaining_paths(weights)
        self._rank = [(-tasks[t].priority, -longest[i], i) for i, t in enumerate(dag.ids)]
        self._capacity: dict[str, float] = {}
        self._free: dict[str, float] = {}
        self._needs = [self._needs_of(tasks[t], limits) for t in dag.ids]
        self._parked: dict[str, dict[float, list[_Rank]]] = {name: {} for name in self._capacity}  # by amount
        self._ready: list[_Rank] = []
        self._members: set[int] = set()

    def _needs_of(self, task: Task, limits: Limits) -> tuple[tuple[str, float], ...]:
        wanted = [(f"lock {name}", 1.0, 1.0) for name in dict.fromkeys(task.locks)]
        if task.branch in limits.branches:
            wanted.append((f"branch {task.branch}", 1.0, limits.branches[task.branch]))
        if task.group in limits.groups:
            wanted.append((f"group {task.group}", 1.0, limits.groups[task.group]))
        if limits.cpu and task.cpu:
            wanted.append(("cpu", task.cpu, limits.cpu))
        if limits.memory and task.memory:
            wanted.append(("memory", task.memory, limits.memory))
        for name, _, capacity in wanted:
            self._capacity[name] = self._free[name] = float(capacity)
        return tuple((name, min(float(amount), float(capacity))) for name, amount, capacity in wanted)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, index: int) -> bool:
        return index in self._members

    def push(self, index: int) -> None:
        """Add a ready task. Adding it twice is harmless."""
        if index not in self._members:
            self._members.add(index)
            heapq.heappush(self._ready, self._rank[index])

    def discard(self, index: int) -> None:
        """Remove a task from the queue (its entry is dropped when `pop` meets it)."""
        self._members.discard(index)

    def pop(self) -> int | None:
        """Returns the best task that may start now and takes what it needs; None if there is none."""
        while self._ready:
            item = heapq.heappop(self._ready)
            index = item[2]
            if index not in self._members:  # discarded: wake the task parked behind it instead
                self._wake(name for name, _ in self._needs[index])
                continue
            lacking = next((name for name, amount in self._needs[index] if self._free[name] < amount - 1e-9), None)
            if lacking is None:
                self._members.discard(index)
                self._take(index)
                return index
            amount = dict(self._needs[index])[lacking]
            heapq.heappush(self._parked[lacking].setdefault(amount, []), item)
            self._wake(name for name, _ in self._needs[index] if name != lacking)
        return None

    def take(self, index: int) -> None:
        """Count a task that already runs (adopted after a restart)."""
        self.discard(index)
        self._take(index)

    def finish(self, index: int) -> None:
        """The task no longer runs: release what it held."""
        for name, amount in self._needs[index]:
            self._free[name] += amount
        self._wake(name for name, _ in self._needs[index])

    def held_back_by(self, index: int) -> str | None:
        """Returns the limit a ready task waits for, None if there is none."""
        for name, amount in self._needs[index]:
            if self._free[name] < amount - 1e-9:
                return name
        return None

    def is_limited(self, index: int) -> bool:
        """Returns True if the task needs something that is limited."""
        return bool(self._needs[index])

    def _take(self, index: int) -> None:
        for name, amount in self._needs[index]:
            self._free[name] -= amount
        self._wake(name for name, _ in self._needs[index])

    def _wake(self, names: Iterable[str]) -> None:
        """Make the best task parked with each limit that now has room ready again.

        When that task is taken or parked again, the next one is woken, so no small task waits behind a large one.
        """
        for name in names:
            room = self._free[name] + 1e-9
            fitting = [parked for amount, parked in self._parked[name].items() if parked and amount <= room]
            if fitting:
                heapq.heappush(self._ready, heapq.heappop(min(fitting)))


def weights(dag: DAG, tasks: Mapping[str, Task], history: Mapping[str, float]) -> list[float]:
    """Returns the expected seconds of each task, by index: its last duration, the plan's, or the average of these.

    Without any duration every task weighs the same, so the longest path is the one with most tasks. Gates weigh
    nothing.
    """
    known = [0.0 if tasks[i].gate else history.get(i, tasks[i].duration) for i in dag.ids]
    figures = [k for k, i in zip(known, dag.ids, strict=True) if k is not None and not tasks[i].gate]
    default = fsum(figures) / len(figures) if figures else 1.0
    return [max(default if k is None else k, 1e-6) for k in known]
