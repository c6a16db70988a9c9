"""Which tasks failures block, compared with the definition."""

from __future__ import annotations

from typing import Any

from drawn_graphs import graphs
from hypothesis import given
from hypothesis import strategies as st

from nova_core.dag import DAG
from nova_core.plan.blocked import BLOCKERS_SHOWN, blocked_tasks, blockers, failed_above, newly_blocked
from nova_core.state.schema import NEW, TaskState, TaskStatus


def drawn_states(dag: DAG, data: Any) -> dict[str, TaskState]:
    """Any status for each task; a task without a state is pending."""
    drawn = data.draw(st.lists(st.sampled_from(TaskStatus), min_size=len(dag), max_size=len(dag)))
    return {i: TaskState(status) for i, status in zip(dag.ids, drawn, strict=True) if status is not TaskStatus.PENDING}


def causes(dag: DAG, states: dict[str, TaskState], task_id: str) -> set[str]:
    """The failed tasks above a task that are reached only through pending tasks."""
    found: set[str] = set()
    for d in dag.dependencies[dag.index[task_id]]:
        name = dag.ids[d]
        status = states.get(name, NEW).status
        if status is TaskStatus.PENDING:
            found |= causes(dag, states, name)
        found |= {name} if status is TaskStatus.FAILED else set()
    return found


@given(graphs(), st.data())
def test_a_task_is_blocked_by_failures_above(dag: DAG, data: Any) -> None:
    """A pending task is blocked exactly if a failure is above it with only pending tasks between; up to three failures
    are named, and all on request, from below and from above alike."""
    states = drawn_states(dag, data)
    found = blockers(dag, states)
    for task_id in dag.ids:
        expected = causes(dag, states, task_id) if states.get(task_id, NEW) is NEW else set()
        assert set(found.get(task_id, ())) <= expected
        assert len(found.get(task_id, ())) == min(len(expected), BLOCKERS_SHOWN)
        if states.get(task_id, NEW) is NEW:
            assert set(failed_above(dag, states, task_id)) == expected
            failed = {i for i, state in states.items() if state.status is TaskStatus.FAILED}
            assert {i for i in failed if task_id in blocked_tasks(dag, states, i)} == expected


@given(graphs(), st.data())
def test_failures_one_after_the_other_mark_what_all_at_once_do(dag: DAG, data: Any) -> None:
    """Marks added with each failure name the same tasks as marks computed from scratch, and no task more than three
    times."""
    states = drawn_states(dag, data)
    failed = [i for i, state in states.items() if state.status is TaskStatus.FAILED]
    for task_id in failed:
        states[task_id] = TaskState(TaskStatus.IN_PROGRESS)
    for task_id in data.draw(st.permutations(failed)):
        states[task_id] = TaskState(TaskStatus.FAILED)
        for other, marks in newly_blocked(dag, states, task_id).items():
            states[other] = TaskState(blocked_by=marks)
    marked = {i: len(state.blocked_by) for i, state in states.items() if state.blocked_by}
    assert marked == {i: len(marks) for i, marks in blockers(dag, states).items()}
