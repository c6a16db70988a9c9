"""A run in the Trace Event Format of Chrome, which ui.perfetto.dev and chrome://tracing open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from nova_core.clock import iso, seconds
from nova_core.runs.history import Run, reading
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event, EventKind
from nova_core.text import clean

# Events of the run as a whole: each is a mark in the lane above those of the workers.
MOMENTS = {
    EventKind.RUN_STARTED: "run started",
    EventKind.RUN_ENDED: "run ended",
    EventKind.RUN_PAUSED: "paused",
    EventKind.RUN_RESUMED: "resumed",
    EventKind.TASK_MERGING: "merging",
    EventKind.RUN_LANDED: "landed",
    EventKind.MILESTONE: "milestone",
    EventKind.BUDGET_REACHED: "budget reached",
    EventKind.PROVIDER_PAUSED: "rate limited",
    EventKind.PROVIDER_RESUMED: "no longer rate limited",
}
_PID = 1  # a viewer groups lanes by process; all lanes of a run are one process
_RUN_LANE = 0
_NOTICEABLE = 1.0  # seconds
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
_ARGUMENTS = ("status", "reason", "error", "agent", "verdict", "model", "cost_usd", "exit_code", "signal", "log")


class Told(msgspec.Struct, frozen=True):
    """What the events of a run add to its attempts: the names of tasks, and marks for the run as a whole."""

    names: Mapping[str, str] = {}
    moments: tuple[Event, ...] = ()


def trace_of(run: Run) -> dict[str, object]:
    """The trace of a run. Raises `EnvironmentProblem` if its history cannot be read."""
    return trace_document(run, load_told(run.file, run.summary.id))


def load_told(path: Path, run: str) -> Told:
    """The names and marks in a run's history. Raises `EnvironmentProblem` if it cannot be read."""
    names: dict[str, str] = {}
    moments: list[Event] = []
    with reading(path) as database:
        current, shift = "", 0.0
        for event in database.events_since(0):
            shift = _shift(event, shift)
            if event.kind is EventKind.RUN_STARTED:
                current = event.patch.get("id", "")
            if current != run:
                continue
            if event.kind in MOMENTS:
                moments.append(_shifted(event, shift))
            elif event.task is not None and isinstance(name := event.patch.get("name"), str):
                names[event.task] = name
    return Told(names, tuple(moments))


def _shift(event: Event, before: float) -> float:
    """How far the run's clock was ahead of the system time, in seconds; the second jumps when somebody sets it."""
    known = event.patch.get("run_time") or (event.patch.get("began") if event.kind is EventKind.TASK_STARTED else None)
    at = _microseconds(event.at)
    return before if known is None or at is None else known - at / 1_000_000


def _shifted(event: Event, shift: float) -> Event:
    """The event at the same time on the run's clock."""
    at = _microseconds(event.at)
    if at is None or abs(shift) < _NOTICEABLE:
        return event
    return msgspec.structs.replace(event, at=iso(at / 1_000_000 + shift))


def trace_document(run: Run, told: Told) -> dict[str, Any]:
    """The JSON object: a complete event for each finished attempt, in lanes without overlaps."""
    spans = sorted(((*_span(row), row) for row in run.attempts), key=lambda span: (*span[:2], span[2].task))
    first = min([*(start for start, _, _ in spans), *map(_at, told.moments)], default=0)
    lanes = lanes_of((start, end) for start, end, _ in spans)
    events = _metadata(clean(run.summary.name) or "run", max(lanes, default=0))
    events += [_moment(event, first) for event in told.moments]
    events += [
        _attempt(row, told.names.get(row.task, ""), start - first, end - start, lane)
        for (start, end, row), lane in zip(spans, lanes, strict=True)
    ]
    about = {"run": run.summary.id, "name": clean(run.summary.name), "started_at": iso(first / 1_000_000)}
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}


def lanes_of(spans: Iterable[tuple[int, int]]) -> list[int]:
    """A lane from 1 for each (start, end) of a sorted list: the lowest free one, so there are as few as possible."""
    ends: list[int] = []
    lanes = []
    for start, end in spans:
        lane = next((number for number, over in enumerate(ends) if over <= start), len(ends))
        ends[lane : lane + 1] = [end]
        lanes.append(lane + 1)
    return lanes


def _span(row: AttemptRow) -> tuple[int, int]:
    """Start and end in microseconds, both cut to whole milliseconds.

    `elapsed` is rounded to them: one less lets no attempt end after the next one in its slot has begun.
    """
    if row.began is not None:
        begin = int(row.began * 1000)
        return begin * 1000, (begin + max(0, round(row.elapsed * 1000) - 1)) * 1000
    start, end = _microseconds(row.started_at), _microseconds(row.ended_at)
    if start is None:
        start = max(0, (end or 0) - round(row.elapsed * 1_000_000))
    return start, max(start, start + round(row.elapsed * 1_000_000) if end is None else end)


def _at(event: Event) -> int:
    return _microseconds(event.at) or 0


def _microseconds(stamp: str | None) -> int | None:
    try:
        return round(seconds(stamp) * 1_000_000) if stamp else None
    except ValueError:  # another program may have written the state
        return None


def _metadata(name: str, lanes: int) -> list[dict[str, Any]]:
    names = {_RUN_LANE: "run", **{lane: f"worker {lane}" for lane in range(1, lanes + 1)}}
    process = {"name": "process_name", "ph": "M", "pid": _PID, "tid": _RUN_LANE, "args": {"name": name}}
    threads = [
        {"name": kind, "ph": "M", "pid": _PID, "tid": lane, "args": arguments}
        for lane, word in names.items()
        for kind, arguments in (("thread_name", {"name": word}), ("thread_sort_index", {"sort_index": lane}))
    ]
    return [process, *threads]


def _moment(event: Event, first: int) -> dict[str, Any]:
    return {
        "name": MOMENTS[event.kind], "cat": "run", "ph": "i", "s": "t", "ts": _at(event) - first, "pid": _PID,
        "tid": _RUN_LANE, "args": {"message": clean(event.message)},
    }  # fmt: skip


def _attempt(row: AttemptRow, name: str, start: int, took: int, lane: int) -> dict[str, Any]:
    known = {key: getattr(row, key) for key in _ARGUMENTS}
    arguments = {key: clean(v) if isinstance(v, str) else v for key, v in known.items() if v is not None}
    arguments |= {"task": clean(row.task), "attempt": row.attempt, "estimated": row.estimated}
    arguments |= {key: getattr(row, key) for key in _TOKENS}
    return {
        "name": clean(f"{row.task} {name}").strip(), "cat": f"attempt,{clean(row.status)}", "ph": "X", "ts": start,
        "dur": took, "pid": _PID, "tid": lane, "args": arguments,
    }  # fmt: skip
