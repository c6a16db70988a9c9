"""The trees of a run whose tasks have them: made, taken, merged in order and landed, turn by turn."""

from __future__ import annotations

from nova_core.engine.attempts.parts import Parts
from nova_core.engine.trees.base import Base
from nova_core.engine.trees.conflicts import Conflicts
from nova_core.engine.trees.folder import Folder
from nova_core.engine.trees.folder_look import FolderLook
from nova_core.engine.trees.lander import Lander
from nova_core.engine.trees.library import Library
from nova_core.engine.trees.maker import Maker
from nova_core.engine.trees.opening import needs_branch
from nova_core.engine.trees.queue import MergeQueue
from nova_core.engine.trees.steps import Steps
from nova_core.engine.trees.taker import Taker
from nova_core.engine.trees.trees import Helpers
from nova_core.executors.base import Ended, Report
from nova_core.state.events import Event, EventKind
from nova_core.state.git_run import CONFLICT, MERGED
from nova_core.state.schema import TaskStatus

_PATIENCE = 10.0  # seconds for gits, once the run is to end
_LANDING = 60.0  # the same, while one writes into the user's folder
FINISH = "+finish"  # the key of a step; no id of a task begins with a plus
_SETTLES = frozenset({EventKind.TASK_COMPLETED, EventKind.TASK_FAILED})


class Work:
    """What is done in git for one run; it settles first what an earlier engine left. Raises `EnvironmentProblem`."""

    def __init__(self, parts: Parts, git: Library, helpers: Helpers, *, background: bool) -> None:
        self._parts = parts
        self._store = parts.store
        self._git = git
        self._steps = Steps(parts.clock, parts.executor.wake, self._store.refuse, background=background)
        self._base = base = Base(parts, git, self._steps, helpers.finisher)
        self._maker, self._taker = Maker(base), Taker(base, helpers.criteria)
        self._queue = MergeQueue(base, Conflicts(base, helpers.retries, helpers.evidence))
        self._lander = Lander(base)
        self._folder, self._look = Folder(base, self._lander), FolderLook(base)
        self._events: list[Event] = []
        self._is_finished = False
        self._stopped = 0.0  # monotonic
        self.is_given_up = False
        self._ending: dict[str, str] = {}  # tasks, by the keys of jobs of an earlier engine that are being ended
        hooks = parts.trees
        hooks.give, hooks.start, hooks.prepared = self._maker.give, self._maker.start, self._maker.prepared
        hooks.over, hooks.report, hooks.end = self._taker.over, self._report, self._end
        hooks.keep_back = self._folder.keep_back
        self._store.listeners.append(self._listen)
        self._recover()

    def _recover(self) -> None:
        """Queue what waits for its merge, unless somebody has merged it; remove what nobody needs."""
        base, states = self._base, self._store.tasks
        found = [(state.place, i) for i, state in states.items() if state.commit_sha and state.merge == MERGED]
        for state in states.values():
            if state.merge == MERGED:
                base.parts.trees.files.update(state.files_changed)
        base.merged = [(states[i].commit_sha or "", i) for _, i in sorted(found)]
        waits = [(state.place, i) for i, state in states.items() if state.is_merging or state.merge == CONFLICT]
        for _, task_id in sorted(waits):
            state, taken = states[task_id], base.taken(task_id)
            if task_id not in base.board.cascade.tasks or state.status is TaskStatus.COMPLETED:
                continue
            commit = None if taken.commit is None else self._git.merged_already(task_id, base.run.tip, taken)
            if commit is not None:
                self._queue.carry_out(task_id, commit, {"files_changed": state.files_changed})
            elif state.is_merging:
                self._queue.add(task_id)
        for task_id in list(states):
            self._taker.settle(task_id)

    def _listen(self, event: Event) -> None:
        if event.kind is EventKind.TASK_QUEUED or event.kind in _SETTLES:
            self._events.append(event)
        elif event.kind is EventKind.TASK_STARTED:
            self._look.begin()

    def _end(self, key: str) -> None:
        """A job of an earlier engine is being ended; until then nothing is done in its task's tree."""
        task_id = key.partition("@")[0]
        self._ending[key] = task_id
        self._steps.held[task_id] += 1

    def _report(self, report: Report) -> None:
        """Handle a report about a job that belongs to no attempt."""
        if report.key in self._ending and isinstance(report, Ended):
            self._steps.held[self._ending.pop(report.key)] -= 1
            self._parts.executor.release([report.key])
        elif report.key and report.key == self._queue.checks.key:
            self._queue.checks.report(report)

    # turn by turn

    def turn(self, *, stopping: bool) -> None:
        """Handle the git steps that are over, and begin what is next."""
        self._steps.turn()
        while self._events:
            event = self._events.pop(0)
            if event.task and event.kind is EventKind.TASK_QUEUED:
                self._queue.add(event.task)
            elif event.task:
                self._taker.settle(event.task)
        if stopping:
            self._queue.stop()
            self._give_up_late()
        else:
            self._queue.turn()
            self._folder.turn()
            if self._parts.config.git.land == "each" and self._lander.is_due and self._queue.head is None:
                self._lander.begin()

    def _give_up_late(self) -> None:
        """End gits that do not come to their end though the run is to: what they do is done again by the next one."""
        now = self._parts.clock.monotonic()
        self._stopped = self._stopped or now
        patience = _LANDING if self._lander.is_busy else _PATIENCE
        if self._steps.is_busy and now - self._stopped > patience:
            self._base.warn(None, f"git took longer than {patience:.0f} s and was ended; nova run does the rest")
            self._steps.give_up()
            self._git.interrupt()
            self.is_given_up = True

    @property
    def is_busy(self) -> bool:
        """True while something is done in git, or waits for the disk to be."""
        waits = self._steps.is_busy or self._base.waiting > 0 or bool(self._events)
        return waits or not self._queue.is_empty or self._lander.is_busy

    def has_landed(self) -> bool:
        """Returns True if nothing is left to land at the end of the run; begins it otherwise."""
        if self.is_busy or not self._look.is_over():
            return False
        if self._parts.config.git.land != "no" and self._lander.end():
            return False
        return self._has_finished()

    def _has_finished(self) -> bool:
        """Returns True if the run's branch is gone, or needed by the next; begins to remove it otherwise."""
        base, git = self._base, self._base.run
        if self._is_finished or needs_branch(git, self._store.tasks.values()):
            return True
        self._is_finished = True
        base.when_recorded(
            lambda: base.steps.post(
                FINISH, lambda: base.git.finish(git.landed), bool, lambda error: base.warn(None, str(error))
            )
        )
        return False

    def close(self) -> None:
        """Wait for the git steps that run; the next engine finds what they did."""
        self._steps.close()
        self._git.close()
