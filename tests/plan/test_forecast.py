"""When tasks will be done: a simulation of the remaining run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nova_core.dag import DAG
from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.parser.cascade import branches_of
from nova_core.plan.forecast import forecast
from nova_core.plan.scheduler import Limits
from nova_core.state.schema import TaskState, TaskStatus

NOW = 1_700_000_000.0
BEGAN = "2023-11-14T22:13:10.000+00:00"  # ten seconds before


def plan(**tasks: tuple[str, float | None]) -> Cascade:
    """Tasks by name, each with the names it depends on and its seconds."""
    rows = tasks.items()
    made = {i: Task(i, i, depends_on=tuple(needs), duration=took, branch="B") for i, (needs, took) in rows}
    return Cascade("P", "p", made, DAG({i: t.depends_on for i, t in made.items()}), (), branches_of(made.values()))


def ends(
    cascade: Cascade, jobs: int = 2, limits: Limits | None = None, states: Mapping[str, TaskState] | None = None
) -> dict[str, float]:
    """When each task is done."""
    return forecast(cascade, states or {}, jobs, limits or Limits(), {}, NOW)


def test_tasks_follow_each_other_and_share_workers() -> None:
    """The longest path goes first, as in a run."""
    cascade = plan(a=("", 1.0), b=("a", 2.0), c=("", 4.0), d=("", 1.0))
    assert ends(cascade) == {"a": 1.0, "b": 3.0, "c": 4.0, "d": 4.0}
    assert max(ends(cascade, jobs=1).values()) == 8.0
    assert max(ends(cascade, jobs=9, limits=Limits(branches={"B": 1})).values()) == 8.0


def test_what_runs_has_only_its_rest_to_go() -> None:
    """A task that takes longer than expected could finish now."""
    cascade = plan(a=("", 15.0), b=("", 5.0))
    running = TaskState(TaskStatus.IN_PROGRESS, started_at=BEGAN)
    assert ends(cascade, states={"a": running, "b": running}) == {"a": 5.0, "b": 0.0}


def test_what_cannot_be_done_is_not_counted() -> None:
    """Nor do its dependents; a task that needs approval has no time."""
    cascade = plan(a=("", 1.0), b=("a", 1.0), c=("", 1.0), d=("c", 1.0), e=("", 1.0))
    states = {
        "a": TaskState(TaskStatus.FAILED), "b": TaskState(blocked_by=("a",)),
        "c": TaskState(TaskStatus.IN_PROGRESS, approval="waiting"),
    }  # fmt: skip
    assert ends(cascade, states=states) == {"e": 1.0}


def test_nothing_known_gives_no_forecast() -> None:
    """With one known duration the others are assumed to be similar."""
    assert ends(plan(a=("", None), b=("", None))) == {}
    assert ends(plan(a=("", 3.0), b=("a", None))) == {"a": 3.0, "b": 6.0}
    took = TaskState(TaskStatus.COMPLETED, elapsed=2.0)
    assert ends(plan(a=("", 3.0), b=("a", None)), states={"a": took}) == {"b": 2.0}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=12), st.integers(1, 4))
def test_a_forecast_is_between_the_longest_path_and_all_work(rows: list[tuple[int, int]], jobs: int) -> None:
    """For every plan; every task has its time."""
    tasks: dict[str, Any] = {}
    for number, (back, took) in enumerate(rows):
        tasks[f"t{number}"] = ([f"t{number - back}"] if 0 < back <= number else [], float(took))
    cascade = plan(**tasks)
    found = ends(cascade, jobs)
    assert set(found) == set(cascade.tasks)
    work = sum(took for _, took in rows)
    longest = max(cascade.dag.remaining_paths([float(took) for _, took in rows]))
    assert max(longest, work / jobs) - 1e-6 <= max(found.values()) <= work + 1e-6
