"""Reads Kiro's graph of tasks: waves as JSON in any of its shapes, or arrows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

from nova_core.importers.checklist import Checklist, Fence

_MOST = 8_000_000  # characters of one fence
_WAVE_NAMES = ("id", "wave", "name", "number")
_TASK_NAMES = ("tasks", "task_ids", "taskIds", "items")
_ARROW = re.compile(r"\s*(?:--+>|==+>|->|=>|→|⟶|⇒)\s*")
_GRAPH = re.compile(r"dependency graph|task graph|dependencies|execution (?:order|waves)|依赖|依存", re.IGNORECASE)


class Wave(msgspec.Struct):
    """Words for tasks that may run together. `after` names the waves before it; None means the one just above."""

    line: int
    name: str
    tasks: list[str]
    after: list[str] | None = None


class Graph(msgspec.Struct):
    """The order of tasks that a file states apart from their places. `broken` says why a graph is invalid."""

    line: int = 0
    waves: list[Wave] = []
    arrows: list[tuple[int, str, str]] = []
    broken: str = ""


def read_graph(found: Checklist) -> Graph | None:
    """The graph of a file; None if it has none. Of several, the first with content."""
    last: Graph | None = None
    for fence in found.fences:
        text = "\n".join(found.lines[fence.start + 1 : fence.end])[:_MOST]
        if '"waves"' in text:
            graph = _read_waves(text, fence)
        elif _ARROW.search(text) and _is_below_graph(found, fence.heading):
            graph = Graph(fence.start + 1, arrows=list(_read_arrows(found, fence)))
        else:
            continue
        if graph.waves or graph.arrows:
            return graph
        last = last or graph
    loose = [line for line in found.loose if _is_below_graph(found, line.heading) and _ARROW.search(line.text[:2_000])]
    if loose:
        return Graph(loose[0].line, arrows=[a for line in loose for a in _pairs(line.line, line.text, "")[0]])
    return last


def _is_below_graph(found: Checklist, heading: int) -> bool:
    return any(_GRAPH.search(title.text[:200]) for title in found.titles(heading))


def _read_waves(text: str, fence: Fence) -> Graph:
    line = fence.start + 1
    try:
        data = json.loads(text, parse_float=str, parse_int=str)  # 1.10 is an id, not a number
    except (ValueError, RecursionError) as error:
        why = getattr(error, "msg", None) or "it is nested too deeply"
        return Graph(line, broken=f"the waves are not JSON: {why}")
    listed = data.get("waves") if isinstance(data, dict) else None
    if isinstance(listed, dict):
        listed = [{"id": name, "tasks": tasks} for name, tasks in listed.items()]
    if not isinstance(listed, list):
        return Graph(line, broken="the waves are not a list")
    return Graph(line, [wave for at, part in enumerate(listed) if (wave := _wave(part, at, line))])


def _wave(part: Any, at: int, line: int) -> Wave | None:
    if not isinstance(part, dict):
        return Wave(line, str(at), _words(part))
    name = next((str(part[key]) for key in _WAVE_NAMES if key in part), str(at))
    tasks = next((_words(part[key]) for key in _TASK_NAMES if key in part), [])
    after = part.get("depends_on", part.get("dependsOn"))
    return Wave(line, name, tasks, None if after is None else _words(after))


def _words(value: Any) -> list[str]:
    """The ids in a list, a string with commas, a number, or a list of objects with ids."""
    if isinstance(value, str):
        return [word for word in re.split(r"[,;\s]+", value) if word]
    if isinstance(value, dict):
        value = next((value[key] for key in ("id", "task", "taskId") if key in value), None)
        return [str(value)] if isinstance(value, str) else []
    if isinstance(value, list):
        return [word for part in value if not isinstance(part, list) for word in _words(part)]
    return []


def _read_arrows(found: Checklist, fence: Fence) -> Iterator[tuple[int, str, str]]:
    """Each `A --> B`. A line that begins with an arrow continues the line above."""
    before = ""
    for at in range(fence.start + 1, min(fence.end, len(found.lines))):
        pairs, before = _pairs(at + 1, found.lines[at], before)
        yield from pairs


def _pairs(line: int, text: str, before: str) -> tuple[list[tuple[int, str, str]], str]:
    pieces = [piece.strip() for piece in _ARROW.split(text[:20_000])]
    if len(pieces) > 1 and not pieces[0]:
        pieces[0] = before
    pairs = [(line, left, right) for left, right in pairwise(pieces) if left and right]
    return pairs, pieces[-1]
