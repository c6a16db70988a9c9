"""The races are fair: every tool gets the same graph, and the lower bound is correct."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nova_core.parser import parse_cascade

FILE = Path(__file__).parents[1] / "bench" / "graphs.py"


def load() -> ModuleType:
    """bench/graphs.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("bench_graphs", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_graphs"] = module
    spec.loader.exec_module(module)
    return module


graphs: Any = load()
GRAPHS = {
    "wide": graphs.wide(12),
    "chain": graphs.chain(7),
    "layered": graphs.layered(40, layers=4),
    "graham": graphs.graham(),
    "long last": graphs.long_last(),
    "heavy tails": graphs.heavy_tails(),
}


def dependencies(graph: Any) -> dict[str, list[str]]:
    """The dependencies of the graph, by id."""
    return {f"t{i}": [f"t{d}" for d in step.depends_on] for i, step in enumerate(graph)}


@pytest.mark.parametrize("name", GRAPHS)
def test_cascade_has_the_graph(name: str, tmp_path: Path) -> None:
    """The plan parses without a warning into the same tasks, dependencies and durations."""
    graph = GRAPHS[name]
    graphs.write_cascade(graph, tmp_path, durations=True)
    plan = parse_cascade(tmp_path / "CASCADE.md")
    assert plan.warnings == ()
    assert {i: list(task.depends_on) for i, task in plan.tasks.items()} == dependencies(graph)
    assert [task.duration for task in plan.tasks.values()] == [pytest.approx(step.seconds) for step in graph]
    assert [task.command for task in plan.tasks.values()] == [graphs.command_of(step) for step in graph]


@pytest.mark.parametrize("name", GRAPHS)
def test_dodo_has_the_graph(name: str, tmp_path: Path) -> None:
    """The tasks doit would see are the same."""
    graphs.write_doit(GRAPHS[name], tmp_path)
    scope: dict[str, Any] = {}
    exec(tmp_path.joinpath("dodo.py").read_text(), scope)
    tasks = list(scope["task_all"]())
    assert {task["basename"]: task["task_dep"] for task in tasks} == dependencies(GRAPHS[name])


@pytest.mark.parametrize("logged", [False, True])
def test_make_would_run_every_task_after_its_dependencies(logged: bool, tmp_path: Path) -> None:
    """`make -n` prints each command once, dependencies first."""
    graph = [graphs.Step((2,), 0.25), graphs.Step((), 0.5), graphs.Step((1,), 0.75)]
    graphs.write_make(graph, tmp_path, logged=logged)
    done = subprocess.run(["make", "-n", "all"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    lines = [line for line in done.stdout.splitlines() if line.startswith("sleep")]
    assert [line.split()[1] for line in lines] == ["0.5", "0.75", "0.25"]
    assert all(line.endswith("> logs/t1.log 2>&1") for line in lines[:1]) == logged


@pytest.mark.skipif(not shutil.which("ninja"), reason="ninja is not installed")
def test_ninja_would_run_every_task_after_its_dependencies(tmp_path: Path) -> None:
    """`ninja -n -v` does the same."""
    graph = [graphs.Step((2,), 0.25), graphs.Step((), 0.5), graphs.Step((1,), 0.75)]
    graphs.write_ninja(graph, tmp_path)
    done = subprocess.run(["ninja", "-n", "-v"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert [line.split()[-1] for line in done.stdout.splitlines() if "sleep" in line] == ["0.5", "0.75", "0.25"]


@pytest.mark.parametrize(
    ("graph", "jobs", "bound"),
    [
        (graphs.graham(4, 40, 0.1), 4, 4.0),
        (graphs.long_last(4, 40, 0.1), 4, 4.0),
        ([graphs.Step((), 1.0), graphs.Step((0,), 2.0), graphs.Step((), 0.5)], 2, 3.0),
        ([graphs.Step((), 1.0)] * 10, 4, 2.5),
    ],
)
def test_lower_bound(graph: Any, jobs: int, bound: float) -> None:
    """The longest path, or the work divided evenly, whichever is more."""
    assert graphs.lower_bound(graph, jobs) == pytest.approx(bound)


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_are_the_same_every_time(name: str) -> None:
    """Random choices use a fixed seed, and no task waits for a later one."""
    again = {"layered": lambda: graphs.layered(40, layers=4), "heavy tails": graphs.heavy_tails}
    assert again.get(name, lambda: GRAPHS[name])() == GRAPHS[name]
    assert all(d < i for i, step in enumerate(GRAPHS[name]) for d in step.depends_on)
