"""What one observer of a run hears."""

from __future__ import annotations

from collections.abc import Callable

from nova_core.parser import Cascade
from nova_core.runs.result import RunResult
from nova_core.state.events import Event


class Observer:
    """Follows a run without steering it. All calls come on the engine's thread; each observer takes those it needs."""

    def begin(self) -> None:
        """The run begins, with what an earlier engine left of it already in the state."""

    def see(self, event: Event) -> None:
        """Something happened; also before the run begins, when a command changes the state without a run."""

    def take_plan(self, cascade: Cascade) -> None:
        """The plan was changed while it runs."""

    def turn(self) -> None:
        """The engine's loop went round once: hundreds of times a second, so it must cost nothing if nothing is due."""

    def look(self) -> None:
        """A tenth of a second is over: time for what may cost more."""

    def finish(self, result: RunResult | None, hurry: Callable[[], bool]) -> None:
        """The run is over, and on disk; without a result another engine goes on with it.

        What takes time ends early once somebody is in a `hurry`.
        """

    def close(self) -> None:
        """Let go of everything."""
