"""The dependency graph: order, readiness, depth, cycles and longest paths."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.dag import DAG, CycleError

DIAMOND = {"A": [], "B": ["A"], "C": ["A"], "D": ["B", "C"]}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Acyclic graphs whose plan order is not their topological order."""
    names = [f"T{i}" for i in range(draw(st.integers(0, 12)))]
    edges = {
        name: draw(st.lists(st.sampled_from(names[:i]), max_size=4, unique=True)) if i else []
        for i, name in enumerate(names)
    }
    return {name: edges[name] for name in draw(st.permutations(names))}


def closure(graph: dict[str, list[str]], start: str) -> set[str]:
    """Every task `start` depends on, found the slow way."""
    found: set[str] = set()
    for task_id in graph[start]:
        found |= {task_id} | closure(graph, task_id)
    return found


def longest_chain(graph: dict[str, list[str]], weights: dict[str, float], task_id: str) -> float:
    """The heaviest chain that ends at `task_id`, found the slow way."""
    return weights[task_id] + max((longest_chain(graph, weights, d) for d in graph[task_id]), default=0.0)


@given(graphs())
def test_order_puts_dependencies_first(graph: dict[str, list[str]]) -> None:
    """Every task appears once in the order, after everything it depends on."""
    dag = DAG(graph)
    rank = {dag.ids[node]: at for at, node in enumerate(dag.order)}
    assert rank.keys() == graph.keys()
    assert all(rank[d] < rank[t] for t, deps in graph.items() for d in deps)


@given(graphs(), st.data())
def test_ready_tasks_are_pending_with_completed_dependencies(graph: dict[str, list[str]], data: st.DataObject) -> None:
    """Ready is exactly: pending, and everything it depends on completed; in plan order."""
    status = st.sampled_from(["pending", "in_progress", "completed", "failed"])
    statuses = {task_id: data.draw(status) for task_id in graph if data.draw(st.booleans())}
    expected = [
        task_id
        for task_id, deps in graph.items()
        if statuses.get(task_id, "pending") == "pending" and all(statuses.get(d) == "completed" for d in deps)
    ]
    assert DAG(graph).get_ready_tasks(statuses) == expected


@given(graphs())
def test_depth_and_closures_agree_with_the_slow_way(graph: dict[str, list[str]]) -> None:
    """Depths, ancestors and descendants equal what plain recursion finds."""
    dag = DAG(graph)
    unit = dict.fromkeys(graph, 1.0)
    above = {task_id: closure(graph, task_id) for task_id in graph}
    for task_id in graph:
        assert dag.get_task_depth(task_id) == longest_chain(graph, unit, task_id) - 1
        assert dag.ancestors([task_id]) == above[task_id]
        assert dag.descendants([task_id]) == {other for other in graph if task_id in above[other]}
    depths = [dag.get_task_depth(task_id) for task_id in graph]
    assert dag.depth == max(depths, default=-1) + 1
    assert dag.widest_wave == max((depths.count(d) for d in depths), default=0)


@given(graphs(), st.data())
def test_critical_path_is_a_heaviest_chain(graph: dict[str, list[str]], data: st.DataObject) -> None:
    """The path is a chain of dependencies from a root, and none is heavier."""
    weights = {task_id: float(data.draw(st.integers(0, 9))) for task_id in graph}
    path = DAG(graph).critical_path([weights[task_id] for task_id in graph])
    assert all(first in graph[second] for first, second in pairwise(path))
    assert not path or graph[path[0]] == []
    best = max((longest_chain(graph, weights, task_id) for task_id in graph), default=0.0)
    assert sum(weights[task_id] for task_id in path) == best


@given(graphs(), st.data())
def test_an_edge_back_up_is_reported_as_a_cycle(graph: dict[str, list[str]], data: st.DataObject) -> None:
    """Any closed cycle is reported as a path of real edges that ends where it began."""
    linked = [(t, d) for t in graph for d in closure(graph, t)]
    if not linked:
        return
    low, high = data.draw(st.sampled_from(linked))
    cyclic = {**graph, high: [*graph[high], low]}
    with pytest.raises(CycleError) as raised:
        DAG(cyclic)
    path = raised.value.path
    assert path[0] == path[-1]
    assert len(set(path)) == len(path) - 1
    assert all(after in cyclic[before] for before, after in pairwise(path))
    assert " -> ".join(path) in str(raised.value)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ({"A": ["A"]}, "A -> A"),
        ({"F1": ["F2"], "F2": ["F1"]}, "F1 -> F2 -> F1"),
        ({"X": ["C"], "C": ["B"], "B": ["A"], "A": ["C"]}, "C -> B -> A -> C"),
    ],
)
def test_a_cycle_starts_at_its_first_task(graph: dict[str, list[str]], message: str) -> None:
    """The cycle is reported in the direction of `depends on`, from its first task in plan order."""
    with pytest.raises(ValueError, match=message):
        DAG(graph)


def test_ready_tasks_follow_a_run_through_a_diamond() -> None:
    """Each completion releases exactly the tasks that waited for it last."""
    dag = DAG(DIAMOND)
    assert dag.get_ready_tasks({}) == ["A"]
    assert dag.get_ready_tasks({"A": "completed"}) == ["B", "C"]
    assert dag.get_ready_tasks({"A": "completed", "B": "completed"}) == ["C"]
    assert dag.get_ready_tasks({"A": "completed", "B": "failed", "C": "completed"}) == []
    assert dag.get_ready_tasks({"A": "completed", "B": "completed", "C": "completed"}) == ["D"]


def test_a_dependency_named_twice_counts_once() -> None:
    """A repeated edge neither blocks the task forever nor appears twice."""
    dag = DAG({"A": [], "B": ["A", "A"]})
    assert dag.dependencies[1] == [0]
    assert dag.dependents[0] == [1]


@pytest.mark.parametrize("ask", [lambda: DAG({"A": ["B"]}), lambda: DAG({}).get_task_depth("A")])
def test_unknown_ids_are_key_errors(ask: object) -> None:
    """An unknown task name is a `KeyError`, in every method."""
    assert callable(ask)
    with pytest.raises(KeyError):
        ask()


def test_an_empty_graph_has_no_layers() -> None:
    """In an empty graph no task is ready and there is no depth, width or critical path."""
    dag = DAG({})
    assert (len(dag), dag.depth, dag.widest_wave, dag.critical_path([]), dag.get_ready_tasks({})) == (0, 0, 0, [], [])


def test_a_chain_longer_than_the_recursion_limit_works() -> None:
    """Depth needs no recursion: a chain of 20,000 tasks is ordered and its path found."""
    size = 20_000
    dag = DAG({f"T{i}": [f"T{i - 1}"] if i else [] for i in range(size)})
    assert dag.depth == size
    assert len(dag.critical_path([1.0] * size)) == size
    assert len(dag.ancestors([f"T{size - 1}"])) == size - 1
