"""Which calls an observer of a run gets, and when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines import make_engine
from fakes import exits

from nova_core.engine.observers.observer import Observer
from nova_core.runs.result import RunResult
from nova_core.state.events import Event, EventKind


class Recorder(Observer):
    """Records its calls."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def begin(self) -> None:
        self.heard.append("begin")

    def see(self, event: Event) -> None:
        if event.kind in (EventKind.RUN_STARTED, EventKind.TASK_COMPLETED, EventKind.RUN_ENDED):
            self.heard.append(event.kind.value)

    def finish(self, result: RunResult | None, hurry: Callable[[], bool]) -> None:
        assert result is not None
        assert not hurry()
        self.heard.append(f"finish {result.completed}")

    def close(self) -> None:
        self.heard.append("close")


class Counter(Observer):
    """Counts turns and looks."""

    turns = looks = 0

    def turn(self) -> None:
        self.turns += 1

    def look(self) -> None:
        self.looks += 1


def test_an_observer_follows_a_run_from_start_to_close(tmp_path: Path) -> None:
    """The observer is added before the run; `finish` is called when everything is on disk."""
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "A")], outcome=exits(0))
    recorder, counter = Recorder(), Counter()
    engine.observers.add(recorder)
    engine.observers.add(counter)
    engine.run()
    done = ["task_completed"] * 2
    assert recorder.heard == ["begin", "run_started", *done, "run_ended", "finish 2", "close"]
    assert counter.turns >= counter.looks > 0
