"""The trees of a run, as the engine's loop sees them; most runs have none, and load nothing of all this."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nova_core.engine.attempts.criteria import CriteriaRunner
from nova_core.engine.attempts.evidence import Evidence
from nova_core.engine.attempts.finish import Finisher
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.retries import Retries

if TYPE_CHECKING:
    from nova_core.engine.trees.library import Gits
    from nova_core.engine.trees.opening import Opening
    from nova_core.engine.trees.work import Work
    from nova_core.state.git_run import GitRun


class Helpers(NamedTuple):
    """What works on attempts, for those that work on their trees."""

    finisher: Finisher
    criteria: CriteriaRunner
    retries: Retries
    evidence: Evidence


class Trees:
    """Whether tasks have trees, and what is done there. `work` is None for a run without.

    `new` is what a run has in git that begins now; `warnings` are those of its start, `why_not` says why
    tasks have no trees that should.
    """

    def __init__(self, parts: Parts, helpers: Helpers, gits: Gits | None, *, background: bool) -> None:
        self._parts = parts
        self._helpers = helpers
        self._gits = gits
        self._background = background
        self._opening: Opening | None = None
        self.work: Work | None = None
        self.warnings: list[str] = []
        self.why_not = ""

    def look(self, *, announced: bool) -> None:
        """Find out whether tasks work in trees, before anything is changed; see `Opening.look`."""
        if self._parts.config.isolation == "off" and self._parts.store.run.git is None:
            return
        from nova_core.engine.trees.library import Gits
        from nova_core.engine.trees.opening import Opening

        opening = Opening(self._parts, self._gits or Gits())
        opening.look(announced=announced)
        self.warnings, self.why_not = opening.warnings, opening.why_not
        self._opening = opening if opening.run is not None else None

    @property
    def new(self) -> GitRun | None:
        """What the run has in git from now on, if that is not recorded yet."""
        return self._opening.run if self._opening is not None and self._opening.is_new else None

    @property
    def is_wanted(self) -> bool:
        """True if new attempts will get trees."""
        return self._opening is not None and self._opening.is_on

    @property
    def has_begun(self) -> bool:
        """True if tasks have trees, or had them, and nothing was done there yet."""
        return self._opening is not None and self.work is None

    @property
    def is_given_up(self) -> bool:
        """True if a git did not come to its end before the run was to."""
        return self.work is not None and self.work.is_given_up

    def enter(self) -> None:
        """Open the run's git, and settle what an earlier engine left there. Raises `EnvironmentProblem`."""
        from nova_core.engine.trees.work import Work

        if self._opening is not None:
            self.work = Work(self._parts, self._opening.open(), self._helpers, background=self._background)

    def close(self) -> None:
        """Wait for the git steps that run; the next engine finds what they did."""
        if self.work is not None:
            self.work.close()
