"""The data that faces show, kept in step with the source; an update costs only the tasks it changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from nova_core.clock import seconds
from nova_core.console import last_words
from nova_core.dag import COMPLETED
from nova_core.plan.scheduler import Frontier
from nova_core.plan.stale import stale
from nova_core.runs.freshness import same_failure
from nova_core.runs.merging import landing_lines
from nova_core.runs.outlook import CostLeft, Past, cost_left, seconds_left
from nova_core.runs.rollup import RollupTree
from nova_core.runs.words import AT_WORK, STARTABLE, Shown, phrase, shown_status, turns
from nova_core.runs.worktime import WorkTime
from nova_core.state.events import Event, EventKind
from nova_core.state.run_clock import began_at, ran_for
from nova_core.state.schema import NEW, TaskState, TaskStatus
from nova_core.watch.source import EngineState, Source, Update, notable

_EVENTS_KEPT = 2_000
_MINUTES_KEPT = 60
_LISTED = (*AT_WORK, Shown.MERGING, Shown.APPROVAL, Shown.FAILED)


class Dirty(msgspec.Struct, frozen=True):
    """What to redraw: rows of `tasks`, everything, or only what changes with every update (the header)."""

    tasks: frozenset[str] = frozenset()
    everything: bool = False
    header: bool = False


class ViewModel:
    """The run as a face's thread sees it. `now` is in seconds on the run's clock, set by the face.

    `counts` holds the number of tasks per status shown; `tokens_per_minute` is the history of the run, oldest first. A
    face sets `stopping` when it asks the run to end; it stays True until the run has ended. `seen` are the tasks that
    ask for a person and that this person has gone to since.
    """

    def __init__(self, source: Source, now: float) -> None:
        self.source = source
        self.cascade = source.cascade
        self.now = now
        self.began = now
        self.events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self.tokens_per_minute: deque[int] = deque(maxlen=_MINUTES_KEPT)
        self.stopping = False
        self.seen: set[str] = set()
        self._recalled = False
        self._ended: tuple[int, float] = (-1, 0.0)
        self._alike: dict[str, tuple[int, bool]] = {}
        self._last_words: dict[str, tuple[object, str]] = {}
        self._minute = int(now // 60)
        self._minute_start = 0
        self._reload()

    def _reload(self) -> None:
        """Reload everything from the source: O(tasks)."""
        self.cascade = self.source.cascade
        tasks = self.source.tasks
        dag = self.cascade.dag
        self._seen: dict[str, TaskState] = {i: tasks.get(i, NEW) for i in dag.ids}
        done = {i for i, t in self._seen.items() if t.status == COMPLETED}
        self._frontier = Frontier(dag, done)
        self.rollups = RollupTree(self.cascade.branches, self._seen)
        self._shown = {i: self._judge(i) for i in dag.ids}
        self.counts = dict.fromkeys(Shown, 0)
        self._listed: dict[Shown, dict[str, None]] = {shown: {} for shown in _LISTED}
        self._needing: list[str] | None = None
        self._heard: dict[str, float] = {}
        for task_id, shown in self._shown.items():
            self.counts[shown] += not self.cascade.tasks[task_id].gate
            if shown in self._listed:
                self._listed[shown][task_id] = None
        self._minute_start = self.rollups.project.tokens.total
        self._time = WorkTime(self.source.spans(), self._seen)
        self._past: Past | None = None

    # reading

    def task(self, task_id: str) -> TaskState:
        """Returns the state of a task, as of the last update."""
        return self._seen.get(task_id, NEW)

    def shown(self, task_id: str) -> Shown:
        """Returns the status shown for a task."""
        return self._shown[task_id]

    def ready(self, task_id: str) -> bool:
        """Returns True if all dependencies are completed."""
        return self._frontier.is_free(self.cascade.dag.index[task_id])

    def unmet(self, task_id: str) -> list[str]:
        """Returns the dependencies that are not completed."""
        return [d for d in self.cascade.tasks[task_id].depends_on if self._seen[d].status != COMPLETED]

    def stale(self, task_id: str) -> str:
        """Returns why the result of a completed task may be stale, as far as the state shows it; empty if it is not."""
        return stale(self.cascade, self._seen, only=(task_id,)).get(task_id, "")

    def failed_alike(self, task_id: str) -> bool:
        """Returns True if the latest attempt failed like the one before; reads the history once per attempt."""
        state = self._seen[task_id]
        if state.attempt < 2 or state.status != TaskStatus.FAILED or state.was_cancelled:
            return False
        known = self._alike.get(task_id)
        if known is None or known[0] != state.attempt:
            rows = (r for r in self.source.attempts(task_id) if r.run == self.source.run.id)
            before = [r for r in rows if r.attempt == state.attempt - 1]
            known = state.attempt, bool(before) and same_failure(state, before[0].reason, before[0].error)
            self._alike[task_id] = known
        return known[1]

    def failure(self, task_id: str) -> str:
        """Returns why the task failed, the last time: the line its worker printed about it, then the exit; reads its
        log once per attempt."""
        state = self._seen.get(task_id, NEW)
        key = state.attempt, state.error
        known = self._last_words.get(task_id)
        if known is None or known[0] != key:
            known = key, last_words.said(task_id, state, self.source.project.latest_log)
            self._last_words[task_id] = known
        return known[1]

    def running(self) -> list[str]:
        """Returns the running tasks, also those whose work is being checked, the oldest first; then those merging."""
        found = [i for shown in AT_WORK for i in self._listed[shown]]
        return [*sorted(found, key=lambda i: -(self.elapsed(i) or 0.0)), *self.merging()]

    def merging(self) -> list[str]:
        """Returns the tasks whose work is being merged, or waits for that, in the order of the queue."""
        return list(turns({i: self._seen[i] for i in self._listed[Shown.MERGING]}))

    def phrase(self, task_id: str) -> str:
        """Returns what the task is doing, in words."""
        shown = self._shown[task_id]
        turn = self.merging().index(task_id) + 1 if shown is Shown.MERGING else 0
        return phrase(self._seen[task_id], shown, self.now, turn)

    def is_running(self, task_id: str) -> bool:
        """Returns True if the task is running, or its work is being checked; not for a task that is not in the plan."""
        return any(task_id in self._listed[shown] for shown in AT_WORK)

    def heard_at(self, task_id: str) -> float:
        """Returns when the task last changed, in seconds on the run's clock; 0 if that was before this view began."""
        return self._heard.get(task_id, 0.0)

    @property
    def approvals(self) -> list[str]:
        """The tasks that ask for an answer, then those that need approval, each in the order in which they asked."""
        return [*self._listed[Shown.ASKS], *self._listed[Shown.APPROVAL]]

    def needing(self) -> list[str]:
        """Returns the tasks that need a person: questions, approvals, then failures, each in plan order."""
        if self._needing is None:
            index = self.cascade.dag.index
            kinds = (Shown.ASKS, Shown.APPROVAL, Shown.FAILED)
            self._needing = [i for shown in kinds for i in sorted(self._listed[shown], key=index.__getitem__)]
        return self._needing

    @property
    def asked_first(self) -> str | None:
        """The task that has asked for a person first; before it those that nobody has gone to since they asked."""
        waiting = self.approvals
        return next((i for i in waiting if i not in self.seen), waiting[0] if waiting else None)

    def next_needing(self, here: str | None, way: int) -> str | None:
        """Returns the task that needs a person to go to from `here`: forwards (`way` 1) one that has asked since, then
        the next in the order of `needing`; backwards (-1) the one before. None if there is none."""
        ids = self.needing()
        fresh = [i for i in self.approvals if i not in self.seen and i != here]
        if way > 0 and fresh:
            return fresh[0]
        at = ids.index(here) + way if here in ids else 0 if way > 0 else -1
        return ids[at % len(ids)] if ids else None

    def elapsed(self, task_id: str) -> float | None:
        """Returns the seconds the task has been running, or took; None if it never ran."""
        state = self._seen.get(task_id, NEW)
        if state.has_worker and state.started_at:
            return ran_for(state, self.now)
        return state.elapsed if state.attempt or state.elapsed else None

    @property
    def could_go_on(self) -> bool:
        """True if a task could run, if an engine were running."""
        return self.source.engine is not EngineState.RUNNING and any(self.counts[shown] for shown in STARTABLE)

    @property
    def could_land(self) -> bool:
        """True if what is merged could be brought to the user's branch, if an engine were running."""
        git, is_idle = self.source.run.git, self.source.engine is not EngineState.RUNNING
        return is_idle and self.source.config.git.land != "no" and bool(git and git.branch and landing_lines(git))

    @property
    def budget(self) -> float | None:
        """The budget in US dollars, None if there is none."""
        return self.source.config.budget

    @property
    def wall_seconds(self) -> float:
        """Seconds during which at least one task ran; the same for all viewers, at any time."""
        return self._time.wall(self.now)

    @property
    def work_seconds(self) -> float:
        """Seconds of work, summed over all attempts."""
        return self._time.work(self.now)

    @property
    def run_seconds(self) -> float:
        """Seconds since the run began, including pauses; frozen once no task is running."""
        project = self.source.project_state
        try:
            began = seconds(project.started_at) if project.started_at else self.began
            ended = self._last_end() or (seconds(project.completed_at) if project.completed_at else self.now)
            return max(0.0, ended - began)
        except ValueError:  # another program may have written the state
            return 0.0

    def _last_end(self) -> float | None:
        """Returns when the last task ended, on the run's clock; None while the run continues."""
        if self.source.engine is EngineState.RUNNING or self.rollups.project.running:
            return None
        if self._ended[0] != self.source.rev:
            known = ((t.began, t.elapsed, t.completed_at) for t in self._seen.values() if t.completed_at)
            ends = (began_at(None if start is None else start + took, at) for start, took, at in known)
            self._ended = self.source.rev, max((end for end in ends if end is not None), default=0.0)
        return self._ended[1] or None

    def eta(self) -> float | None:
        """Returns the seconds that the rest will probably take, None if unknown; O(tasks), so call it rarely."""
        return seconds_left(self.cascade, self._seen, self.source.jobs, self.now, self._known_past)

    def cost_left(self) -> CostLeft | None:
        """Returns what the rest will probably cost, None if unknown; O(tasks), so call it rarely."""
        return cost_left(self.cascade, self._seen, self._known_past)

    @property
    def _known_past(self) -> Past:
        """What tasks took and cost before: read when it is first asked for, then kept in step."""
        if self._past is None:
            self._past = Past(self.source.latest(), self.source.spans())
        return self._past

    def recall(self) -> None:
        """Insert recorded events from before this view started in front of the others; once."""
        if not self._recalled:
            self._recalled = True
            before = self.events[0].rev if self.events else self.source.rev + 1
            self.events.extendleft(reversed(self.source.past(before, _EVENTS_KEPT - len(self.events))))

    # applying updates

    def apply(self, update: Update, now: float) -> Dirty:
        """Apply an update; returns what must be redrawn."""
        self.now = now
        self.stopping &= self.source.engine is EngineState.RUNNING
        self._count_minute()
        self.events.extend(notable(update.events))
        if update.reset or any(e.kind is EventKind.PLAN_CHANGED for e in update.events):
            self._reload()
            self._add_ended(update.events)
            return Dirty(everything=True, header=True)
        self._add_ended(update.events)
        dirty: set[str] = set()
        for task_id in update.changed:
            if task_id in self._seen:
                self._change(task_id, dirty)
        return Dirty(frozenset(dirty), header=bool(dirty or update.events or update.engine_changed))

    def _add_ended(self, events: Iterable[Event]) -> None:
        """Add the times of ended attempts: events contain every one of them, the state only the last."""
        for event in events:
            if event.task is not None and (ended := event.patch.get("completed_at")):
                took = event.patch.get("elapsed") or 0.0
                self._time.ended(event.task, ended, took, event.patch.get("began"))
                if self._past is not None:
                    self._past.ended(event.task, took)

    def _change(self, task_id: str, dirty: set[str]) -> None:
        old, new = self._seen[task_id], self.source.tasks.get(task_id, NEW)
        if old is new:
            return
        self._seen[task_id] = new
        self._heard[task_id] = self.now
        self.rollups.update(task_id, old, new)
        self._time.see(task_id, new)
        dirty.add(task_id)
        self._reword(task_id)
        was, now = old.status == COMPLETED, new.status == COMPLETED
        if was != now:
            dag = self.cascade.dag
            index = dag.index[task_id]
            if now:
                self._frontier.complete(index)
            else:
                self._frontier.reopen(index)
            for below in dag.dependents[index]:
                if self._reword(dag.ids[below]):
                    dirty.add(dag.ids[below])

    def _reword(self, task_id: str) -> bool:
        before, after = self._shown[task_id], self._judge(task_id)
        self._shown[task_id] = after
        work = not self.cascade.tasks[task_id].gate
        self.counts[before] -= work
        self.counts[after] += work
        if before is not after:
            self._list(task_id, before, after)
        return before is not after

    def _list(self, task_id: str, before: Shown, after: Shown) -> None:
        """Keep the lists of the tasks that people look for."""
        if before in self._listed:
            self._listed[before].pop(task_id, None)
        if after in self._listed:
            self._listed[after][task_id] = None
        if before in self._listed or after in self._listed:
            self._needing = None
            self.seen.discard(task_id)

    def _judge(self, task_id: str) -> Shown:
        return shown_status(self._seen[task_id], self._frontier.is_free(self.cascade.dag.index[task_id]))

    def _count_minute(self) -> None:
        minute = int(self.now // 60)
        if minute == self._minute:
            return
        total = self.rollups.project.tokens.total
        self.tokens_per_minute.append(max(0, total - self._minute_start))
        self.tokens_per_minute.extend([0] * min(minute - self._minute - 1, _MINUTES_KEPT))
        self._minute, self._minute_start = minute, total
