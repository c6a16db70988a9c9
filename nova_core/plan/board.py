"""Knows what could start now: keeps the plan, the state of its tasks and the ready queue together."""

from __future__ import annotations

from typing import Any

from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.plan.blocked import blockers, newly_blocked
from nova_core.plan.scheduler import Frontier, Limits, ReadyQueue
from nova_core.plan.selection import Selection
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import NEW, TaskState, TaskStatus
from nova_core.state.store import Store
from nova_core.text import number_of


class Board:
    """Keeps frontier, queue and `blocked_by` in step with the store. Changes tasks only through `record`."""

    def __init__(
        self, cascade: Cascade, store: Store, selection: Selection, limits: Limits, weights: list[float]
    ) -> None:
        self.store = store
        self.selection = selection
        self.running: set[str] = set()
        self.leaving: set[str] = set()  # running, but removed from the plan
        self.missed: frozenset[str] = frozenset()  # done without their outputs, which were gone before this run
        self.asks = False  # ask for the approval of tasks that could start
        self.take_plan(cascade, limits, weights)

    def take_plan(self, cascade: Cascade, limits: Limits, weights: list[float]) -> None:
        """Use this plan, which has every running task. Raises `UsageError` for a selection it does not have."""
        self.selected = set(self.selection.ids(cascade))
        self.cascade = cascade
        self.dag = cascade.dag
        self._limits = limits
        self._weights = weights
        self._gates = [i for i in map(self.dag.ids.__getitem__, self.dag.order) if cascade.tasks[i].gate]
        self.selected.update(self._gates)  # gates are always selected: other tasks wait for them
        self.rebuild()

    @property
    def work(self) -> list[str]:
        """The selected tasks, without gates and without tasks removed from the plan."""
        return [i for i in self.selected if not self.cascade.tasks[i].gate and i not in self.leaving]

    @property
    def counted(self) -> list[str]:
        """The tasks that a run's result counts: its work, and failed gates that selected tasks wait for."""
        shut = (i for i in self._gates if self.state(i).status is TaskStatus.FAILED)
        return [*self.work, *(i for i in shut if self._keeps_waiting(i))]

    def _keeps_waiting(self, gate: str) -> bool:
        below = (self.dag.ids[i] for i in self.dag.dependents[self.dag.index[gate]])
        return any(i in self.selected for i in below)

    def task(self, task_id: str) -> Task:
        """Returns the task as planned."""
        return self.cascade.tasks[task_id]

    def state(self, task_id: str) -> TaskState:
        """Returns the state of the task."""
        return self.store.tasks.get(task_id, NEW)

    def record(self, kind: EventKind, task_id: str, message: str = "", **patch: Any) -> Event:
        """Record a change of a task."""
        return self.store.record(kind, task_id, message, **patch)

    def rebuild(self) -> None:
        """Recompute everything from the store: after a start, a reset, or a change by another program. O(V + E)."""
        for task_id in self._gates:
            state = self.state(task_id)
            if state.status is TaskStatus.COMPLETED and not state.skipped and self.unmet(task_id):
                self.record(EventKind.TASK_RESET, task_id, f"{task_id} is closed again", status=TaskStatus.PENDING)
        done = {i for i in self.dag.ids if self.state(i).status is TaskStatus.COMPLETED}
        self.frontier = Frontier(self.dag, done)
        self.queue = ReadyQueue(self.dag, self.cascade.tasks, self._weights, self._limits)
        for task_id in self.running:
            self.queue.take(self.dag.index[task_id])
        for index, task_id in enumerate(self.dag.ids):
            if self.frontier.is_free(index):
                self.offer(task_id)
            elif (state := self.state(task_id)).awaits_approval and state.status is TaskStatus.PENDING:
                self._take_back(task_id, "waits for other tasks again")
        self._renew_blocked()

    def merge_outside(self) -> None:
        """Merge what other programs wrote into the state file."""
        if self.store.changed_outside():
            self.store.merge_outside()
        self.keep_up()

    def keep_up(self) -> None:
        """Rebuild the queue if the store merged another program's changes, which also happens while it publishes."""
        if self.store.merged:
            self.store.merged = False
            self.rebuild()

    def _renew_blocked(self) -> None:
        blocked = blockers(self.dag, self.store.tasks)
        for task_id in self.dag.ids:
            causes = blocked.get(task_id, ())
            if self.state(task_id).blocked_by != causes:
                self.record(EventKind.TASK_BLOCKED, task_id, _blocked_message(task_id, causes), blocked_by=causes)

    def offer(self, task_id: str) -> None:
        """Queue the task if it is selected, pending, not waiting for a retry, and its dependencies are completed.

        If a person must approve first, ask instead.
        """
        state = self.state(task_id)
        if task_id in self.selected and state.status is TaskStatus.PENDING and not state.retry_at:
            index = self.dag.index[task_id]
            if self.frontier.is_free(index) and task_id not in self.running:
                if self._needs_approval(task_id, state):
                    self._ask(task_id, state)
                    return
                if state.awaits_approval:
                    self._take_back(task_id, "needs no approval any more")
                self.queue.push(index)

    def _needs_approval(self, task_id: str, state: TaskState) -> bool:
        return self.cascade.tasks[task_id].approval == "before" and state.approval != "approved"

    def _ask(self, task_id: str, state: TaskState) -> None:
        if self.asks and not state.awaits_approval:
            text = f"{task_id} needs approval to start: `nova approve {task_id}`"
            self.record(EventKind.TASK_WAITING, task_id, text, approval="waiting")

    def _take_back(self, task_id: str, why: str) -> None:
        self.record(EventKind.TASK_RESET, task_id, f"{task_id} {why}", approval=None)

    def pending_again(self, task_id: str) -> None:
        """The task will run again: queue it, or rebuild the board if one of its dependencies was reset meanwhile."""
        if self.frontier.is_free(self.dag.index[task_id]):
            self.offer(task_id)
        else:
            self.rebuild()

    def pop(self) -> str | None:
        """Returns the id to start next, now counted as running; None if no task may start."""
        index = self.queue.pop()
        if index is None:
            return None
        self.running.add(self.dag.ids[index])
        return self.dag.ids[index]

    def take(self, task_id: str) -> None:
        """Count a task as running that was adopted or started by hand."""
        if task_id not in self.running:
            self.running.add(task_id)
            self.queue.take(self.dag.index[task_id])

    def leave(self, task_id: str) -> None:
        """The task no longer runs."""
        if task_id in self.running:
            self.running.discard(task_id)
            self.queue.finish(self.dag.index[task_id])

    def completed(self, task_id: str) -> None:
        """The task is completed: queue the tasks that can now start."""
        for index in self.frontier.complete(self.dag.index[task_id]):
            self.offer(self.dag.ids[index])

    def fail(self, task_id: str, text: str, **patch: Any) -> None:
        """The task failed for good: record it once, with the number of tasks it blocks, and mark these.

        Tasks that already have enough marks are neither changed nor counted.
        """
        below = newly_blocked(self.dag, self.store.tasks, task_id)
        count = sum(not self.task(i).gate for i in below)
        if count:
            text += f"; blocks {number_of(count, 'task')}"
            patch["blocks"] = count
        self.record(EventKind.TASK_FAILED, task_id, text, **patch, status=TaskStatus.FAILED)
        for other, causes in below.items():
            self.record(EventKind.TASK_BLOCKED, other, _blocked_message(other, causes), blocked_by=causes)

    def ready(self) -> list[str]:
        """Returns the ids that could start without limits, in plan order."""
        free = self.dag.get_ready_tasks({i: self.state(i).status for i in self.dag.ids})
        return [i for i in free if not self._needs_approval(i, self.state(i))]

    def unmet(self, task_id: str) -> list[str]:
        """Returns the dependencies that are not completed."""
        return [d for d in self.task(task_id).depends_on if self.state(d).status is not TaskStatus.COMPLETED]


def _blocked_message(task_id: str, causes: tuple[str, ...]) -> str:
    return f"{task_id} blocked by {', '.join(causes)}" if causes else f"{task_id} no longer blocked"
