"""A run fills the tracker: reports of engines, agents and `nova report` are the progress of tasks, live and later."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import nova
from engines import make_engine, report, write_plan
from fakes import exits, ok

from nova_core.config import AgentConfig, Config
from nova_core.executors.base import Ended, Job
from nova_core.orchestrator import Orchestrator
from nova_core.progress import ProgressTracker, TaskProgress
from nova_core.state.database import Database
from nova_core.state.events import Event, EventKind
from nova_core.state.task_progress import of_run

CAPTURE = Path(__file__).parents[1] / "agents" / "captures" / "claude" / "tool.jsonl"
ONE = [("A", "-")]


def history(folder: Path) -> ProgressTracker:
    """A tracker on the files of the runs in the folder, opened as a viewer does."""
    return ProgressTracker(Database(folder / ".nova" / "nova.db", read_only=True))


def known(tracker: ProgressTracker, task_id: str = "A") -> TaskProgress:
    """The tracker's progress of a task that must be known."""
    found = tracker.get_progress(task_id)
    assert found is not None
    return found


def add_criteria(folder: Path, *lines: str) -> None:
    """Give A these criteria."""
    with (folder / "CASCADE.md").open("a") as plan:
        plan.write("\n#### A\n\n" + "".join(f"- [ ] {line}\n" for line in lines))


REPORTS = """\
# Reports

| Task ID | Task Name | Command | Depends On |
|---------|-----------|---------|------------|
| A | Build | `sh work.sh` | - |
| B | Break | `exit 3` | - |
| C | After | `true` | B |

#### A

- [ ] `test -s made.txt`
- [ ] it is pretty
- [ ] it is fast
- [ ] `true`
"""
WORK = """\
set -e
report="python -m nova_core report"
$report --step "writing" --percent 40
$report --action "chose the colour"
echo x > made.txt; $report --output made.txt
$report --file old.txt
$report --criterion 2
$report --criterion 1
! $report --criterion 99 --message "one too many"
$report --note "mind the colour"
$report --message "half of it"
"""


def test_a_real_run_fills_the_tracker(tmp_path: Path) -> None:
    """Reports of workers, results of criteria and ends of tasks are known afterwards from the history alone."""
    (tmp_path / "CASCADE.md").write_text(REPORTS)
    (tmp_path / "work.sh").write_text(WORK)
    ran = nova("run", "--no-ui", cwd=tmp_path)
    assert ran.returncode == 1
    assert " says: half of it\n" in ran.stdout
    for path in ("CASCADE.md", "cascade_state.json"):
        (tmp_path / path).unlink()
    tracker = history(tmp_path)
    done = known(tracker)
    assert (done.name, done.status, done.progress_percent, done.iteration) == ("Build", "complete", 100, 1)
    assert (done.files_created, done.files_modified) == (("made.txt",), ("old.txt",))
    assert [(c.verified, c.evidence) for c in done.criteria] == [
        (True, "its command succeeds"), (True, "reported by its worker"), (False, ""), (True, "its command succeeds"),
    ]  # fmt: skip
    assert done.criteria[1].text == "it is pretty"
    assert done.started_at is not None
    assert done.completed_at is not None
    assert done.started_at <= done.completed_at
    told = [(event.event_type, event.message) for event in done.events]
    assert told[0] == ("start", "A started: Build")
    assert told[-1] == ("complete", "A done")
    for event in (
        ("progress", "A: writing"), ("action", "A: chose the colour"), ("action", "A: wrote made.txt"),
        ("action", "A: changed old.txt"), ("progress", "A: left a note"),
    ):  # fmt: skip
        assert event in told
    assert ("progress", "A: one too many") not in told
    broken = known(tracker, "B")
    assert (broken.status, broken.error, broken.progress_percent) == ("failed", "exit code 3", 0)
    assert tracker.get_progress("C") is None
    assert tracker.get_all_active() == []


def test_an_agent_fills_the_tracker(tmp_path: Path) -> None:
    """Agent, model, tokens, cost and files come from the agent's own output."""
    write_plan(tmp_path, ONE, extra={"Agent": {"A": "mock"}, "Command": {"A": ""}})
    agents = {"mock": AgentConfig(command=("cat", str(CAPTURE)), parser="claude")}
    engine = Orchestrator(tmp_path / "CASCADE.md", tmp_path / "cascade_state.json", config=Config(agents=agents))
    assert engine.run().exit_code == 0
    done = known(history(tmp_path))
    assert (done.agent_id, done.model) == ("mock", "claude-opus-5-5")
    assert done.token_usage.total > 0
    assert done.cost_estimate is not None
    assert done.cost_estimate > 0
    assert done.to_graph_ui()["cost"] == done.cost_estimate


def test_criteria_that_a_command_proves_are_not_taken_on_trust(tmp_path: Path) -> None:
    """A worker that reports a criterion whose command then fails has not met it."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "`test 1`", "by eye")
    engine, executor = make_engine(tmp_path)

    def outcome(job: Job) -> Ended | None:
        if "+" in job.key:
            return exits(1)(job)
        report(engine, "A", criterion=1)
        return ok(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 1
    progress = known(history(tmp_path))
    assert (progress.status, progress.criteria_verified, progress.criteria_total) == ("failed", 0, 2)
    assert progress.error is not None
    assert "criterion not met" in progress.error


def test_a_proved_criterion_takes_nothing_away(tmp_path: Path) -> None:
    """A worker that reported 60 % is still there when the first of its four criteria is met."""
    write_plan(tmp_path, ONE)
    add_criteria(tmp_path, "`true`", "`false`", "`false`", "`false`")
    engine, executor = make_engine(tmp_path)

    def outcome(job: Job) -> Ended | None:
        if job.key == "A@1":
            report(engine, "A", percent=60)
        return exits(int(job.key.endswith("+2")))(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 1
    progress = known(history(tmp_path))
    assert (progress.criteria_verified, progress.progress_percent) == (1, 60)


def test_attempts_are_iterations(tmp_path: Path) -> None:
    """Each retry is an iteration; a failure that is retried is an error event, and the end is the last attempt's."""
    engine, _ = make_engine(
        tmp_path, ONE, outcome=lambda job: exits(0 if job.key == "A@2" else 1)(job), config=Config(retries=2)
    )
    assert engine.run().exit_code == 0
    progress = known(history(tmp_path))
    assert (progress.iteration, progress.max_iterations, progress.status) == (2, 0, "complete")
    kinds = [event.event_type for event in progress.events]
    assert [kind for kind in kinds if kind != "progress"] == ["start", "error", "start", "complete"]
    assert progress.error is None


def test_listeners_follow_an_engine(tmp_path: Path) -> None:
    """A tracker that receives an engine's events calls its listeners as they happen, and has each event once."""
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "A")])
    tracker = ProgressTracker(engine.project.database)
    heard: list[tuple[str, str]] = []
    tracker.add_listener(lambda task: heard.append((task.task_id, str(task.status))))
    engine.subscribe(tracker.take)
    assert engine.run().exit_code == 0
    assert heard == [("A", "in_progress"), ("A", "complete"), ("B", "in_progress"), ("B", "complete")]
    after = history(tmp_path)
    assert [known(tracker, i) for i in "AB"] == [known(after, i) for i in "AB"]
    tracker.close()


def test_a_tracker_follows_a_run_elsewhere(tmp_path: Path) -> None:
    """A tracker that was opened before has what an engine has written to disk since."""
    engine, executor = make_engine(tmp_path, ONE, outcome=lambda job: None)
    tracker = history(tmp_path)
    assert tracker.get_progress("A") is None
    engine.start_worker("A")
    engine.store.flush()
    assert [task.task_id for task in tracker.get_all_active()] == ["A"]
    executor.outcome = ok
    engine.run()
    assert known(tracker).status == "complete"


def test_calls_and_a_run_in_one_database(tmp_path: Path) -> None:
    """Calls for a task that a run executed follow after the run's own events, also when read again."""
    engine, _ = make_engine(tmp_path, ONE)
    assert engine.run().exit_code == 0
    tracker = ProgressTracker(tmp_path / ".nova" / "nova.db")
    tracker.log_action("A", "edit", "later.py", True)
    assert known(tracker).files_modified == ("later.py",)
    assert known(history(tmp_path)) == known(tracker)
    tracker.close()


def patched(kind: EventKind, **patch: object) -> Event:
    """An event of task A."""
    return Event(1, "2026-01-02T03:04:05.678+00:00", kind, "A", "A: something", patch)


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        (patched(EventKind.TASK_COMPLETED, status="completed", skipped=True), "complete", "complete"),
        (patched(EventKind.TASK_FAILED, status="failed", reason="lost", error="gone"), "complete", "failed"),
        (patched(EventKind.TASK_ADOPTED, status="in_progress", attempt=2), "start", "in_progress"),
        (patched(EventKind.TASK_CHANGED, status="completed"), "complete", "complete"),
    ],
)
def test_tasks_that_no_start_is_known_of(event: Event, kind: str, status: str) -> None:
    """Skipped, lost, adopted tasks and those that another program changed are known nevertheless."""
    tracker = ProgressTracker()
    tracker.take(event)
    progress = known(tracker)
    assert (progress.status, [e.event_type for e in progress.events]) == (status, [kind])


@pytest.mark.parametrize("kind", [EventKind.TASK_RUNNING, EventKind.TASK_BLOCKED, EventKind.PLAN_CHANGED])
def test_bookkeeping_is_not_progress(kind: EventKind) -> None:
    """Events unrelated to the execution are not among its events, nor is the run as a whole."""
    assert of_run(patched(kind, pid=7)) is None
    assert of_run(Event(1, "t", EventKind.WARNING, None, "low on disk")) is None
