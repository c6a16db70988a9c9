"""Many processes on one state file: no torn read, no lost update, and readers without a lock."""

from __future__ import annotations

import json
import multiprocessing
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from msgspec.structs import replace

from nova_core.state import StateManager, TaskStatus
from nova_core.state.schema import State

WRITERS = 8


def write(path: str, name: str, stop: Event, queue: multiprocessing.Queue[tuple[str, int]]) -> None:
    """Count upwards in a task of its own, at least once, until asked to stop; then report the count."""
    manager = StateManager(path)
    count = 0
    while not count or not stop.is_set():
        count += 1
        manager.update_task_tokens(name, input_tokens=count)
        if count % 7 == 0:
            manager.update_task("shared", status=TaskStatus.IN_PROGRESS, current_step=name)
    queue.put((name, count))


def publish(path: str, stop: Event, queue: multiprocessing.Queue[tuple[str, int]]) -> None:
    """Publish as the engine does: what others wrote is merged first."""
    manager = StateManager(path)
    state, count = manager.adopt(), 0
    while not count or not stop.is_set():
        project = replace(state.project, started_at=str(count))
        if manager.publish(State(rev=count, project=project, tasks=dict(state.tasks)), None):
            count += 1
        state = manager.adopt()
    queue.put(("engine", count))


def hammer(path: Path, seconds: float, count: int = WRITERS) -> tuple[dict[str, int], int]:
    """Writers, an engine and one plain reader for some time; returns each count and the number of reads."""
    StateManager(path).initialize("P", "c")
    context = multiprocessing.get_context("spawn")
    stop, queue = context.Event(), context.Queue()
    writers = [context.Process(target=write, args=(str(path), f"T{n}", stop, queue)) for n in range(count)]
    writers.append(context.Process(target=publish, args=(str(path), stop, queue)))
    for writer in writers:
        writer.start()
    reads, last = 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with path.open() as file:
            state = json.load(file)  # raises on a torn file
        assert state["writes"] >= last, "time went back"
        last, reads = state["writes"], reads + 1
    stop.set()
    counts = dict(queue.get(timeout=60) for _ in writers)
    for writer in writers:
        writer.join(60)
    return counts, reads


def assert_nothing_lost(path: Path, counts: dict[str, int]) -> None:
    published = counts.pop("engine")
    state = StateManager(path).read_state()
    assert {name: state["tasks"][name]["token_usage"]["input_tokens"] for name in counts} == counts
    assert state["writes"] == 1 + published + sum(n + n // 7 for n in counts.values()), "one replacement per update"


def test_writers_and_a_reader_sample(tmp_path: Path) -> None:
    """A fifth of a second of the test with three writers, in every run of the suite."""
    path = tmp_path / "cascade_state.json"
    counts, reads = hammer(path, 0.2, 3)
    assert_nothing_lost(path, counts)
    assert reads


@pytest.mark.slow
def test_eight_writers_and_a_reader(tmp_path: Path) -> None:
    """Twenty seconds of the test, as documented."""
    path = tmp_path / "cascade_state.json"
    counts, reads = hammer(path, 20.0)
    assert_nothing_lost(path, counts)
    print(f"{sum(counts.values())} updates by {WRITERS} processes, {reads} reads")
    assert reads > 100
