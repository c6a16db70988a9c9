"""Lands the run's branch: the user's branch and folder get what is merged."""

from __future__ import annotations

from functools import partial

from nova_core.engine.trees.base import Base
from nova_core.isolation.values import Conflict, Followed, Landed, Landing, Nothing, Postponed
from nova_core.runs.merging import CHANGED_SAME, branch_of, landing_step
from nova_core.state.events import EventKind
from nova_core.text import first_of, number_of

_KEY = "+land"  # of its steps; no id of a task begins with a plus
_HEADS = "refs/heads/"
_MOST_NAMES = 5
_MOST_FOLLOWS = 3  # a user who commits faster than that lands later


class Lander:
    """Lands. `tried` is the tip that this run has tried to land last, so that it tries once."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._store = base.store
        self._tried = ""
        self._follows = 0
        self._has_ended = False
        self.is_busy = False

    @property
    def is_due(self) -> bool:
        """True if something is merged that is not landed, it was not tried yet, and nothing keeps it off."""
        run = self._base.run
        if run.tip == self._tried or self.is_busy or self.is_kept_off:
            return False
        return bool(run.landing or run.tip != run.landed)

    @property
    def is_kept_off(self) -> bool:
        """True while a task works in the project's own folder."""
        return any(attempt.tree is None for attempt in self._base.parts.active.values())

    def end(self) -> bool:
        """Land at the end of the run what is not landed, also commits that others have added to the run's branch.

        Returns True if there is something to wait for.
        """
        if self.is_kept_off or (self._has_ended and not self.is_due):
            return False
        self._has_ended = True
        self.begin()
        return True

    def begin(self) -> None:
        """Start to land what is on the run's branch now."""
        base, run = self._base, self._base.run
        self._tried, self._follows, self.is_busy = run.tip, 0, True
        base.steps.post(_KEY, lambda: base.git.tip(run.tip), self._from, self._no_tip)

    def _from(self, tip: str) -> None:
        """Land the branch, which is at `tip`, and so further on than what the run has merged if others were there."""
        run = self._base.run
        if tip != run.tip:
            text = f"commits that others have added to {branch_of(run)} land with the rest"
            self._store.record(EventKind.RUN_LANDING, None, text, **self._base.with_run(tip=tip))
            self._tried = tip
        if tip == run.landed and not run.landing:
            self.is_busy = False
        elif run.branch is None:
            self._wait("no branch is checked out")
        else:
            self._announce()

    def _no_tip(self, error: Exception) -> None:
        run = self._base.run
        if run.tip == run.landed and not run.landing:
            self.is_busy = False  # nothing was merged, and the branch is gone
        else:
            hint = getattr(error, "hint", None)
            self._wait(f"{error} ({hint})" if hint else str(error), stays_open=True)

    def _announce(self) -> None:
        run = self._base.run
        is_open = bool(run.landing)
        if not is_open:
            self._store.record(
                EventKind.RUN_LANDING, None, f"landing on {self._name}",
                **self._base.with_run(landing=(run.landed, run.tip)),
            )  # fmt: skip
        self._base.when_recorded(partial(self._land, is_open))

    @property
    def _name(self) -> str:
        return (self._base.run.branch or "").removeprefix(_HEADS)

    def _land(self, is_open: bool) -> None:
        base, run = self._base, self._base.run
        old, new = run.landing
        landing = Landing(run.branch or "", old, new, is_open, run.base)

        def failed(error: Exception) -> None:
            self._wait(str(error), stays_open=True)

        base.steps.post(_KEY, lambda: base.git.land(landing), partial(self._over, landing), failed)

    def _over(self, landing: Landing, found: Landed | Postponed | Nothing) -> None:
        if isinstance(found, Postponed):
            if found.moved and self._follows < _MOST_FOLLOWS:
                self._follow(landing)
            else:
                names = f": {first_of(found.files, _MOST_NAMES)}" if found.files else ""
                self._wait(f"{found.why}{names}")
            return
        merged = sum(commit is not None for commit, _ in self._base.merged)
        text = f"landed on {self._name}" + (f": {number_of(merged, 'task')} merged" if merged else "")
        self._store.record(
            EventKind.RUN_LANDED, None, text, **self._base.with_run(landed=landing.new, landing=(), waits="")
        )
        self.is_busy = False

    def _follow(self, landing: Landing) -> None:
        """Bring the user's own commits into the run's branch, then land again."""
        base, at = self._base, int(self._base.parts.clock.now())
        self._follows += 1

        def then(found: Followed | Conflict | Postponed) -> None:
            if isinstance(found, Followed):
                self._store.record(
                    EventKind.RUN_LANDING, None, f"commits of yours on {self._name} are merged into the run's branch",
                    **base.with_run(landing=(), tip=found.tip, landed=found.landed),
                )  # fmt: skip
                self._tried = found.tip
                self._announce()
            elif isinstance(found, Conflict):
                self._wait(f"{CHANGED_SAME}: {first_of(list(found.files), _MOST_NAMES)}")
            else:
                self._wait(found.why)

        base.steps.post(_KEY, lambda: base.git.follow(landing, at), then, lambda error: self._wait(str(error)))

    def _wait(self, why: str, *, stays_open: bool = False) -> None:
        """Say what landing waits for, and how to do it by hand."""
        run = self._base.run
        text = f"not landed: {why}; what is merged is in {branch_of(run)}. Next: {landing_step(run, why)}"
        landing = run.landing if stays_open else ()
        self._store.record(EventKind.RUN_LANDED, None, text, **self._base.with_run(landing=landing, waits=why))
        self.is_busy = False
