"""The model follows the source, at the cost of what changed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fake_source import FakeSource, demo_model, demo_source
from hypothesis import given
from hypothesis import strategies as st
from scripted_run import NOW

from nova_core.clock import iso
from nova_core.runs.words import Shown
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import ProjectState, TaskState, TaskStatus
from nova_core.watch.source import EngineState, Update
from nova_core.watch.view_model import ViewModel
from nova_tui.views import cost
from nova_tui.views.header import counts
from nova_tui.views.running import needs_you

IDS = list(demo_source().cascade.tasks)
STATES = (
    TaskState(),
    TaskState(status=TaskStatus.IN_PROGRESS),
    TaskState(status=TaskStatus.COMPLETED),
    TaskState(status=TaskStatus.COMPLETED, skipped=True),
    TaskState(status=TaskStatus.FAILED),
    TaskState(blocked_by=("P1",)),
    TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting"),
)


@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(STATES)), max_size=40))
def test_updates_step_by_step_equal_a_full_count(changes: list[tuple[str, TaskState]]) -> None:
    """Counts, texts and sums after any changes equal those of a model built from the end."""
    source = FakeSource(demo_source().cascade)
    model = ViewModel(source, NOW)
    for task_id, state in changes:
        source.tasks[task_id] = state
        model.apply(Update(frozenset([task_id])), NOW)
    fresh = ViewModel(source, NOW)
    assert model.counts == fresh.counts
    assert {i: model.shown(i) for i in IDS} == {i: fresh.shown(i) for i in IDS}
    assert model.rollups.project == fresh.rollups.project


def test_a_completed_task_makes_its_dependents_dirty() -> None:
    """They may be ready now."""
    source = FakeSource(demo_source().cascade)
    model = ViewModel(source, NOW)
    source.tasks["P1"] = TaskState(status=TaskStatus.COMPLETED)
    dirty = model.apply(Update(frozenset(["P1"])), NOW)
    assert dirty.tasks == {"P1", "P2", "P3", "E1", "A1"}
    assert model.shown("P2") is Shown.READY


def test_nothing_new_is_nothing_to_draw() -> None:
    """An empty update, or one with the same state, asks for no row."""
    model = demo_model()
    assert model.apply(Update(frozenset(["P1"])), NOW).tasks == frozenset()
    assert not model.apply(Update(), NOW).header


def test_a_task_that_is_not_in_the_plan_changes_nothing() -> None:
    """Another program may write any id."""
    model = demo_model()
    assert model.apply(Update(frozenset(["no-such-task"])), NOW).tasks == frozenset()


def test_time_stands_still_when_no_engine_runs() -> None:
    """A run that ended with a failure took until its last task ended, however long it is shown."""
    source = FakeSource(demo_source().cascade)
    source.project_state = ProjectState("Orbit", "CASCADE.md", iso(NOW - 100))
    source.tasks["P1"] = TaskState(status=TaskStatus.FAILED, attempt=1, completed_at=iso(NOW - 40))
    model = ViewModel(source, NOW)
    assert model.run_seconds == pytest.approx(100)
    source.engine = EngineState.FINISHED
    assert model.run_seconds == pytest.approx(60)
    source.tasks["P2"] = TaskState(status=TaskStatus.IN_PROGRESS, started_at=iso(NOW - 30))
    assert ViewModel(source, NOW).run_seconds == pytest.approx(100)


def test_the_time_of_a_run_leaves_out_its_pauses() -> None:
    """The history, the state and the events give the same time, also long after."""
    source = FakeSource(demo_source().cascade)
    source.tasks["P1"] = TaskState(status=TaskStatus.FAILED, attempt=2, completed_at=iso(NOW - 500), elapsed=20.0)
    source.tasks["P2"] = TaskState(status=TaskStatus.IN_PROGRESS, attempt=1, started_at=iso(NOW - 30))
    model = ViewModel(source, NOW)
    assert (model.wall_seconds, model.work_seconds) == pytest.approx((50, 50))
    end = iso(NOW - 5)
    source.change("P2", EventKind.TASK_COMPLETED, status=TaskStatus.COMPLETED, completed_at=end, elapsed=25.0)
    model.apply(source.poll(), NOW + 1000)
    assert model.wall_seconds == pytest.approx(45)
    assert ViewModel(source, NOW + 9999).wall_seconds == pytest.approx(45)


def test_what_happened_before_is_recalled_once() -> None:
    """Before the events seen live, without the same event twice."""
    source = FakeSource(demo_source().cascade)
    source.history = [Event(n, iso(NOW), EventKind.MILESTONE, None, f"m{n}") for n in range(1, 5)]
    source.rev = 3
    source.feed(Event(4, iso(NOW), EventKind.MILESTONE, None, "m4"))
    model = ViewModel(source, NOW)
    model.apply(source.poll(), NOW)
    model.recall()
    model.recall()
    assert [event.message for event in model.events] == ["m1", "m2", "m3", "m4"]


APPROVAL = TaskState(TaskStatus.IN_PROGRESS, approval="waiting")


def test_what_asks_now_comes_before_the_next_failure() -> None:
    """From a failed task, the way leads to what has asked since; once seen, to the next failed task, and around."""
    source = FakeSource(demo_source().cascade, {"P1": TaskState(TaskStatus.FAILED), "P2": TaskState(TaskStatus.FAILED)})
    model = ViewModel(source, NOW)
    assert (model.next_needing(None, 1), model.next_needing("P1", 1), model.asked_first) == ("P1", "P2", None)
    source.change("E1", status=TaskStatus.IN_PROGRESS, approval="waiting")
    model.apply(source.poll(), NOW)
    assert (model.next_needing("P1", 1), model.asked_first) == ("E1", "E1")
    model.seen.add("E1")
    found = {here: (model.next_needing(here, 1), model.next_needing(here, -1)) for here in ("E1", "P1", "P2")}
    assert found == {"E1": ("P1", "P2"), "P1": ("P2", "E1"), "P2": ("E1", "P1")}
    source.change("E1", status=TaskStatus.COMPLETED, approval="approved")
    model.apply(source.poll(), NOW)
    source.change("E1", status=TaskStatus.IN_PROGRESS, approval="waiting")
    model.apply(source.poll(), NOW)
    assert model.next_needing("P1", 1) == "E1"


def test_the_line_of_what_needs_you_names_the_key_that_goes_there() -> None:
    """`tab` where it does, else `shift+tab`, else none; without approvals the header's `tab` is for failures."""
    failed = {i: TaskState(TaskStatus.FAILED) for i in ("P1", "P2", "P3")}
    model = ViewModel(FakeSource(demo_source().cascade, {**failed, "E1": APPROVAL}), NOW)
    assert "  tab go to it" in needs_you(model, "P2", 120).plain
    assert "a approve" in needs_you(model, "E1", 120).plain
    model.seen.add("E1")
    said = [needs_you(model, here, 120).plain for here in ("P1", "P2", "P3")]
    assert [text.rpartition("  ")[2].strip() for text in said] == ["shift+tab go to it", "", "tab go to it"]
    assert "tab next that needs you" in counts(model, 140).plain
    assert "tab next failed" in counts(ViewModel(FakeSource(demo_source().cascade, failed), NOW), 140).plain


def test_the_outlook_learns_from_earlier_runs_and_from_attempts_that_end_now() -> None:
    """The history is read once; an attempt that ends later counts at once."""
    source = demo_source()
    model = demo_model(source)
    assert (model.eta() or 90_000.0) < 90_000.0
    source.change("P3", EventKind.TASK_FAILED, status=TaskStatus.FAILED, completed_at=iso(NOW), elapsed=90_000.0)
    source.change("P3", EventKind.TASK_RESET, status=TaskStatus.PENDING, completed_at=None, elapsed=0.0)
    model.apply(source.poll(), NOW)
    assert (model.eta() or 0.0) >= 90_000.0


def test_what_the_rest_will_cost_is_said_or_that_it_is_not_known_yet() -> None:
    """Before anything was used, too."""
    source = FakeSource(demo_source().cascade)
    text = "\n".join(row.plain for row in cost.lines(ViewModel(source, NOW), 100))
    assert "what the rest will cost is known once 5 tasks have cost something" in text
    source.rows = [past_row(i) for i in IDS]
    text = "\n".join(row.plain for row in cost.lines(ViewModel(source, NOW), 100))
    assert re.search(r"(\d+) tasks left, ~\$\1\.00 more; ~\$\1\.00 in all", text)


def past_row(task_id: str) -> AttemptRow:
    """A completed attempt of an earlier run, for a dollar."""
    nothing: dict[str, Any] = dict.fromkeys(AttemptRow.__struct_fields__)
    figures = {"run": "r0", "task": task_id, "attempt": 1, "elapsed": 10.0, "status": "completed", "cost_usd": 1.0}
    return AttemptRow(**{**nothing, **figures})
