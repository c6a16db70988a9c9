"""Which completed tasks are stale, and why, for every cause and through every kind of task between."""

from __future__ import annotations

from typing import Any

import pytest
from drawn_graphs import graphs
from hypothesis import given
from hypothesis import strategies as st

from nova_core.dag import DAG
from nova_core.model import Task
from nova_core.parser import Cascade
from nova_core.plan.stale import listed, stale
from nova_core.state.schema import TaskState, TaskStatus

CHAIN = {"A": (), "B": ("A",), "C": ("B",), "X": ()}


def plan(edges: dict[str, tuple[str, ...]], **changes: Any) -> Cascade:
    """A plan with these dependencies; `changes` are fields by task."""
    tasks = {i: Task(i, i, depends_on=needs, **changes.get(i, {})) for i, needs in edges.items()}
    return Cascade("P", "P.md", tasks, DAG(edges), (), {"": {"": tuple(tasks)}})


def done(at: int, **fields: Any) -> TaskState:
    """A task that ran from minute `at` to the next."""
    return TaskState(
        TaskStatus.COMPLETED, started_at=f"{at:02}:00", completed_at=f"{at + 1:02}:00", attempt=1, **fields
    )


ALL_DONE = {"A": done(1), "B": done(3), "C": done(5), "X": done(1)}
FAILED = TaskState(TaskStatus.FAILED, attempt=2)
BY_HAND = TaskState(TaskStatus.COMPLETED)
SKIPPED = done(3, skipped=True)
CASES: dict[str, tuple[dict[str, TaskState], dict[str, Any], dict[str, str]]] = {
    "nothing": ({}, {}, {}),
    "edited": (
        {},
        {"edited": ["A"]},
        {"A": "edited since it was done", "B": "A was edited", "C": "A was edited"},
    ),
    "edited in the middle": ({}, {"edited": ["B"]}, {"B": "edited since it was done", "C": "B was edited"}),
    "an output is gone": (
        {},
        {"lost": {"B": ["output `b` does not exist"]}},
        {"B": "output `b` does not exist", "C": "an output of B is gone"},
    ),
    "edited, and its output is gone": (
        {},
        {"edited": ["C"], "lost": {"C": ["gone"]}},
        {"C": "edited since it was done"},
    ),
    "ran again": ({"A": done(9)}, {}, {"B": "A ran again later", "C": "A ran again later"}),
    "ran again, and so did the next": ({"A": done(9), "B": done(11)}, {}, {"C": "B ran again later"}),
    "will run again": ({"A": TaskState(attempt=1)}, {}, {"B": "A is not done", "C": "A is not done"}),
    "failed when it ran again": ({"A": FAILED}, {}, {"B": "A is not done", "C": "A is not done"}),
    "never ran": ({"A": TaskState()}, {}, {}),
    "edited, not run yet": ({"A": TaskState()}, {"edited": ["A"]}, {}),
    "through a skipped task": (
        {"B": SKIPPED},
        {"edited": ["A"]},
        {"A": "edited since it was done", "C": "A was edited"},
    ),
    "through one done by hand": (
        {"B": BY_HAND},
        {"lost": {"A": ["gone"]}},
        {"A": "gone", "C": "an output of A is gone"},
    ),
    "done by hand after its output was gone": ({"A": BY_HAND}, {"lost": {"A": ["gone"]}}, {}),
    "skipped, and edited": ({"B": SKIPPED}, {"edited": ["B"]}, {"B": "edited since it was done", "C": "B was edited"}),
}


@pytest.mark.parametrize(("states", "given_", "expected"), CASES.values(), ids=CASES)
def test_stale(states: dict[str, TaskState], given_: dict[str, Any], expected: dict[str, str]) -> None:
    """Each cause has its words, reaches everything below, and nothing else."""
    assert stale(plan(CHAIN), {**ALL_DONE, **states}, **given_) == expected


def test_a_gate_hands_on_what_is_stale_before_it() -> None:
    """A gate has no work of its own: it is never stale, but what is behind it is."""
    gated = plan({"A": (), "G": ("A",), "B": ("G",)}, G={"gate": True})
    states = {"A": done(1), "G": TaskState(TaskStatus.COMPLETED), "B": done(3)}
    assert stale(gated, states, ["A"]) == {"A": "edited since it was done", "B": "A was edited"}


@given(graphs(), st.data())
def test_staleness_reaches_everything_below_and_nothing_else(dag: DAG, data: Any) -> None:
    """Of done tasks, exactly the edited ones and their descendants are stale; one task alone gets the same answer."""
    cascade = plan({i: tuple(dag.ids[d] for d in dag.dependencies[n]) for n, i in enumerate(dag.ids)})
    states = {i: done(2 * n + 1) for n, i in enumerate(dag.ids)}
    edited = data.draw(st.sets(st.sampled_from(dag.ids)))
    found = stale(cascade, states, edited)
    assert found.keys() == edited | dag.descendants(edited)
    one = data.draw(st.sampled_from(dag.ids))
    assert stale(cascade, states, edited, only=[one]).get(one) == found.get(one)


def test_a_long_list_is_cut() -> None:
    """Names the first five, and how many more there are."""
    assert listed({"A": "x"}) == "A (x)"
    assert listed({f"T{n}": "x" for n in range(7)}) == "T0 (x), T1 (x), T2 (x), T3 (x), T4 (x) and 2 more"
