"""`ProgressTracker`: changes of tasks are kept, folded and reported, from many threads and processes."""

from __future__ import annotations

import logging
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nova_core.errors import EnvironmentProblem
from nova_core.files.disk import Disk
from nova_core.progress import ExecutionEvent, ProgressTracker, TaskProgress
from nova_core.state.database import Database
from nova_core.state.task_progress import MOST_EVENTS


@pytest.fixture(params=["memory", "database"])
def tracker(request: pytest.FixtureRequest, tmp_path: Path) -> ProgressTracker:
    """A tracker in memory, and one on a database."""
    return ProgressTracker(Database(str(tmp_path / "test.db")) if request.param == "database" else None)


def known(tracker: ProgressTracker, task_id: str) -> TaskProgress:
    """The tracker's progress of a task that must be known."""
    found = tracker.get_progress(task_id)
    assert found is not None
    return found


# as the documents use it


def test_a_task_starts(tracker: ProgressTracker) -> None:
    """`start_task(id, agent, criteria_total)` gives the task in progress, and it is among the active ones."""
    progress = tracker.start_task("task_1", "agent_1", criteria_total=3)
    assert (progress.task_id, progress.agent_id, progress.status) == ("task_1", "agent_1", "in_progress")
    assert (progress.criteria_total, progress.criteria_verified, progress.max_iterations) == (3, 0, 20)
    assert progress.started_at is not None
    assert tracker.get_all_active() == [progress]


@pytest.mark.parametrize(
    ("total", "order", "counts", "percents"),
    [
        (4, [0], [1], [25]),
        (4, [0, 1, 2, 3], [1, 2, 3, 4], [25, 50, 75, 100]),
        (3, [0, 1, 2], [1, 2, 3], [33, 66, 100]),
        (1, [0], [1], [100]),
        (4, [0, 0, 1], [1, 1, 2], [25, 25, 50]),
        (4, [2, 0, 1], [1, 2, 3], [25, 50, 75]),
    ],
    ids=["one of four", "in order", "thirds", "the only one", "reported twice", "out of order"],
)
def test_criteria_count_one_by_one(
    tracker: ProgressTracker, total: int, order: list[int], counts: list[int], percents: list[int]
) -> None:
    """In order, index `i` makes `i + 1` verified; out of order the skipped ones do not count."""
    tracker.start_task("task_1", "agent_1", criteria_total=total)
    told = [tracker.verify_criterion("task_1", index) for index in order]
    assert [progress.criteria_verified for progress in told if progress] == counts
    assert [progress.progress_percent for progress in told if progress] == percents


@pytest.mark.parametrize(("success", "status", "percent"), [(True, "complete", 100), (False, "failed", 25)])
def test_a_task_is_over(tracker: ProgressTracker, success: bool, status: str, percent: int) -> None:
    """`complete_task` sets how it ended and when; only success is 100 %, and the task is no longer active."""
    tracker.start_task("task_1", "agent_1", criteria_total=2)
    tracker.update_progress("task_1", 25)
    tracker.complete_task("task_1", success=success)
    progress = known(tracker, "task_1")
    assert (progress.status, progress.progress_percent) == (status, percent)
    assert progress.completed_at is not None
    assert tracker.get_all_active() == []


def test_listeners_hear_of_every_change_once(tracker: ProgressTracker) -> None:
    """Two changes are two calls, each with the task's progress at that time, whose last event is the change."""
    updates: list[TaskProgress] = []
    tracker.add_listener(updates.append)
    tracker.start_task("task_1", "agent_1", criteria_total=1)
    tracker.verify_criterion("task_1", 0)
    assert [update.progress_percent for update in updates] == [0, 100]
    assert [update.last_event.event_type for update in updates if update.last_event] == ["start", "progress"]
    tracker.remove_listener(updates.append)
    tracker.remove_listener(updates.append)
    tracker.complete_task("task_1", success=True)
    assert len(updates) == 2


def test_the_format_of_the_graph(tracker: ProgressTracker) -> None:
    """`to_graph_ui` has what a node and its agent's panel need, as plain values."""
    tracker.start_task("task_1", "agent_1", criteria_total=2, name="Build")
    tracker.verify_criterion("task_1", 1)
    shown = known(tracker, "task_1").to_graph_ui()
    assert {"sessionId", "iteration", "progress", "criteria", "logs", "status"} <= shown.keys()
    assert (shown["id"], shown["label"], shown["type"], shown["sessionId"]) == (
        "task_1",
        "Build",
        "task",
        "sess_task_1",
    )
    assert [criterion["status"] for criterion in shown["criteria"]] == ["pending", "pass"]
    assert [log["message"] for log in shown["logs"]] == ["Task execution started", "Criterion 2 verified"]
    assert msgspec.json.decode(msgspec.json.encode(shown)) == shown


# each method


def test_criteria_have_texts_and_evidence(tracker: ProgressTracker) -> None:
    """Criteria may be given as texts, are then identified by them, and can later fail."""
    tracker.start_task("T", criteria=["tests pass", "docs are there"], name="Build")
    tracker.verify_criterion("T", "docs are there", evidence="README.md")
    verified = known(tracker, "T").criteria[1]
    assert (verified.text, verified.verified, verified.evidence) == ("docs are there", True, "README.md")
    tracker.verify_criterion("T", 1, verified=False)
    assert (known(tracker, "T").criteria_verified, known(tracker, "T").progress_percent) == (0, 0)


@pytest.mark.parametrize("criterion", [-1, 2, "nothing of the kind"])
def test_an_unknown_criterion(tracker: ProgressTracker, criterion: int | str) -> None:
    """An unknown criterion is an error, and changes nothing."""
    tracker.start_task("T", "a", 2)
    with pytest.raises(ValueError, match="T has 2 criteria"):
        tracker.verify_criterion("T", criterion)
    assert len(known(tracker, "T").events) == 1


def test_criteria_override_a_reported_percentage(tracker: ProgressTracker) -> None:
    """A task at 60 % that verifies the first of four criteria is at 25 %: criteria are known, not estimated."""
    tracker.start_task("T", "a", 4)
    tracker.update_progress("T", 60, step="writing")
    tracker.verify_criterion("T", 0)
    assert (known(tracker, "T").progress_percent, known(tracker, "T").current_step) == (25, "writing")


@pytest.mark.parametrize(("given", "kept"), [(-5, 0), (33.9, 33), (250, 100)])
def test_a_percentage_stays_within_its_bounds(tracker: ProgressTracker, given: float, kept: int) -> None:
    """Whatever is reported, the progress is a whole number from 0 to 100."""
    tracker.start_task("T")
    tracker.update_progress("T", progress=given)
    assert known(tracker, "T").progress_percent == kept


def test_actions_and_their_files(tracker: ProgressTracker) -> None:
    """Files that an agent wrote or edited successfully count among its files, each once, in one list."""
    tracker.start_task("T")
    tracker.log_action("T", "write", "a.py", True)
    tracker.log_action("T", "edit", "a.py", True)
    tracker.log_action("T", "edit", "b.py", True)
    tracker.log_action("T", "edit", "c.py", False)
    tracker.log_action("T", "ran the tests", {"passed": 3}, files_modified=["report.xml"])
    progress = known(tracker, "T")
    assert (progress.files_created, progress.files_modified) == (("a.py",), ("b.py", "report.xml"))
    assert [event.message for event in progress.events[-2:]] == ["✗ edit: c.py", "✓ ran the tests"]
    assert progress.events[-1].details["info"] == {"passed": 3}


def test_iterations_and_errors(tracker: ProgressTracker) -> None:
    """The round is counted, an error is kept and does not end the task; success clears it."""
    tracker.start_task("T", max_iterations=5)
    tracker.update_iteration("T", 2)
    tracker.log_error("T", ValueError("no such module"))
    progress = known(tracker, "T")
    assert (progress.iteration, progress.max_iterations, progress.status) == (2, 5, "in_progress")
    assert (progress.error, progress.events[-1].event_type) == ("no such module", "error")
    tracker.complete_task("T", True)
    assert known(tracker, "T").error is None


def test_a_task_that_was_not_started(tracker: ProgressTracker) -> None:
    """No report has an effect, and no listener is called."""
    heard: list[TaskProgress] = []
    tracker.add_listener(heard.append)
    for told in (
        tracker.update_iteration("X", 1), tracker.update_progress("X", 5), tracker.verify_criterion("X", 0),
        tracker.log_action("X", "edit", "a", True), tracker.log_error("X", "e"), tracker.complete_task("X", True),
    ):  # fmt: skip
        assert told is None
    assert (tracker.get_progress("X"), heard) == (None, [])


def test_starting_again(tracker: ProgressTracker) -> None:
    """A task that starts again keeps only the name and the events of its last execution."""
    tracker.start_task("T", "a", 2, name="Build")
    tracker.log_action("T", "write", "a.py", True)
    tracker.complete_task("T", False, summary="broken")
    progress = tracker.start_task("T", "b", 1)
    assert (progress.name, progress.files_created, progress.error, progress.completed_at) == ("Build", (), None, None)
    assert (progress.agent_id, progress.criteria_total, len(progress.events)) == ("b", 1, 4)


def test_to_dict_has_both_kinds_of_names(tracker: ProgressTracker) -> None:
    """Every field by its name, and those for a program in a browser; all of them plain values."""
    tracker.start_task("T", "a", criteria=["it works"])
    tracker.log_action("T", "write", "a.py", True)
    found = known(tracker, "T").to_dict()
    assert (found["task_id"], found["taskId"], found["agentId"]) == ("T", "T", "a")
    assert found["criteria"] == [{"text": "it works", "verified": False, "evidence": "", "command": None}]
    assert found["files_created"] == found["filesCreated"] == ["a.py"]
    assert (found["progress_percent"], found["progress"], found["cost"]) == (0, 0, 0.0)
    assert [log["message"] for log in found["logs"]] == ["Task execution started", "✓ write: a.py"]
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


@pytest.mark.parametrize(
    ("fields", "cost", "most"),
    [({}, 0.0, 10.0), ({"cost_estimate": 1.5, "max_cost": 2.5}, 1.5, 2.5), ({"max_cost": 0.0}, 0.0, 0.0)],
)
def test_costs_are_numbers(fields: dict[str, float], cost: float, most: float) -> None:
    """`cost` and `maxCost` are never null; an unknown value stays None in `cost_estimate` and `max_cost`."""
    progress = TaskProgress("T", **fields)  # type: ignore[arg-type]
    for found in (progress.to_dict(), progress.to_graph_ui()):
        assert (found["cost"], found["maxCost"]) == (cost, most)
    assert (progress.to_dict()["cost_estimate"], progress.to_dict()["max_cost"]) == (
        fields.get("cost_estimate"), fields.get("max_cost"),
    )  # fmt: skip


def test_an_event_as_a_dictionary() -> None:
    """`ExecutionEvent` is made as the documents make it."""
    event = ExecutionEvent(timestamp="2026-01-02T03:04:05+00:00", event_type="start", message="begins")
    assert event.to_dict() == {
        "timestamp": "2026-01-02T03:04:05+00:00", "event_type": "start", "message": "begins", "details": {},
        "task_id": "",
    }  # fmt: skip


def test_old_events_give_way(tracker: ProgressTracker) -> None:
    """A task keeps its last 1,000 events in memory, and the totals of all events."""
    tracker = ProgressTracker()
    tracker.start_task("T")
    for number in range(MOST_EVENTS + 5):
        tracker.update_progress("T", 1, message=f"step {number}")
    progress = known(tracker, "T")
    assert (len(progress.events), progress.events[-1].message) == (MOST_EVENTS, f"step {MOST_EVENTS + 4}")
    assert progress.started_at is not None


# listeners


def test_a_broken_listener_breaks_nothing(tracker: ProgressTracker, caplog: pytest.LogCaptureFixture) -> None:
    """An error of a listener is logged in one line; the change counts and the next listener is called."""
    heard: list[TaskProgress] = []

    def broken(progress: TaskProgress) -> None:
        raise RuntimeError("no screen\n\x1b[2Jat all")

    tracker.add_listener(broken)
    tracker.add_listener(heard.append)
    with caplog.at_level(logging.ERROR):
        tracker.start_task("T")
    assert len(heard) == 1
    (record,) = caplog.records
    where = rf"{re.escape(__file__)}:\d+"
    assert re.fullmatch(
        rf"the listener .*broken failed at {where}: RuntimeError: no screen at all", record.getMessage()
    )
    assert record.exc_info is None


def test_a_listener_may_use_the_tracker(tracker: ProgressTracker) -> None:
    """A listener can query, also from another thread that it waits for, and can unsubscribe."""
    asked: list[TaskProgress | None] = []

    def curious(progress: TaskProgress) -> None:
        tracker.remove_listener(curious)
        with ThreadPoolExecutor(1) as pool:
            asked.append(pool.submit(tracker.get_progress, progress.task_id).result(timeout=60))

    tracker.add_listener(curious)
    started = tracker.start_task("T")
    tracker.update_progress("T", 5)
    assert asked == [started]


# many at once


def test_many_tasks_from_many_threads(tracker: ProgressTracker) -> None:
    """40 tasks reported by 8 threads at once: each has exactly its own events, and every change is reported once."""
    heard: list[str] = []
    tracker.add_listener(lambda progress: heard.append(progress.task_id))

    def execute(task_id: str) -> None:
        tracker.start_task(task_id, "agent", 4)
        for index in range(4):
            tracker.log_action(task_id, "write", f"{task_id}/{index}", True)
            tracker.verify_criterion(task_id, index)
        tracker.complete_task(task_id, True)

    ids = [f"T{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(execute, ids))
    for task_id in ids:
        progress = known(tracker, task_id)
        assert (progress.status, progress.criteria_verified, len(progress.events)) == ("complete", 4, 10)
        assert progress.files_created == tuple(f"{task_id}/{index}" for index in range(4))
    assert sorted(heard) == sorted(ids * 10)


def test_one_task_from_many_threads(tracker: ProgressTracker) -> None:
    """No change of one task is lost when many threads make them."""
    tracker.start_task("T", "agent", 64)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda index: tracker.verify_criterion("T", index), range(64)))
    assert (known(tracker, "T").criteria_verified, known(tracker, "T").progress_percent) == (64, 100)


def test_two_trackers_on_one_file(tmp_path: Path) -> None:
    """Each tracker knows the other's changes, even if both report at once."""
    one, two = (ProgressTracker(tmp_path / "p.db") for _ in range(2))
    one.start_task("T", "agent", 20)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: (one, two)[n % 2].verify_criterion("T", n), range(20)))
    assert known(one, "T") == known(two, "T")
    assert known(one, "T").criteria_verified == 20
    one.close()
    two.close()


# on disk


@pytest.mark.parametrize("kind", [str, Path])
def test_reopening_finds_everything(tmp_path: Path, kind: Any) -> None:
    """A tracker on an existing file has the state of the last one, to the last field."""
    tracker = ProgressTracker(kind(tmp_path / "p.db"))
    tracker.start_task("T", "agent", criteria=["works"], name="Build", max_cost=2.5, colour="red")
    tracker.log_action("T", "write", "a.py", True)
    tracker.verify_criterion("T", 0, evidence="seen")
    before = tracker.complete_task("T", True, summary="well")
    tracker.start_task("U")
    tracker.close()
    again = ProgressTracker(kind(tmp_path / "p.db"))
    assert known(again, "T") == before
    assert [task.task_id for task in again.get_all_active()] == ["U"]
    assert known(again, "T").events[0].details["colour"] == "red"
    again.close()


def test_a_change_that_cannot_be_written_does_not_count(tmp_path: Path) -> None:
    """The caller gets an `OSError`, no listener is called, and the task is unchanged."""

    class Full(Disk):
        full = False

        def step(self, call: str, path: str) -> None:
            if self.full:
                raise OSError(28, "No space left on device")

    disk = Full()
    tracker = ProgressTracker(Database(tmp_path / "p.db", disk))
    heard: list[TaskProgress] = []
    started = tracker.start_task("T")
    tracker.add_listener(heard.append)
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        tracker.complete_task("T")
    assert (tracker.get_progress("T"), heard) == (started, [])
    disk.full = False
    tracker.complete_task("T")
    assert [task.status for task in heard] == ["complete"]


_OLD_TABLES = """
CREATE TABLE events(
  rev INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, task TEXT, message TEXT NOT NULL, patch BLOB NOT NULL);
CREATE TABLE attempts(
  run TEXT NOT NULL, task TEXT NOT NULL, attempt INTEGER NOT NULL, started_at TEXT, ended_at TEXT,
  elapsed REAL NOT NULL, status TEXT NOT NULL, reason TEXT, exit_code INTEGER, signal INTEGER, error TEXT, log TEXT,
  model TEXT, cost_usd REAL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL, cache_creation_tokens INTEGER NOT NULL{columns},
  PRIMARY KEY(run, task, attempt)) WITHOUT ROWID;
INSERT INTO events
  VALUES(1, '2026-01-01T00:00:00.000+00:00', 'task_started', 'T', 'T started: Old', '{{"attempt": 1}}');
INSERT INTO attempts(run, task, attempt, elapsed, status, input_tokens, output_tokens, cache_read_tokens,
  cache_creation_tokens) VALUES('r', 'T', 1, 2.5, 'completed', 1, 2, 3, 4);
"""


def old_file(path: Path, version: int, columns: str) -> Path:
    """A database as an older Nova left it."""
    connection = sqlite3.connect(path)
    connection.executescript(_OLD_TABLES.format(columns=columns))
    connection.execute(f"PRAGMA user_version={version}")
    connection.close()
    return path


_SECOND = ", agent TEXT, verdict TEXT, estimated INTEGER NOT NULL DEFAULT 0, session_id TEXT"


@pytest.mark.parametrize(
    ("version", "columns"),
    [(1, ""), (1, ", agent TEXT"), (2, _SECOND)],
    ids=["first", "first, killed while it was brought up", "second"],
)
def test_an_older_file_is_brought_up(tmp_path: Path, version: int, columns: str) -> None:
    """Data of an older Nova is kept, read, and can be added to; opening only for reading changes nothing."""
    path = old_file(tmp_path / "nova.db", version, columns)
    viewer = Database(path, read_only=True)
    assert ProgressTracker(viewer).get_progress("T") is not None
    viewer.close()
    database = Database(path)
    tracker = ProgressTracker(database)
    tracker.start_task("U")
    assert [task.task_id for task in tracker.get_all_active()] == ["T", "U"]
    row = database.attempts()[0]
    assert (row.elapsed, row.cache_creation_tokens, row.estimated, row.agent) == (2.5, 4, False, None)
    database.close()
    again = Database(path)
    assert known(ProgressTracker(again), "U").status == "in_progress"
    again.close()


def test_a_newer_file_is_unchanged(tmp_path: Path) -> None:
    """A file of a newer Nova is not opened for writing."""
    path = old_file(tmp_path / "nova.db", 99, _SECOND)
    with pytest.raises(EnvironmentProblem, match="newer version"):
        ProgressTracker(path)
