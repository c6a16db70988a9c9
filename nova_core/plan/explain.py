"""Explains what a run would do with each task and why, in start order. Pure: nothing is locked or written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from glob import has_magic

import msgspec

from nova_core.model import Task, places_of
from nova_core.parser import Cascade
from nova_core.plan.blocked import blockers
from nova_core.plan.changes import compare, fingerprint
from nova_core.plan.scheduler import Frontier, Limits, ReadyQueue
from nova_core.plan.stale import stale
from nova_core.state.git_run import LANDING
from nova_core.state.schema import NEW, TaskState, TaskStatus

_SHOWN = 3


class Explanation(msgspec.Struct, frozen=True):
    """`action` is "run", "gate" (it would open), "wait" (something must happen first) or "skip" (nothing to do).

    `lacking` lists what the task cannot start without, if that is why it waits.
    """

    task_id: str
    action: str
    why: str
    lacking: tuple[str, ...] = ()


def explain(
    cascade: Cascade,
    tasks: Mapping[str, TaskState],
    selected: Sequence[str],
    order: Sequence[float],
    rerun_changed: bool = False,
    absent: Mapping[str, Sequence[str]] | None = None,
    lost: Mapping[str, Sequence[str]] | None = None,
) -> list[Explanation]:
    """Returns one explanation per selected task: first those that would run, in order, then waiting ones, then others.

    `order` holds the expected seconds of each task by index (`scheduler.weights`), `absent` the missing inputs by task,
    `lost` the outputs of done tasks that are gone. Gates that would open are included; other gates only if they are
    selected.
    """
    edited = compare(cascade.tasks, tasks, {i: fingerprint(t) for i, t in cascade.tasks.items()}).edited
    old = stale(cascade, tasks, edited, lost)
    chosen, gone = {*selected}, lost or {}
    again = {i: why for i, why in old.items() if i in chosen and (rerun_changed or i in gone)}
    free = {i for i in edited if tasks[i].status is TaskStatus.FAILED} | again.keys()
    states = {i: _state(t, NEW if i in free else tasks.get(i)) for i, t in cascade.tasks.items()}
    walk = _Walk(cascade, states, {*selected, *(i for i, t in cascade.tasks.items() if t.gate)}, order, absent or {})
    explained = [_going(i, cascade, tasks, edited, again) for i in walk.ids]
    blocked = blockers(cascade.dag, states)
    will_run = set(walk.ids)
    others = [i for i in selected if i not in will_run]
    rest = [_why_not(i, states[i], blocked.get(i, ()), cascade, states, walk, old) for i in others]
    return explained + sorted(rest, key=lambda e: e.action == "skip")


def _state(task: Task, state: TaskState | None) -> TaskState:
    """Returns the state a run would start from: a task the plan newly marks as done counts as done."""
    found = state or NEW
    if task.settled and found.settled != task.settled and found.status in (TaskStatus.PENDING, TaskStatus.FAILED):
        return TaskState(TaskStatus.COMPLETED, skipped=task.dropped, settled=task.settled)
    return found


class _Walk:
    """Walks the graph like a single worker whose tasks all succeed; `ids` are the tasks that would start, in order.

    `lacking` lists, by task, what the other tasks in the queue cannot start without.
    """

    def __init__(
        self, cascade: Cascade, states: Mapping[str, TaskState], chosen: set[str], order: Sequence[float],
        absent: Mapping[str, Sequence[str]],
    ) -> None:  # fmt: skip
        self.ids: list[str] = []
        self.chosen = chosen
        self.lacking: dict[str, tuple[str, ...]] = {}
        self._tasks, self._dag, self._states, self._absent = cascade.tasks, cascade.dag, states, absent
        self._writers = Writers(cascade)
        self._awaited: dict[str, set[str]] = {}  # by writer, the tasks that wait for its files
        self._done = {i for i, t in states.items() if t.status is TaskStatus.COMPLETED}
        self._frontier = Frontier(self._dag, self._done)
        self._queue = ReadyQueue(self._dag, cascade.tasks, order, Limits())
        self._begin()
        while (index := self._queue.pop()) is not None:
            self._queue.finish(index)
            task_id = self._dag.ids[index]
            if lacking := self._lacks(task_id):
                self._keep_back(task_id, lacking)
            else:
                self._take(index)

    def _begin(self) -> None:
        for index, task_id in enumerate(self._dag.ids):
            state = self._states[task_id]
            if state.is_running:
                self._take(index)
            self._offer(index)

    def _take(self, index: int) -> None:
        task_id = self._dag.ids[index]
        self.ids.append(task_id)
        self._done.add(task_id)
        for freed in self._frontier.complete(index):
            self._offer(freed)
        for waiting in sorted(self._awaited.pop(task_id, ()), key=self._dag.index.__getitem__):
            if waiting in self.lacking and not self._lacks(waiting):
                del self.lacking[waiting]
                self._offer(self._dag.index[waiting])

    def _keep_back(self, task_id: str, lacking: tuple[str, ...]) -> None:
        self.lacking[task_id] = lacking
        for path in self._absent.get(task_id, ()):
            for writer in self._writers.of(path):
                self._awaited.setdefault(writer, set()).add(task_id)

    def _offer(self, index: int) -> None:
        task_id = self._dag.ids[index]
        state = self._states[task_id]
        pending = task_id not in self._done and state.status is TaskStatus.PENDING and not state.awaits_approval
        if pending and task_id in self.chosen and self._frontier.is_free(index):
            self._queue.push(index)

    def never_there(self, task_id: str) -> tuple[str, ...]:
        """Returns what the task cannot start without and no task in the plan provides."""
        return self._lacks(task_id, {*self._dag.ids} - {task_id})

    def _lacks(self, task_id: str, done: Collection[str] | None = None) -> tuple[str, ...]:
        """Returns what the task cannot start without, given the tasks in `done` (default: those done so far)."""
        there = self._done if done is None else done
        words = [f"dependency {word}, which is not in the plan" for word in self._tasks[task_id].missing]
        for path in self._absent.get(task_id, ()):
            writers = [i for i in self._writers.of(path) if i != task_id]
            if not any(i in there for i in writers):
                who = f"{', '.join(writers[:_SHOWN])} would write it" if writers else "no task writes it"
                words.append(f"input {path.replace('|', ' or ')} ({who})")
        return tuple(words)


def remedies(task_id: str, cascade: Cascade, tasks: Mapping[str, TaskState], *, alive: bool = False) -> list[str]:
    """Returns what a person can do about each thing a task lacks; none if the task waits for another reason.

    `alive` means that an engine is running, which notices a new file by itself.
    """
    state, task = tasks.get(task_id, NEW), cascade.tasks[task_id]
    if state.status is not TaskStatus.PENDING or state.blocked_by:
        return []
    writers, place, then = (
        Writers(cascade),
        f"{task.file or cascade.path}:{task.line}",
        "" if alive else ", then nova run",
    )
    found = []
    for word in state.missing:
        kind, _, what = word.partition(" ")
        if kind == LANDING:
            how = "see what is in the way with nova status" if alive else "nova land && nova run"
            found.append(f"{how} (it waits until what is merged has landed)")
            continue
        if kind == "dependency":
            found.append(f"correct the dependencies of {task_id} in {place}: the plan has no {what}{then}")
            continue
        path = next((path for path in task.inputs if path.split("|")[0] == what), what)
        by = {i: tasks.get(i, NEW).status for i in writers.of(path) if i != task_id}
        done = next((i for i, status in by.items() if status is TaskStatus.COMPLETED), None)
        if done:
            found.append(f"nova retry {done}" + ("" if alive else " && nova run") + f" (it writes {what})")
        elif by:
            found.append(f"nova why {next(iter(by))} (it would write {what})")
        else:
            found.append(f"create {what}, which no task writes{then}")
    return found


class Writers:
    """Knows which task writes which file."""

    def __init__(self, cascade: Cascade) -> None:
        work = [task for task in cascade.tasks.values() if not task.gate]
        self._outputs = {
            place.rstrip("/"): task.id
            for task in work
            for path in task.outputs
            for place in places_of(path, task.workspace).split("|")
        }
        self._patterns = {place: who for place, who in self._outputs.items() if has_magic(place)}

    def of(self, path: str) -> list[str]:
        """Returns the tasks that write an input: `a|b` may be at either place, and it may be a pattern."""
        found: dict[str, None] = {}
        for place in path.split("|"):
            parts = place.rstrip("/").split("/")
            above = ("/".join(parts[:n]) for n in range(len(parts), 0, -1))
            found.update(dict.fromkeys(self._outputs[at] for at in above if at in self._outputs))
            if not found:
                fitting = self._outputs if has_magic(place) else self._patterns
                fits = (who for at, who in fitting.items() if fnmatchcase(at, place) or fnmatchcase(place, at))
                found.update(dict.fromkeys(fits))
        return list(found)


def _going(
    task_id: str, cascade: Cascade, tasks: Mapping[str, TaskState], edited: Collection[str], again: Mapping[str, str]
) -> Explanation:
    if cascade.tasks[task_id].gate:
        count = len(cascade.tasks[task_id].depends_on)
        return Explanation(task_id, "gate", f"opens when the {count} before it are done and their outputs exist")
    return Explanation(task_id, "run", _why_run(task_id, cascade, tasks, edited, again))


def _why_run(
    task_id: str, cascade: Cascade, tasks: Mapping[str, TaskState], edited: Collection[str], again: Mapping[str, str]
) -> str:
    state = tasks.get(task_id)
    if task_id in again:
        return again[task_id]
    if state is not None and state.status is TaskStatus.FAILED and task_id in edited:
        return "it failed, and was edited since"
    if state is not None and state.is_unchecked:
        return "its command ended well; only its criteria are checked"
    if state is not None and state.status is TaskStatus.IN_PROGRESS:
        return "it was running: taken over if still running, collected if finished"
    after = cascade.tasks[task_id].depends_on
    first = "never started" if state is None or not state.attempt else f"attempt {state.attempt + 1}"
    return f"{first}; after {', '.join(after)}" if after else f"{first}; depends on nothing"


def _why_not(
    task_id: str, state: TaskState, blocked: tuple[str, ...], cascade: Cascade, states: Mapping[str, TaskState],
    walk: _Walk, old: Mapping[str, str],
) -> Explanation:  # fmt: skip
    if state.status is TaskStatus.COMPLETED:
        return Explanation(task_id, "skip", _why_done(task_id, state, cascade, old))
    if state.status is TaskStatus.FAILED:
        return Explanation(task_id, "wait", f"failed: {state.error}; `nova retry {task_id}`")
    if state.awaits_approval:
        to_start = " to start" if state.status is TaskStatus.PENDING else ""
        return Explanation(task_id, "wait", f"needs approval{to_start}: `nova approve {task_id}`")
    if blocked:
        return Explanation(task_id, "wait", f"blocked by {', '.join(blocked)}")
    if lacking := walk.lacking.get(task_id) or walk.never_there(task_id):
        return Explanation(task_id, "wait", f"blocked: missing {'; '.join(lacking)}", lacking)
    done = {*walk.ids, *(i for i, t in states.items() if t.status is TaskStatus.COMPLETED)}
    unmet = [d for d in cascade.tasks[task_id].depends_on if d not in done]
    outside = [d for d in unmet if d not in walk.chosen]
    return Explanation(task_id, "wait", f"needs {', '.join(outside or unmet)}" + (", not selected" if outside else ""))


def _why_done(task_id: str, state: TaskState, cascade: Cascade, old: Mapping[str, str]) -> str:
    if cascade.tasks[task_id].gate:
        return "the gate is open"
    if state.settled and not state.started_at:
        return f"the plan says {state.settled}"
    why = "skipped" if state.skipped else f"done {state.completed_at or 'earlier'}"
    return why + (f"; {old[task_id]} (--rerun-changed runs it again)" if task_id in old else "")
