"""Done tasks whose outputs are gone or whose text was edited, at the next run."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from engines import make_engine, on, tasks_of, write_plan
from fakes import FakeClock, FakeExecutor, exits, ok

from nova_core.command import Command, CommandKind
from nova_core.engine.renewal import find_stale
from nova_core.executors.base import Ended, Job
from nova_core.files.project import Project
from nova_core.orchestrator import Orchestrator
from nova_core.parser import parse_cascade
from nova_core.plan.selection import Selection
from nova_core.state import StateManager
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_core.watch.offline import apply_offline

ROWS = [("A", "-"), ("B", "A"), ("C", "B")]
DAYS = itertools.count(1_700_000_000.0, 86_400.0)  # every run is a day after the one before
OUTPUTS = {"Outputs": {"A": "a.txt", "B": "b.txt", "C": "c.txt"}}


def working(folder: Path, *, uses_up: str = "") -> FakeExecutor:
    """Each job makes the output of its task; job C deletes the file `uses_up`."""

    def outcome(job: Job) -> Ended:
        task_id = job.key.partition("@")[0]
        (folder / f"{task_id.lower()}.txt").write_text(job.key)
        if task_id == "C" and uses_up:
            (folder / uses_up).unlink()
        return ok(job)

    return FakeExecutor(FakeClock(next(DAYS)), outcome)


def first_run(folder: Path, uses_up: str = "") -> None:
    """A run in which everything is done."""
    engine, _ = make_engine(folder, ROWS, executor=working(folder, uses_up=uses_up), extra=OUTPUTS)
    assert engine.run().exit_code == 0


def next_run(folder: Path, **options: object) -> tuple[list[str], list[str]]:
    """Run again. Returns the keys of the jobs and the warnings."""
    engine, executor = make_engine(folder, executor=working(folder), **options)  # type: ignore[arg-type]
    warnings: list[str] = []
    engine.subscribe(lambda event: warnings.append(event.message) if event.kind is EventKind.WARNING else None)
    assert engine.run().exit_code == 0
    return [job.key for job in executor.jobs], warnings


GONE = "1 done task will run again: B (output `b.txt` does not exist)"
STALE = "1 done task may be stale: C (an output of B is gone); run them again with: nova run --rerun-changed"


def test_a_deleted_output_is_made_again(tmp_path: Path) -> None:
    """Its task runs again, which is said first; what depends on it is named, and stays as it is."""
    first_run(tmp_path)
    (tmp_path / "b.txt").unlink()
    assert next_run(tmp_path) == (["B@2"], [GONE, STALE])
    assert (tmp_path / "b.txt").read_text() == "B@2"
    later = "1 done task may be stale: C (B ran again later); run them again with: nova run --rerun-changed"
    assert next_run(tmp_path) == ([], [later])
    jobs, warnings = next_run(tmp_path, rerun_changed=True)
    assert (jobs, warnings) == (["C@2"], ["1 done task will run again: C (B ran again later)"])
    assert next_run(tmp_path) == ([], [])


def test_rerun_changed_runs_what_depends_on_a_deleted_output(tmp_path: Path) -> None:
    """With the option, everything below runs again in the same run."""
    first_run(tmp_path)
    (tmp_path / "b.txt").unlink()
    assert next_run(tmp_path, rerun_changed=True)[0] == ["B@2", "C@2"]


def test_an_output_used_up_by_a_later_task_is_not_missed(tmp_path: Path) -> None:
    """What a task of the run deleted or moved is not made again; once it is back, a deletion counts again."""
    first_run(tmp_path, uses_up="a.txt")
    assert next_run(tmp_path) == ([], [])
    (tmp_path / "a.txt").write_text("back")
    assert next_run(tmp_path) == ([], [])
    (tmp_path / "a.txt").unlink()
    assert next_run(tmp_path)[0] == ["A@2"]


def test_a_run_of_other_tasks_does_not_forget_a_deleted_output(tmp_path: Path) -> None:
    """Tasks that are not selected stay as they are: named now, made again by a run that selects them."""
    first_run(tmp_path)
    (tmp_path / "b.txt").unlink()
    jobs, warnings = next_run(tmp_path, selection=Selection(only=("A",)))
    assert jobs == []
    assert warnings[0].startswith("2 done tasks may be stale: B (output `b.txt` does not exist), C (")
    assert next_run(tmp_path)[0] == ["B@2"]


@pytest.mark.parametrize("how", ["skipped", "by hand"])
def test_what_nobody_made_is_not_made_again(tmp_path: Path, how: str) -> None:
    """A task that a person marked as done, also after it had failed, has no outputs to miss."""
    engine, _ = make_engine(tmp_path, ROWS, outcome=exits(1), extra=OUTPUTS)
    engine.run()
    if how == "skipped":
        apply_offline(engine.project, Command(CommandKind.SKIP, ("A", "B", "C")))
    else:
        for task_id in "ABC":
            StateManager(tmp_path / "cascade_state.json").complete_task(task_id)
    assert next_run(tmp_path) == ([], [])


def test_a_command_to_an_idle_run_starts_nothing(tmp_path: Path) -> None:
    """Pausing an idle run leaves done tasks as they are, even if an output is gone."""
    first_run(tmp_path)
    (tmp_path / "a.txt").unlink()
    assert apply_offline(Project(tmp_path), Command(CommandKind.PAUSE)).ok
    assert {state.status for state in tasks_of(tmp_path).values()} == {TaskStatus.COMPLETED}


def test_an_edited_task_is_named_until_it_runs_again(tmp_path: Path) -> None:
    """Every run names it and what depends on it; `rerun_changed` runs them again, and then all is well."""
    first_run(tmp_path)
    write_plan(tmp_path, ROWS, extra={**OUTPUTS, "Command": {"B": "echo new"}})
    said = [
        "2 done tasks may be stale: B (edited since it was done), C (B was edited); "
        "run them again with: nova run --rerun-changed"
    ]
    assert next_run(tmp_path) == ([], said)
    assert next_run(tmp_path) == ([], said)
    assert next_run(tmp_path, rerun_changed=True)[0] == ["B@2", "C@2"]
    assert next_run(tmp_path) == ([], [])


def test_a_program_sees_what_will_run_again(tmp_path: Path) -> None:
    """Step by step, the task is ready as soon as the engine is there."""
    first_run(tmp_path)
    (tmp_path / "a.txt").unlink()
    engine = Orchestrator(tmp_path / "CASCADE.md", tmp_path / "cascade_state.json")
    assert engine.get_ready_tasks() == ["A"]
    engine.close()


@pytest.mark.parametrize("path", ["a.txt", "b.txt"])
def test_what_a_done_task_used_up_is_not_missed_after_a_kill(tmp_path: Path, path: str) -> None:
    """It is recorded with the end of the task, also if another task lies between; made again, it counts again."""
    engine, _ = make_engine(tmp_path, ROWS, executor=working(tmp_path, uses_up=path), extra=OUTPUTS)
    maker = path[0].upper()
    at_the_end: list[tuple[str, ...]] = []
    on(engine, EventKind.TASK_COMPLETED, "C", lambda: at_the_end.append(engine.store.run.used_up))
    engine.run()
    assert at_the_end == [(maker,)]
    apply_offline(engine.project, Command(CommandKind.RETRY, (maker,)))
    engine, _ = make_engine(tmp_path, executor=working(tmp_path))
    on(engine, EventKind.TASK_COMPLETED, maker, lambda: at_the_end.append(engine.store.run.used_up))
    engine.run()
    assert at_the_end == [(maker,), ()]


def test_what_a_running_task_may_be_using_up_is_not_missed(tmp_path: Path) -> None:
    """A task that outlived its engine keeps what it has moved away."""
    first_run(tmp_path)
    (tmp_path / "b.txt").unlink()
    StateManager(tmp_path / "cascade_state.json").update_task("C", status=TaskStatus.IN_PROGRESS)
    state = StateManager(tmp_path / "cascade_state.json").load()
    cascade = parse_cascade(tmp_path / "CASCADE.md")
    assert find_stale(cascade, state.tasks, tmp_path).lost == {}
