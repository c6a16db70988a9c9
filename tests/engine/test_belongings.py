"""A run whose own files are deleted (`git clean -fdx` by a task) continues, and says what happened."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from cli_process import command, environment, nova
from engines import make_engine, on, tasks_of
from fakes import ok
from processes import processes_of, wait_for
from processes import tasks_of as tasks_in_file
from sampling import sampled

from nova_core.command import Command, CommandKind
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, Job
from nova_core.executors.local import LocalExecutor
from nova_core.files.inbox import load_secret, send_command
from nova_core.files.lock import RunLock, engine_alive
from nova_core.state.database import Database
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus

EVERYTHING = (".nova", "logs", "cascade_state.json", "cascade_state.json.lock")
DELETED = [
    EVERYTHING, (".nova",), ("logs",), ("cascade_state.json",), (".nova/nova.db",), (".nova/run.lock",),
    (".nova/inbox",), (".nova/inbox/new",), (".nova/prompts",), (".nova/secret",), (".nova/attempts",),
]  # fmt: skip


def delete(folder: Path, names: tuple[str, ...]) -> None:
    """Remove files and folders of the project; folders as a whole, because a living engine makes them again."""
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path.rename(folder / "deleted"))
        else:
            path.unlink(missing_ok=True)


@pytest.mark.parametrize("names", DELETED, ids=", ".join)
@pytest.mark.parametrize("kind", [EventKind.TASK_STARTED, EventKind.TASK_COMPLETED])
def test_a_run_outlives_its_files(tmp_path: Path, names: tuple[str, ...], kind: EventKind) -> None:
    """Every task is done once, state and history are complete, and no word is said of the disk."""
    engine, fake = make_engine(tmp_path, [("A", "-"), ("B", "A"), ("C", "B")])
    key = load_secret(engine.project.secret_file)
    seen = on(engine, kind, "A", lambda: delete(tmp_path, names))
    assert engine.run().completed == 3
    assert [job.key for job in fake.jobs] == ["A@1", "B@1", "C@1"]
    assert {task.status for task in tasks_of(tmp_path).values()} == {TaskStatus.COMPLETED}
    assert load_secret(engine.project.secret_file) == key
    database = Database(engine.project.database, read_only=True)
    assert [row.task for row in database.attempts()] == ["A", "B", "C"]
    assert database.last_rev() == engine.store.rev
    database.close()
    warnings = [event.message for event in seen if event.kind is EventKind.WARNING]
    assert not [text for text in warnings if "cannot write" in text]
    said = [text for text in warnings if "deleted during the run, and created again" in text]
    assert len(said) == (0 if names in ((".nova/attempts",), ("cascade_state.json",)) and not said else 1)
    assert ("logs" in names) == any("lost: earlier logs" in text for text in said)


def test_commands_still_arrive(tmp_path: Path) -> None:
    """The inbox is created again, so that a person can act on the run."""
    engine, fake = make_engine(tmp_path, [("A", "-")], outcome=lambda job: None)
    engine.start_worker("A")
    delete(tmp_path, EVERYTHING)
    engine.monitor_workers(1.0)
    assert engine_alive(engine.project.lock_file) is not None
    assert send_command(engine.project, Command(CommandKind.PAUSE), timeout=0) is None
    fake.outcome = lambda job: None
    engine.close()


def test_history_deleted_while_it_is_written_is_not_lost(tmp_path: Path) -> None:
    """The database is copied from what the engine has open."""
    database = Database(tmp_path / "nova.db")
    (tmp_path / "nova.db").unlink()
    assert not database.is_named()
    database.restore()
    assert database.is_named()
    database.commit([], [])
    database.close()


def test_the_lock_gets_its_name_back(tmp_path: Path) -> None:
    """What looks at the new file sees the engine."""
    path = tmp_path / ".nova" / "run.lock"
    path.parent.mkdir()
    lock = RunLock(path)
    path.unlink()
    assert not lock.is_named()
    lock.restore()
    found = engine_alive(path)
    assert found is not None
    assert found.pid
    lock.close()
    assert engine_alive(path) is None


@pytest.mark.parametrize(("names", "own"), sampled([(".nova",), ("logs",), (".nova", "logs")], [False, True]))
def test_running_jobs_continue_and_new_ones_start(tmp_path: Path, names: tuple[str, ...], own: bool) -> None:
    """The end of the first arrives over the open socket; the second gets its log folder and its journal."""
    executor = LocalExecutor(tmp_path / ".nova", tmp_path / "logs", run_id="r", cwd=tmp_path, places=("here",))
    executor.submit(Job("A@1", shell="until [ -e go ]; do sleep 0.02; done", log="A.log", own_holder=own))
    wait_for(lambda: processes_with(b"NOVA_JOB=r.here/A@1"), "A runs")
    delete(tmp_path, names)
    executor.keep_records()
    executor.submit(Job("B@1", shell="echo said", log="B.log", own_holder=own))
    (tmp_path / "go").touch()
    codes: dict[str, int | None] = {}

    def ended() -> bool:
        codes.update({r.key: r.code for r in executor.wait(0.1) if isinstance(r, Ended)})
        return len(codes) == 2

    wait_for(ended, "both end")
    assert codes == {"A@1": 0, "B@1": 0}
    assert (tmp_path / "logs" / "B.log").read_text() == "said\n"
    executor.release(["A@1", "B@1"])
    executor.close()


def processes_with(mark: bytes) -> list[str]:
    """Living processes with this entry in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_after_deletion_and_crash_no_task_runs_twice(tmp_path: Path) -> None:
    """The journal of what is at work is kept under its name, so that the next engine does not start it again."""
    (tmp_path / "CASCADE.md").write_text(
        "# P\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n"
        "| A | A | `echo A >> ran; exec sleep 60` | - |\n"
    )
    engine = subprocess.Popen(
        command("run", "--no-ui"), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    wait_for((tmp_path / "ran").exists, "A runs")
    wait_for(lambda: tasks_in_file(tmp_path).get("A", {}).get("pid"), "the state says so")
    delete(tmp_path, EVERYTHING)
    wait_for(lambda: list(tmp_path.glob(".nova/attempts/*.journal")), "the journal is kept")
    wait_for((tmp_path / "cascade_state.json").exists, "the state is kept")
    assert nova("run", "--no-ui", cwd=tmp_path).returncode == 7
    engine.send_signal(signal.SIGKILL)
    out, _ = engine.communicate()
    assert "deleted during the run, and created again: .nova, logs, cascade_state.json" in out or "created again" in out
    assert nova("run", "--no-ui", cwd=tmp_path).returncode == 1
    assert tasks_of(tmp_path)["A"].reason == "lost"
    assert (tmp_path / "ran").read_text() == "A\n"
    wait_for(lambda: not processes_of(tmp_path), "nothing is left")


def test_history_cannot_be_restored_without_its_folder(tmp_path: Path) -> None:
    """It stays open until the next try."""
    (tmp_path / "x").mkdir()
    database = Database(tmp_path / "x" / "nova.db")
    shutil.rmtree(tmp_path / "x")
    with pytest.raises(EnvironmentProblem, match="cannot use"):
        database.restore()
    database.close()


@pytest.mark.parametrize("again", [False, True])
def test_a_run_whose_folder_is_moved_ends_and_says_so(tmp_path: Path, again: bool) -> None:
    """Also if there is another folder with the old name; a run in the new place takes the tasks over."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()

    def move() -> None:
        old.rename(new)
        if again:
            old.mkdir()

    engine, fake = make_engine(old, [("A", "-"), ("B", "A")])
    on(engine, EventKind.TASK_COMPLETED, "A", move)
    with pytest.raises(EnvironmentProblem, match="was moved or deleted during the run"):
        engine.run()
    engine.close()
    engine, following = make_engine(new)
    following.found = [ok(job) for job in fake.jobs if job.key not in fake.released]
    assert engine.run().completed == 2
    assert sorted({job.key for job in (*fake.jobs, *following.jobs)}) == ["A@1", "B@1"]
