"""What the parts of `engine.trees` share: the run's branch, the words of commits, and what a task has made so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from nova_core.clock import seconds
from nova_core.engine.attempts.finish import Finisher
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.trees.library import Library
from nova_core.engine.trees.steps import Steps
from nova_core.executors.base import Job
from nova_core.isolation.needs import outputs_of
from nova_core.isolation.values import Carried, Cleared, Place, Taken, Words
from nova_core.state.events import EventKind
from nova_core.state.git_run import GitRun
from nova_core.state.schema import TaskState
from nova_core.text import clean, cut, first_of

_MOST_SUBJECT = 100
_MOST_NAMES = 5


class Base:
    """The run, its git and the steps that run on it."""

    def __init__(self, parts: Parts, git: Library, steps: Steps, finisher: Finisher) -> None:
        self.parts = parts
        self.store = parts.store
        self.board = parts.board
        self.git = git
        self.steps = steps
        self.finisher = finisher
        self.waiting = 0  # actions that wait until something is on disk
        self.merged: list[tuple[str, str]] = []  # the commits of the run's branch, and whose they are, in order

    @property
    def place(self) -> Place:
        """Where the trees are."""
        assert self.parts.trees.place is not None
        return self.parts.trees.place

    @property
    def run(self) -> GitRun:
        """What the run has in git."""
        return self.store.run.git or GitRun()

    def state(self, task_id: str) -> TaskState:
        """The task's state."""
        return self.board.state(task_id)

    def with_run(self, **changes: Any) -> dict[str, Any]:
        """Returns the patch that changes what the run has in git."""
        return {"git": msgspec.structs.replace(self.run, **changes)}

    def words(self, task_id: str, at: float, what: str = "") -> Words:
        """Returns the first line of the task's commit, at a time that is recorded: done twice it is the same commit."""
        task = self.board.cascade.tasks.get(task_id)
        name = f"{task_id}: {task.name}" if task and task.name != task_id else task_id
        return Words(cut(clean(f"{name} ({what})" if what else name), _MOST_SUBJECT), int(at))

    def words_of_end(self, task_id: str, what: str = "") -> Words:
        """The same, at the time when the task's last attempt ended."""
        state = self.state(task_id)
        for stamp in (state.completed_at, state.started_at):
            try:
                return self.words(task_id, seconds(stamp or ""), what)
            except ValueError:
                continue
        return self.words(task_id, 0.0, what)

    def taken(self, task_id: str) -> Taken:
        """Returns what was taken from the task's tree."""
        state = self.state(task_id)
        base = state.base_sha or self.run.base
        commit = state.taken if state.taken != base else None
        return Taken(base, commit, "", state.files_changed)

    def when_recorded(self, then: Callable[[], object]) -> None:
        """Call `then` once what is recorded so far is on disk; while that cannot be written, later."""

        def go_on(recorded: bool) -> None:
            if recorded:
                self.waiting -= 1
                then()
            else:
                self.store.when_recorded(go_on)

        self.waiting += 1
        self.store.when_recorded(go_on)

    def number_of_kept(self, task_id: str) -> int:
        """Returns the number of the next ref that keeps something of the task: the same until that is recorded."""
        return len(self.state(task_id).kept) + 1

    def record_kept(self, task_id: str, ref: str | None, **patch: Any) -> None:
        """Record where what an attempt has left is kept; None if it has left nothing."""
        if task_id not in self.store.tasks:
            return
        kept = self.state(task_id).kept
        if ref and ref not in kept:
            patch["kept"] = (*kept, ref)
        text = f"{task_id}: what its attempt has left is kept in {ref}" if ref else f"{task_id}: nothing to keep"
        self.store.record(EventKind.TASK_PROGRESS, task_id, text, **patch)

    def record_cleared(self, task_id: str, cleared: Cleared, **patch: Any) -> None:
        """Record where what was in the task's tree is kept."""
        if cleared.aside:
            self.warn(
                task_id,
                f"{task_id}: what its attempt has left is in {cleared.aside}; git cannot hold all of it: {cleared.why}",
            )
        self.record_kept(task_id, cleared.ref, **patch)

    def carry_out(self, task_id: str) -> Callable[[], Carried]:
        """Returns the step that copies what the task's outputs have and git ignores to the user's folder."""
        outputs = outputs_of(filter(None, [self.board.cascade.tasks.get(task_id)]))
        state, number = self.state(task_id), self.number_of_kept(task_id)
        commit, words = state.taken or state.base_sha or self.run.base, self.words_of_end(task_id, "outputs")
        return lambda: self.git.carry_out(task_id, outputs, commit, number, words)

    def record_carried(self, task_id: str, carried: Carried) -> None:
        """Say which outputs are not in the user's folder, because other files stand there, and where they are."""
        if carried.ref:
            names, ref = first_of(carried.stayed, _MOST_NAMES), carried.ref
            text = f"{task_id}: other files stand where its outputs belong, and stay: {names}"
            self.warn(task_id, f"{text}; its own are in {ref} (git restore --source={ref} FILE)")
            self.record_kept(task_id, ref)

    def submit(self, job: Job) -> None:
        """Submit a job that runs in a tree beside a worker; its log is a new one."""
        if job.log in self.parts.logs:
            self.parts.disk.unlink(self.parts.project.log_dir / job.log)
        self.parts.logs.add(job.log)
        self.parts.executor.submit(job)

    def warn(self, task_id: str | None, text: str) -> None:
        """Record a warning."""
        self.store.record(EventKind.WARNING, task_id, text)
