"""The interface of an observer of a run."""

from __future__ import annotations

from collections.abc import Callable

from nova_core.parser import Cascade
from nova_core.runs.result import RunResult
from nova_core.state.events import Event


class Observer:
    """Follows a run without changing its tasks. All calls come on the engine's thread; override those you need."""

    def begin(self) -> None:
        """The run begins; the state already includes what an earlier engine left."""

    def see(self, event: Event) -> None:
        """An event was recorded; also before the run begins, when a command changes the state without a run."""

    def take_plan(self, cascade: Cascade) -> None:
        """The plan changed during the run."""

    def turn(self) -> None:
        """Called after each turn of the loop, hundreds of times a second: it must be cheap if nothing is due."""

    def look(self) -> None:
        """Called every tenth of a second, for work that costs more."""

    def finish(self, result: RunResult | None, hurry: Callable[[], bool]) -> None:
        """The run is over and on disk; without a result, another engine continues it.

        Long work must end early once `hurry()` returns True.
        """

    def close(self) -> None:
        """Release all resources."""
