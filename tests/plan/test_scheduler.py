"""The schedule: no limit exceeded, no task starved, the longest path first; compared with brute force."""

from __future__ import annotations

from typing import Any

import pytest
from drawn_graphs import graphs
from hypothesis import given
from hypothesis import strategies as st

from nova_core.dag import DAG
from nova_core.model import Task
from nova_core.plan.scheduler import Frontier, Limits, ReadyQueue, weights

NAMES = ("red", "blue")


@st.composite
def demanding(draw: st.DrawFn) -> tuple[DAG, dict[str, Task], Limits, int]:
    """Tasks with groups, locks, cpu and memory, and limits on all of them."""
    dag = draw(graphs())
    tasks = {
        i: Task(
            i, i, group=draw(st.sampled_from(NAMES)), branch=draw(st.sampled_from(NAMES)),
            locks=tuple(draw(st.sets(st.sampled_from(("db", "port")), max_size=2))),
            cpu=draw(st.sampled_from((0.0, 0.5, 1.0, 3.0, 9.0))), memory=draw(st.sampled_from((0, 1, 5, 90))),
            priority=draw(st.integers(-1, 1)),
        )
        for i in dag.ids
    }  # fmt: skip
    some = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3))
    return dag, tasks, Limits(draw(some), draw(some), cpu=4.0, memory=10), draw(st.integers(1, 4))


def over(tasks: list[Task], limits: Limits) -> list[str]:
    """The limits that these tasks exceed together; a demand above a ceiling counts as the ceiling."""
    bad = [f"branch {n}" for n, most in limits.branches.items() if sum(t.branch == n for t in tasks) > most]
    bad += [f"group {n}" for n, most in limits.groups.items() if sum(t.group == n for t in tasks) > most]
    bad += [f"lock {n}" for n in ("db", "port") if sum(n in t.locks for t in tasks) > 1]
    bad += ["cpu"] * (sum(min(t.cpu, limits.cpu) for t in tasks) > limits.cpu)
    return bad + ["memory"] * (sum(min(t.memory, limits.memory) for t in tasks) > limits.memory)


@given(demanding(), st.data())
def test_a_run_keeps_every_limit_and_ends(case: tuple[DAG, dict[str, Task], Limits, int], data: Any) -> None:
    """In whatever order tasks end: dependencies before dependents, never over a limit, no idle worker, and all tasks
    run."""
    dag, tasks, limits, jobs = case
    frontier, queue = Frontier(dag, ()), ReadyQueue(dag, tasks, [1.0] * len(dag), limits)
    for i in range(len(dag)):
        if frontier.is_free(i):
            queue.push(i)
    running: list[int] = []
    done: set[int] = set()
    while len(done) < len(dag):
        while len(running) < jobs and (index := queue.pop()) is not None:
            assert set(dag.dependencies[index]) <= done
            running.append(index)
        now = [tasks[dag.ids[i]] for i in running]
        assert over(now, limits) == []
        if len(running) < jobs:
            waiting = [i for i in range(len(dag)) if i in queue]
            assert all(over([*now, tasks[dag.ids[i]]], limits) for i in waiting), "a task that fits was left waiting"
        assert running, "nothing runs and nothing can start"
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        queue.finish(ended)
        done.add(ended)
        for freed in frontier.complete(ended):
            queue.push(freed)


@given(graphs(), st.data())
def test_without_limits_the_best_task_comes_first(dag: DAG, data: Any) -> None:
    """Priority, then the longest remaining path, then plan order."""
    tasks = {i: Task(i, i, priority=data.draw(st.integers(0, 1))) for i in dag.ids}
    durations = [data.draw(st.sampled_from((1.0, 2.0, 5.0))) for _ in dag.ids]
    longest = dag.remaining_paths(durations)
    queue = ReadyQueue(dag, tasks, durations, Limits())
    for i in range(len(dag)):
        queue.push(i)
    order = [queue.pop() for _ in dag.ids]
    assert order == sorted(range(len(dag)), key=lambda i: (-tasks[dag.ids[i]].priority, -longest[i], i))
    assert queue.pop() is None


@given(graphs(), st.data())
def test_the_frontier_equals_a_count_from_nothing(dag: DAG, data: Any) -> None:
    """After any completions and reopenings, ready means that every dependency is completed."""
    done: set[int] = set()
    frontier = Frontier(dag, ())
    for i in data.draw(st.lists(st.integers(0, len(dag) - 1), max_size=20)):
        if i in done:
            frontier.reopen(i)
            done.discard(i)
        else:
            freed = frontier.complete(i)
            assert freed == [s for s in dag.dependents[i] if set(dag.dependencies[s]) <= done | {i}]
            done.add(i)
        assert [frontier.is_free(n) for n in range(len(dag))] == [set(d) <= done for d in dag.dependencies]


def test_a_task_is_limited_if_anything_it_needs_is() -> None:
    """By a lock, or by the limit of its branch, its group, the cores or the memory; not by a demand without a limit."""
    needs: list[tuple[dict[str, Any], bool]] = [
        ({}, False), ({"locks": ("db",)}, True), ({"branch": "a"}, True), ({"branch": "b"}, False),
        ({"group": "g"}, True), ({"cpu": 0.5}, True), ({"memory": 5}, False),
    ]  # fmt: skip
    tasks = {f"T{i}": Task(f"T{i}", "t", **need) for i, (need, _) in enumerate(needs)}
    dag = DAG(dict.fromkeys(tasks, ()))
    queue = ReadyQueue(dag, tasks, [1.0] * len(dag), Limits({"a": 2}, {"g": 2}, cpu=4.0))
    assert [queue.is_limited(i) for i in range(len(dag))] == [limited for _, limited in needs]


def test_parked_tasks_cost_nothing() -> None:
    """Ten thousand tasks behind one lock: each is examined a few times, not once for every other that ends."""
    dag = DAG({f"T{i}": () for i in range(10_000)})
    tasks = {i: Task(i, i, locks=("one",)) for i in dag.ids}
    queue = ReadyQueue(dag, tasks, [1.0] * len(dag), Limits())
    for i in range(len(dag)):
        queue.push(i)
    looks = 0
    real = queue._needs

    class Counting(list):  # type: ignore[type-arg]
        def __getitem__(self, index: Any) -> Any:
            nonlocal looks
            looks += 1
            return real[index]

    queue._needs = Counting(real)
    for _ in range(len(dag)):
        index = queue.pop()
        assert index is not None
        queue.finish(index)
    assert looks < 20 * len(dag)


@pytest.mark.parametrize(
    ("history", "expected"),
    [({}, [2.0, 4.0, 3.0]), ({"A": 8.0}, [8.0, 4.0, 6.0]), ({"A": 8.0, "B": 1.0, "C": 5.0}, [8.0, 1.0, 5.0])],
)
def test_expected_seconds(history: dict[str, float], expected: list[float]) -> None:
    """The last duration of a task, else the plan's, else the average of the known ones."""
    dag = DAG({"A": (), "B": (), "C": ()})
    tasks = {"A": Task("A", "a", duration=2.0), "B": Task("B", "b", duration=4.0), "C": Task("C", "c")}
    assert weights(dag, tasks, history) == expected


def test_a_small_task_does_not_wait_behind_a_large_one() -> None:
    """Parked tasks are examined by what fits, not only by rank."""
    needs = {"a": 4.0, "b": 3.0, "c": 3.0, "d": 0.5}
    dag = DAG(dict.fromkeys(needs, ()))
    tasks = {name: Task(name, name, cpu=cpu, priority=-(name == "d")) for name, cpu in needs.items()}
    queue = ReadyQueue(dag, tasks, [1.0] * 4, Limits(cpu=4.0))
    for i in range(4):
        queue.push(i)
    assert (queue.pop(), queue.pop()) == (0, None)
    queue.finish(0)
    assert (queue.pop(), queue.pop(), queue.pop()) == (1, 3, None)


def test_a_task_that_was_taken_over_holds_its_locks_and_its_place() -> None:
    """It already runs when the queue is made: what needs its lock, or more than the rest of a limit, waits for it."""
    needs = {
        "adopted": Task("adopted", "x", locks=("db",), cpu=3.0),
        "locked": Task("locked", "x", locks=("db",)),
        "large": Task("large", "x", cpu=2.0),
        "small": Task("small", "x", cpu=1.0),
    }
    queue = ReadyQueue(DAG(dict.fromkeys(needs, ())), needs, [1.0] * 4, Limits(cpu=4.0))
    for i in range(4):
        queue.push(i)
    queue.take(0)
    assert (queue.pop(), queue.pop()) == (3, None)
    queue.finish(0)
    assert {queue.pop(), queue.pop()} == {1, 2}
