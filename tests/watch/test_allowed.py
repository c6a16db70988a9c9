"""The actions allowed on a run and on its tasks, in every interface."""

from __future__ import annotations

import pytest
from fake_source import FakeSource, demo_source
from scripted_run import NOW

from nova_core.runs.words import Shown
from nova_core.state.schema import Reason, RunState, TaskState, TaskStatus
from nova_core.watch.allowed import FITS, OF_THE_RUN, WHEN, is_allowed
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel

STATES = {
    Shown.READY: TaskState(),
    Shown.BLOCKED: TaskState(blocked_by=("E2",)),
    Shown.RETRYING: TaskState(retry_at="2026-01-01T00:00:00+00:00", attempt=1),
    Shown.RUNNING: TaskState(status=TaskStatus.IN_PROGRESS),
    Shown.APPROVAL: TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting"),
    Shown.COMPLETED: TaskState(status=TaskStatus.COMPLETED),
    Shown.SKIPPED: TaskState(status=TaskStatus.COMPLETED, skipped=True),
    Shown.FAILED: TaskState(status=TaskStatus.FAILED, reason=Reason.AGENT_ERROR),
    Shown.CANCELLED: TaskState(status=TaskStatus.FAILED, reason=Reason.CANCELLED),
}


def model_of(state: TaskState | None = None, *, read_only: bool = False) -> ViewModel:
    """The demo plan, of which only the first task has a state."""
    cascade = demo_source().cascade
    tasks = {} if state is None else {cascade.dag.ids[0]: state}
    return ViewModel(FakeSource(cascade, tasks, read_only=read_only), NOW)


@pytest.mark.parametrize("shown", STATES)
def test_a_task_allows_what_fits_its_state(shown: Shown) -> None:
    """The table decides, for a user with control; without a task nothing is allowed."""
    model = model_of(STATES[shown])
    task_id = model.cascade.dag.ids[0]
    assert model.shown(task_id) is shown
    assert {a for a in FITS if is_allowed(model, a, task_id)} == {a for a, fits in FITS.items() if shown in fits}
    assert not any(is_allowed(model, action) for action in FITS)
    model.source.read_only = True
    assert not any(is_allowed(model, action, task_id) for action in FITS)


@pytest.mark.parametrize(
    ("engine", "paused", "allowed"),
    [
        (EngineState.RUNNING, False, {"pause", "workers"}),
        (EngineState.RUNNING, True, {"resume", "workers"}),
        (EngineState.FINISHED, False, {"go_on"}),
        (EngineState.GONE, True, {"go_on"}),
        (EngineState.CRASHED, False, {"go_on"}),
    ],
)
def test_a_run_allows_what_its_engine_can_do(engine: EngineState, paused: bool, allowed: set[str]) -> None:
    """A running run can be paused, one that is not running can be continued; a view without control can do neither."""
    model = model_of()
    source = model.source
    assert isinstance(source, FakeSource)
    source.engine, source.run = engine, RunState(id="r1", paused=paused)
    assert {action for action in OF_THE_RUN if is_allowed(model, action)} == allowed
    source.read_only = True
    assert not any(is_allowed(model, action) for action in OF_THE_RUN)


def test_a_finished_run_has_nothing_to_continue() -> None:
    """If every task is done an engine would find nothing to run."""
    source = FakeSource(demo_source().cascade)
    source.tasks = {i: TaskState(status=TaskStatus.COMPLETED) for i in source.cascade.dag.ids}
    source.engine = EngineState.FINISHED
    assert not is_allowed(ViewModel(source, NOW), "go_on")


def test_every_action_for_tasks_says_for_which() -> None:
    """The texts for people have the actions of the table, and typing; an unknown one is an internal error."""
    assert WHEN.keys() == FITS.keys() | {"type_into"}
    model = model_of()
    with pytest.raises(KeyError):
        is_allowed(model, "explode", model.cascade.dag.ids[0])
