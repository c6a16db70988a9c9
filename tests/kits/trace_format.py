"""Reads the JSON object form of Chrome's Trace Event Format as strictly as its description allows.

No reader of it is on PyPI without a download of its own (Perfetto's fetches a program), so this is an independent one:
it uses the format and no code of Nova. `make test-trace` checks with the engine of Chrome's DevTools, too.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

REQUIRED = {
    "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid"},
    "i": {"name", "cat", "ph", "ts", "s", "pid", "tid"},
    "M": {"name", "ph", "pid", "tid", "args"},
}
METADATA = {"process_name": ("name", str), "thread_name": ("name", str), "thread_sort_index": ("sort_index", int)}
TOP = {"traceEvents", "displayTimeUnit", "otherData"}


class Slice(NamedTuple):
    """A complete event; times are microseconds."""

    lane: tuple[int, int]
    start: int
    end: int
    name: str
    args: dict[str, Any]


class Trace(NamedTuple):
    """What a viewer shows."""

    processes: dict[int, str]
    threads: dict[tuple[int, int], str]
    slices: list[Slice]
    instants: list[tuple[int, str, dict[str, Any]]]
    about: dict[str, Any]


def refuse(value: str) -> None:
    """JSON has no NaN and no Infinity, though Python reads them."""
    raise ValueError(value)


def parse(text: str) -> Trace:
    """The trace; raises `ValueError` for anything that the format does not have, or a viewer could not show."""
    document = json.loads(text, parse_constant=refuse)
    require(isinstance(document, dict) and document.keys() <= TOP and "traceEvents" in document, "the object")
    require(document.get("displayTimeUnit", "ms") in ("ms", "ns"), "displayTimeUnit")
    trace = Trace({}, {}, [], [], document.get("otherData", {}))
    require(isinstance(document["traceEvents"], list), "traceEvents")
    for event in document["traceEvents"]:
        take(trace, event)
    lanes = [found.lane for found in trace.slices]
    require(set(lanes) <= trace.threads.keys(), "a lane without a name")
    require({process for process, _ in trace.threads} <= trace.processes.keys(), "a process without a name")
    require_nesting(trace.slices)
    return trace


def take(trace: Trace, event: Any) -> None:
    """One event."""
    require(isinstance(event, dict) and event.get("ph") in REQUIRED, f"a phase: {event}")
    require(REQUIRED[event["ph"]] <= event.keys() <= REQUIRED[event["ph"]] | {"args"}, f"the keys of {event}")
    require(all(type(event[key]) is int and event[key] >= 0 for key in ("pid", "tid")), f"pid and tid of {event}")
    require(isinstance(event["name"], str) and event["name"] != "", f"the name of {event}")
    require(isinstance(event.get("args", {}), dict), f"the arguments of {event}")
    lane = (event["pid"], event["tid"])
    if event["ph"] == "M":
        key, kind = METADATA[event["name"]]
        require(event["args"].keys() == {key} and type(event["args"][key]) is kind, f"the arguments of {event}")
        if event["name"] == "process_name":
            trace.processes[event["pid"]] = event["args"]["name"]
        elif event["name"] == "thread_name":
            require(lane not in trace.threads, f"a second name for {lane}")
            trace.threads[lane] = event["args"]["name"]
        return
    require(isinstance(event["cat"], str), f"the categories of {event}")
    require(type(event["ts"]) is int and 0 <= event["ts"] < 2**53, f"the time of {event}")
    if event["ph"] == "i":
        require(event["s"] in ("g", "p", "t"), f"the scope of {event}")
        trace.instants.append((event["ts"], event["name"], event.get("args", {})))
        return
    require(type(event["dur"]) is int and 0 <= event["dur"] < 2**53, f"the duration of {event}")
    trace.slices.append(Slice(lane, event["ts"], event["ts"] + event["dur"], event["name"], event.get("args", {})))


def require_nesting(slices: list[Slice]) -> None:
    """Slices of a lane are nested or separate: a viewer cuts off overlaps."""
    open_ends: dict[tuple[int, int], list[int]] = {}
    for found in sorted(slices, key=lambda one: (one.start, -one.end)):
        stack = open_ends.setdefault(found.lane, [])
        while stack and stack[-1] <= found.start:
            stack.pop()
        require(not stack or found.end <= stack[-1], f"{found.name} overlaps another in its lane")
        stack.append(found.end)


def require(holds: bool, what: str) -> None:
    """Raise `ValueError` if the condition is false."""
    if not holds:
        raise ValueError(f"not as the format has it: {what}")
