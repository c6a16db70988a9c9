"""Graphs to race on, and the same graph in the format of each tool."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One task: its dependencies by index, and how many seconds it sleeps (0: it does nothing)."""

    depends_on: tuple[int, ...] = ()
    seconds: float = 0.0


Graph = Sequence[Step]


def wide(n: int) -> Graph:
    """Nothing depends on anything."""
    return [Step()] * n


def chain(n: int) -> Graph:
    """Each depends on the one before."""
    return [Step((i - 1,) if i else ()) for i in range(n)]


def layered(n: int, layers: int = 20, edges: int = 3) -> Graph:
    """Layers of equal width; each task depends on a few of the layer above."""
    chance = random.Random(1)
    width = n // layers
    steps = []
    for i in range(width * layers):
        first = (i // width - 1) * width
        above = chance.sample(range(first, first + width), min(edges, width)) if i >= width else []
        steps.append(Step(tuple(sorted(above))))
    return steps


def graham(jobs: int = 4, length: int = 40, unit: float = 0.1) -> Graph:
    """Short tasks listed first, a chain listed last: in the order of the file it starts too late (Graham, 1969)."""
    short = [Step((), unit)] * ((jobs - 1) * length)
    return [*short, *(Step((len(short) + i - 1,) if i else (), unit) for i in range(length))]


def long_last(jobs: int = 4, length: int = 40, unit: float = 0.1) -> Graph:
    """Short tasks, and one listed last that takes as long as everything else together on the other workers."""
    return [*[Step((), unit)] * ((jobs - 1) * length), Step((), unit * length)]


def heavy_tails(n: int = 120, streams: int = 6, total: float = 20.0) -> Graph:
    """Like agents' work: many short tasks, some very long, in streams of unequal length, the longest stream listed
    last."""
    chance = random.Random(8)
    weights = [1 / (streams - s) for s in range(streams)]
    members = sorted(chance.choices(range(streams), weights, k=n))
    seconds = [chance.lognormvariate(0, 1.1) for _ in range(n)]
    scale = total / sum(seconds)
    last: dict[int, int] = {}
    steps = []
    for i, stream in enumerate(members):
        steps.append(Step((last[stream],) if stream in last else (), round(seconds[i] * scale, 3)))
        last[stream] = i
    return steps


def lower_bound(graph: Graph, jobs: int) -> float:
    """The lower bound in seconds of any schedule: the longest path, or the total work divided evenly."""
    ends: list[float] = []
    for step in graph:
        ends.append(step.seconds + max((ends[d] for d in step.depends_on), default=0.0))
    return max(max(ends), sum(step.seconds for step in graph) / jobs)


def command_of(step: Step) -> str:
    """What the task runs: a program, so that no tool can avoid starting a process."""
    return f"sleep {step.seconds}" if step.seconds else "/bin/true"


def _logged(command: str, i: int, logged: bool) -> str:
    return f"{command} > logs/t{i}.log 2>&1" if logged else command


def write_cascade(graph: Graph, folder: Path, *, durations: bool = False) -> None:
    """CASCADE.md; with `durations` it states how long each task will take."""
    lines = ["| Task ID | Task Name | Command | Duration | Depends On |", "|---|---|---|---|---|"]
    for i, step in enumerate(graph):
        above = ", ".join(f"t{d}" for d in step.depends_on) or "-"
        lines.append(
            f"| t{i} | Task {i} | `{command_of(step)}` | {f'{step.seconds}s' if durations else '-'} | {above} |"
        )
    folder.joinpath("CASCADE.md").write_text("# Race\n\n" + "\n".join(lines) + "\n")


def write_ninja(graph: Graph, folder: Path, *, logged: bool = False) -> None:
    """build.ninja; no output is ever created, so every edge is always out of date."""
    lines = ["rule run", "  command = $cmd"]
    for i, step in enumerate(graph):
        above = " ".join(f"t{d}" for d in step.depends_on)
        lines += [f"build t{i}: run {above}", f"  cmd = {_logged(command_of(step), i, logged)}"]
    folder.joinpath("build.ninja").write_text("\n".join(lines) + "\n")


def write_make(graph: Graph, folder: Path, *, logged: bool = False) -> None:
    """Makefile."""
    names = " ".join(f"t{i}" for i in range(len(graph)))
    lines = [f"all: {names}", f".PHONY: all {names}"]
    for i, step in enumerate(graph):
        above = " ".join(f"t{d}" for d in step.depends_on)
        lines += [f"t{i}: {above}", f"\t@{_logged(command_of(step), i, logged)}"]
    folder.joinpath("Makefile").write_text("\n".join(lines) + "\n")


def write_doit(graph: Graph, folder: Path, *, logged: bool = False) -> None:
    """dodo.py."""
    rows = [(f"t{i}", _logged(command_of(s), i, logged), [f"t{d}" for d in s.depends_on]) for i, s in enumerate(graph)]
    folder.joinpath("dodo.py").write_text(
        f"ROWS = {rows!r}\n\n\ndef task_all():\n    for name, command, above in ROWS:\n"
        '        yield {"basename": name, "actions": [command], "task_dep": above}\n'
    )
