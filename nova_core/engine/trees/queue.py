"""The queue of merges: first done, first merged, one at a time; the run's branch only gets what holds."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from nova_core.engine.trees.base import Base
from nova_core.engine.trees.checks import MergeChecks
from nova_core.engine.trees.conflicts import Conflicts
from nova_core.engine.trees.generated import Generated, generators
from nova_core.engine.trees.taker import MOST_FILES
from nova_core.isolation.values import Candidate, Carried, CheckedOut, Conflict, Limits, Nothing, Stale, Taken
from nova_core.state.events import EventKind
from nova_core.state.git_run import MERGED, MERGING, QUEUED
from nova_core.state.schema import Reason
from nova_core.text import number_of

Merged = Candidate | Conflict | Nothing
_PAUSE = 1.0  # seconds between two looks whether the run's branch is free


class MergeQueue:
    """Merges tasks. `head` is the task that is being merged; `trouble` says why nothing is merged any more.

    While somebody has the run's branch checked out, the head waits; `patience` is how many seconds a run waits for that
    in which nothing else happens.
    """

    patience = 60.0

    def __init__(self, base: Base, conflicts: Conflicts) -> None:
        self._base = base
        self._store = base.store
        self._conflicts = conflicts
        self._waiting: list[tuple[int, str]] = []
        self.checks = MergeChecks(base)
        self.head: str | None = None
        self._since = 0.0  # monotonic; when the head began
        self.trouble = ""
        self._held: Callable[[], object] | None = None  # what the head does once the branch is free
        self._why_held = ""
        self._is_given_up = False
        self._due = self._end = 0.0  # monotonic; when to try that again, and when the run ends without it

    def add(self, task_id: str) -> None:
        """The task waits in the queue, at the place that its state has."""
        heapq.heappush(self._waiting, (self._base.state(task_id).place, task_id))

    @property
    def is_empty(self) -> bool:
        """True if nothing is being merged, and nothing waits that could be."""
        if self._held is not None:
            return self._is_given_up
        return self.head is None and (bool(self.trouble) or not self._waiting)

    def stop(self) -> None:
        """Begin no other merge, and cut off the checks of this one: the run ends."""
        self.trouble = self.trouble or "the run ends"
        self.checks.stop()
        if self._held is not None:
            self.head = self._held = None

    def turn(self) -> None:
        """Begin the next merge if none is under way."""
        if self._held is not None:
            self._wait()
        while self.head is None and self._waiting and not self.trouble and self._store.disk_error is None:
            place, task_id = heapq.heappop(self._waiting)
            state = self._base.state(task_id)
            if state.is_merging and state.place == place:
                self.head, self._since = task_id, self._base.parts.clock.monotonic()
                self._base.when_recorded(partial(self._merge, task_id))

    def _merge(self, task_id: str) -> None:
        base, taken, known = self._base, self._base.taken(task_id), self._base.run.tip
        words, git = base.words_of_end(task_id), base.parts.config.git
        limits, tries = Limits(git.max_file, git.max_new), 0
        if taken.commit is None:
            self._carry_out(task_id)
            return

        def work() -> tuple[Taken, Merged]:
            nonlocal tries, taken
            tries += 1
            if tries > 1:  # its objects may be gone; the folder is still there
                taken = base.git.restored(task_id, taken, words, limits)
            return taken, base.git.merge(task_id, known, taken, words)

        base.steps.post(task_id, work, partial(self._tried, task_id), partial(self._failed, task_id))

    def _tried(self, task_id: str, found: tuple[Taken, Merged]) -> None:
        taken, merged = found
        if not self._base.state(task_id).is_merging:
            self._leave()  # a person has cancelled it
            return
        if isinstance(merged, Nothing):
            self._carry_out(task_id)
        elif isinstance(merged, Conflict):
            lines = generators(self._base.parts.config.git.generated, merged.files)
            if lines and not self._base.state(task_id).unmerged:
                Generated(self._base, self.checks, self._conflicts).make(task_id, taken, merged, lines, self._made)
            else:
                self._conflicts.met(task_id, taken, merged, self._leave)
        else:
            self._store.record(
                EventKind.TASK_MERGING, task_id, f"{task_id} is being merged", merge=MERGING, current_step=MERGING,
                tip=merged.tip, candidate=merged.commit,
            )  # fmt: skip
            state = self._base.state(task_id)
            is_checked = merged.is_checked and not (state.unmerged and not state.resolves)  # made again since then
            checks = self.checks.needed(task_id, is_checked=is_checked)
            if not checks:
                self._base.when_recorded(partial(self._advance, task_id, merged))
            elif merged.is_checked:
                self._base.when_recorded(partial(self._check, task_id, merged, checks))
            else:
                self._base.when_recorded(partial(self._bring, task_id, merged, checks))

    def _made(self, task_id: str, is_made: bool) -> None:
        """The generated files in which the task conflicted are made again; if so, it is merged with them."""
        if is_made:
            self._base.when_recorded(partial(self._merge, task_id))
        else:
            self._leave()

    def _bring(self, task_id: str, merged: Candidate, checks: list[Any]) -> None:
        base = self._base
        base.steps.post(
            task_id, lambda: base.git.bring(task_id, merged), lambda _: self._check(task_id, merged, checks),
            partial(self._failed, task_id),
        )  # fmt: skip

    def _check(self, task_id: str, merged: Candidate, checks: list[Any]) -> None:
        self.checks.begin(task_id, checks, partial(self._checked, task_id, merged))

    def _checked(self, task_id: str, merged: Candidate, failed: str | None) -> None:
        if failed is None:
            self._advance(task_id, merged)
        elif not failed:  # cut off: the next engine checks it again
            self.trouble = self.trouble or "the run ends"
            self._store.record(EventKind.TASK_QUEUED, task_id, f"{task_id} waits for its merge", merge=QUEUED,
                               current_step=QUEUED, verifying=False)  # fmt: skip
            self.head = None
        else:
            others = self._others(task_id, merged)
            after = f"after the merge with {', '.join(others)}: " if others else "after the merge: "
            self._conflicts.fail(task_id, Reason.CHECK_FAILED, f"{after}not met: {failed}")
            self._leave()

    def _others(self, task_id: str, merged: Candidate) -> list[str]:
        """Returns the tasks that were merged since this one began."""
        commits = [commit for commit, _ in self._base.merged]
        begun = self._base.state(task_id).base_sha or ""
        since = commits.index(begun) + 1 if begun in commits else 0
        return [] if merged.is_checked else [other for _, other in self._base.merged[since:]]

    def _advance(self, task_id: str, merged: Candidate) -> None:
        base = self._base

        def then(moved: bool) -> None:
            self._why_held = ""
            if moved:
                self._carry_out(task_id, merged.commit, {"files_changed": merged.files[:MOST_FILES]})
            else:
                self._merge(task_id)  # somebody moved the branch

        def failed(error: Exception) -> None:
            if isinstance(error, CheckedOut) and not self.trouble:
                self._hold(error, partial(self._advance, task_id, merged))
            else:
                self._failed(task_id, error)

        base.steps.post(task_id, lambda: base.git.advance(task_id, merged), then, failed)

    def _hold(self, error: CheckedOut, then: Callable[[], object]) -> None:
        """The run's branch is checked out: the head waits until it is free."""
        now = self._base.parts.clock.monotonic()
        if str(error) != self._why_held:
            self._why_held, self._end = str(error), now + self.patience
            self._base.warn(None, f"merging waits, because {error}")
        self._held, self._due = then, now + _PAUSE

    def _wait(self) -> None:
        """Try again from time to time; once nothing else happens, the run waits only so long for that."""
        now, then = self._base.parts.clock.monotonic(), self._held
        if self._base.parts.active:
            self._end, self._is_given_up = now + self.patience, False
        elif now >= self._end and not self._is_given_up:
            self._is_given_up = True
            self._say_left(self._why_held)
        if then is not None and now >= self._due:
            self._held, self._since = None, now
            then()

    def _carry_out(self, task_id: str, commit: str | None = None, patch: dict[str, Any] | None = None) -> None:
        self.carry_out(task_id, commit, patch or {}, self._leave)

    def carry_out(
        self, task_id: str, commit: str | None, patch: dict[str, Any], then: Callable[[], object] = bool
    ) -> None:
        """What git knows of the task is merged: copy the outputs that it ignores to the user's folder; that is all.

        If that fails, the task's tree stays until it succeeds.
        """
        base = self._base

        def over(carried: Carried) -> None:
            base.record_carried(task_id, carried)
            self.done(task_id, commit, patch)
            then()

        def failed(error: Exception) -> None:
            base.warn(task_id, f"{task_id} is merged, but its outputs that git ignores are not in your folder: {error}")
            over(Carried())

        if base.board.cascade.tasks[task_id].outputs:
            base.steps.post(task_id, base.carry_out(task_id), over, failed)
        else:
            over(Carried())

    def done(self, task_id: str, commit: str | None, patch: dict[str, Any]) -> None:
        """The task's work is in the run's branch as `commit`, or there was none: its dependents may start."""
        if self.head == task_id:
            took = self._base.parts.clock.monotonic() - self._since
            patch = {**patch, **self._base.with_run(merging=round(self._base.run.merging + took, 3))}
        if commit is not None:
            self._base.merged.append((commit, task_id))
            git = patch.get("git", self._base.run)
            patch = {**patch, "git": msgspec.structs.replace(git, tip=commit)}
        self._base.parts.trees.files.update(patch.get("files_changed", ()))
        patch = {**patch, "commit_sha": commit, "merge": MERGED, "conflict": {}, "unmerged": None, "verifying": False}
        self._base.finisher.complete(task_id, patch)

    def _failed(self, task_id: str, error: Exception) -> None:
        if isinstance(error, Stale):
            self.trouble = str(error)
            self._say_left(str(error))
            self.head = None
        else:
            self._conflicts.fail(task_id, Reason.MERGE_CONFLICT, f"it could not be merged: {error}")
            self._leave()

    def _say_left(self, why: str) -> None:
        waiting = number_of(1 + len(self._waiting), "task")
        self._base.warn(None, f"nothing more is merged: {why}; {waiting} will be merged by the next nova run")

    def _leave(self) -> None:
        self.head = None
