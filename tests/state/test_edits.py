"""What others write into the state between two runs becomes events: it survives a rebuild of the state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from engines import killed, make_engine
from fakes import exits

from nova_core.state import StateManager, TaskStatus
from nova_core.state.database import Database
from nova_core.state.edits import edits, replayed
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import NEW, TaskState

ROWS = [("A", "-"), ("B", "A")]
CHANGED = EventKind.TASK_CHANGED


def by_manager(path: Path) -> None:
    """As a program of the documents."""
    StateManager(path).complete_task("A", duration_seconds=1, files_changed=["x"])


def by_hand(path: Path) -> None:
    """As a person with an editor, who formats the file as well."""
    state = json.loads(path.read_text())
    state["tasks"]["A"] |= {"status": "completed", "error": None, "reason": None}
    path.write_text(json.dumps(state, indent=4))


def outside_events(folder: Path) -> list[str]:
    """The tasks that events say other programs changed."""
    database = Database(folder / ".nova" / "nova.db", read_only=True)
    found = [event.task or "" for event in database.events_since(0) if event.kind is CHANGED]
    database.close()
    return found


@pytest.mark.parametrize("edit", [by_manager, by_hand])
@pytest.mark.parametrize("crashed", [False, True])
def test_a_completion_between_runs_survives_a_rebuild(
    tmp_path: Path, edit: Callable[[Path], None], crashed: bool
) -> None:
    """A failed; a person does it; B runs; then the state file is lost."""
    engine, _ = make_engine(tmp_path, ROWS, outcome=exits(1))
    engine.run()
    path = tmp_path / "cascade_state.json"
    edit(path)
    engine, fake = make_engine(tmp_path)
    engine.run()
    assert [job.key for job in fake.jobs] == ["B@1"]
    if crashed:
        engine, _ = make_engine(tmp_path)
        killed(engine)
    path.unlink()
    engine, fake = make_engine(tmp_path)
    assert engine.run().completed == 2
    assert fake.jobs == []
    assert outside_events(tmp_path) == ["A"]


@pytest.mark.parametrize("left", [True, False], ids=["noticed", "unknown"])
def test_a_run_that_nobody_edited_has_no_such_events(tmp_path: Path, left: bool) -> None:
    """Also if it is not known which version the last engine left: after a crash, or in a copy."""
    for outcome in (exits(1), exits(0)):
        make_engine(tmp_path, ROWS, outcome=outcome)[0].run()
        if not left:
            (tmp_path / ".nova" / "left").unlink()
        make_engine(tmp_path, ROWS, outcome=outcome)[0].close()
    assert outside_events(tmp_path) == []


def test_without_a_history_the_state_becomes_one(tmp_path: Path) -> None:
    """`nova.db` was lost, then the state: what was done is done."""
    make_engine(tmp_path, ROWS)[0].run()
    for path in (tmp_path / ".nova").glob("nova.db*"):
        path.unlink()
    (tmp_path / ".nova" / "left").unlink()
    make_engine(tmp_path)[0].run()
    (tmp_path / "cascade_state.json").unlink()
    engine, fake = make_engine(tmp_path)
    assert engine.run().completed == 2
    assert fake.jobs == []


def test_events_give_the_tasks_back() -> None:
    """Patches add up; a removed task is gone."""
    events = [
        Event(1, "", EventKind.TASK_STARTED, "A", "", {"status": "in_progress", "pid": 5}),
        Event(2, "", EventKind.TASK_COMPLETED, "A", "", {"status": "completed", "pid": None}),
        Event(3, "", EventKind.TASK_STARTED, "B", "", {"status": "in_progress"}),
        Event(4, "", EventKind.PLAN_CHANGED, "B", "", {"removed": True}),
        Event(5, "", EventKind.RUN_ENDED, None, "", {"completed_at": "x"}),
    ]
    assert replayed(events) == {"A": TaskState(TaskStatus.COMPLETED)}


@pytest.mark.parametrize(
    ("known", "found", "patch"),
    [
        (NEW, TaskState(TaskStatus.COMPLETED), {"status": TaskStatus.COMPLETED}),
        (NEW, TaskState(fingerprint="x", attempt=3), {}),
        (NEW, TaskState(TaskStatus.COMPLETED, settled="done"), {}),
        (TaskState(TaskStatus.FAILED, error="e"), TaskState(TaskStatus.FAILED, error="e"), {}),
        (TaskState(TaskStatus.FAILED, error="e"), NEW, {"status": TaskStatus.PENDING, "error": None}),
    ],
)
def test_only_what_no_event_has_set_is_an_edit(known: TaskState, found: TaskState, patch: dict[str, object]) -> None:
    """What the plan alone restores is none."""
    assert edits({"A": known}, {"A": found}).get("A", {}) == patch
