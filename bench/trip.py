"""The trip of one task through the engine: calls, and calls from file to file, from the ready queue to `completed`.

    python bench/trip.py [--pairs]

Runs a plan of one shell task (`true`) in a folder of its own, with the real engine, holder and disk, and profiles the
engine's thread from when the ready queue returns the task until its `task_completed` event is recorded. A call counts
when it enters code of `nova_core`; it crosses if the nearest calling code of `nova_core` is in another file. The engine
is woken once before the task ends, and checks its inbox, the plan and the logs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, FrameType

import nova_core
from nova_core.engine.startup import Host
from nova_core.executors.base import News
from nova_core.executors.local import LocalExecutor
from nova_core.files.project import Project
from nova_core.orchestrator import Orchestrator

ROOT = os.path.dirname(nova_core.__file__) + os.sep
PLAN = "# Trip\n\n| Task ID | Task Name | Depends On | Command |\n|---|---|---|---|\n| A | a | - | `true` |\n"


class Trip:
    """Counts while it is open: from the return of the ready queue's `pop` to the return of the call that records the
    event."""

    def __init__(self) -> None:
        self.calls = 0
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.files: set[str] = set()
        self.open = False

    def take(self, frame: FrameType, event: str, argument: object) -> None:
        """Handle one event of `sys.setprofile`."""
        code = frame.f_code
        if not code.co_filename.startswith(ROOT):
            return
        if self.open and event == "call":
            self._enter(frame, code)
        elif event == "return" and argument is not None:
            self._leave(code.co_qualname, argument)

    def _leave(self, name: str, result: object) -> None:
        self.open |= name == "ReadyQueue.pop"
        self.open &= not (name == "Store.record" and getattr(result, "kind", "") == "task_completed")

    def _enter(self, frame: FrameType, code: CodeType) -> None:
        self.calls += 1
        to = code.co_filename.removeprefix(ROOT)
        self.files.add(to)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(ROOT):
            caller = caller.f_back
        if caller is not None and (origin := caller.f_code.co_filename.removeprefix(ROOT)) != to:
            self.pairs[origin, to] += 1

    @property
    def crossings(self) -> int:
        return self.pairs.total()


class Woken(LocalExecutor):
    """Reports nothing at first, then waits for the end of the task, however busy the machine is."""

    calls = 0

    def wait(self, timeout: float | None) -> list[News]:
        self.calls += 1
        news: list[News] = []
        while self.calls == 2 and not news:  # the thread that writes to disk wakes the executor, too
            news = super().wait(None)
        return news or (super().wait(timeout) if self.calls > 2 else [])


def make_executor(project: Project, run: str, environment: Mapping[str, str]) -> Woken:
    """The executor as the engine makes it, but of class `Woken`."""
    return Woken(project.nova_dir, project.log_dir, run_id=run, base_env=environment, cwd=project.root)


def measure() -> Trip:
    """The trip of one task in a new project."""
    trip = Trip()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "CASCADE.md").write_text(PLAN)
        engine = Orchestrator(
            folder / "CASCADE.md", folder / "cascade_state.json", 2, host=Host(make_executor=make_executor)
        )
        sys.setprofile(trip.take)
        try:
            result = engine.run()
        finally:
            sys.setprofile(None)
    if result.completed != 1 or trip.open or not trip.calls:
        raise SystemExit("the task was not seen from its start to its end")
    return trip


def main() -> None:
    """Print the figures of one trip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", action="store_true", help="print from which file to which the calls go")
    options = parser.parse_args()
    trip = measure()
    print(f"{trip.calls} calls, {trip.crossings} of them from file to file, {len(trip.files)} files")
    for (origin, to), count in trip.pairs.most_common() if options.pairs else ():
        print(f"{count:4}  {origin} -> {to}")


if __name__ == "__main__":
    main()
