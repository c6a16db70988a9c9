"""The public names, used as their documents use them, from two processes at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_process import environment
from engines import write_plan
from executor_kit import carrying, until

from nova_core.config import Config
from nova_core.dag import DAG, CycleError
from nova_core.errors import RunLockedError
from nova_core.orchestrator import Orchestrator
from nova_core.parser import parse_cascade
from nova_core.state import StateManager, TaskStatus
from nova_core.state.events import Event, EventKind
from nova_core.worker import Worker

ROWS = [("F1", "-"), ("F2", "F1"), ("F3", "F1"), ("D1", "-")]


def test_parse_cascade_gives_tasks_in_plan_order(tmp_path: Path) -> None:
    """`name`, `tasks` by id with the documented fields, and `dag`."""
    cascade = parse_cascade(write_plan(tmp_path, ROWS))
    assert cascade.name == "Test plan"
    assert list(cascade.tasks) == ["F1", "F2", "F3", "D1"]
    task = cascade.tasks["F2"]
    assert (task.id, task.name, task.description, list(task.depends_on), task.group, task.branch) == (
        "F2", "Task F2", "does it", ["F1"], "Group", "Branch",
    )  # fmt: skip
    assert cascade.dag.get_task_depth("F2") == 1
    assert cascade.dag.get_ready_tasks({"F1": "completed"}) == ["F2", "F3", "D1"]


def test_errors_have_the_documented_types(tmp_path: Path) -> None:
    """A missing file is `FileNotFoundError`; cycles, unknown and duplicate ids are `ValueError` with file and line."""
    with pytest.raises(FileNotFoundError):
        parse_cascade(tmp_path / "no.md")
    with pytest.raises(FileNotFoundError):
        Orchestrator(str(tmp_path / "no.md"), str(tmp_path / "s.json"))
    for rows, words in (
        ([("A", "B"), ("B", "A")], "A -> B -> A"),
        ([("A", "Z9")], "Z9"),
        ([("A", "-"), ("A", "-")], "A"),
    ):
        with pytest.raises(ValueError, match=r"CASCADE\.md:\d+") as caught:
            parse_cascade(write_plan(tmp_path, rows))
        assert words in str(caught.value)
    with pytest.raises(CycleError, match="a -> b -> a"):
        DAG({"a": ["b"], "b": ["a"]})


def test_another_process_completes_a_task(tmp_path: Path) -> None:
    """`StateManager.complete_task` elsewhere makes `get_ready_tasks` return the dependents here."""
    engine = Orchestrator(str(write_plan(tmp_path, ROWS)), str(tmp_path / "cascade_state.json"), max_workers=2)
    assert engine.get_ready_tasks() == ["F1", "D1"]
    code = (
        "import sys; from nova_core.state import StateManager; "
        "StateManager(sys.argv[1]).complete_task('F1', completed_at='2026-01-01T00:00:00Z', duration_seconds=10)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "cascade_state.json")], check=True)
    assert engine.get_ready_tasks() == ["F2", "F3", "D1"]
    assert engine.get_status_summary() == {
        "total_tasks": 4, "completed": 1, "failed": 0, "in_progress": 0, "pending": 3, "active_workers": 0,
    }  # fmt: skip
    engine.close()


def test_an_orchestrator_runs_real_processes_step_by_step(tmp_path: Path) -> None:
    """`start_worker`, `monitor_workers`, `active_workers`, then `run` for the rest."""
    plan = write_plan(tmp_path, ROWS, extra={"Command": {i: 'echo "$NOVA_TASK_ID" >> order' for i, _ in ROWS}})
    engine = Orchestrator(plan, tmp_path / "cascade_state.json", max_workers=2)
    engine.start_worker("F1")
    assert list(engine.active_workers) == ["F1"]
    while engine.active_workers:
        engine.monitor_workers(timeout=5.0)
    assert StateManager(tmp_path / "cascade_state.json").read_state()["tasks"]["F1"]["status"] == TaskStatus.COMPLETED
    assert engine.run(check_interval=0.1, max_iterations=500).exit_code == 0
    assert sorted((tmp_path / "order").read_text().split()) == ["D1", "F1", "F2", "F3"]


@pytest.mark.parametrize(
    ("name", "arguments", "commands", "code"),
    [
        ("CASCADE.md", [], {"A": "true", "B": "true"}, 0),
        ("CASCADE.md", [], {"A": "true", "B": "exit 3"}, 1),
        ("other.md", ["other.md"], {"A": "true", "B": "true"}, 0),
    ],
)
def test_the_orchestrator_is_a_program(
    tmp_path: Path, name: str, arguments: list[str], commands: dict[str, str], code: int
) -> None:
    """`python -m nova_core.orchestrator [PLAN]` runs the plan, prints progress and a summary, and exits with its
    result."""
    write_plan(tmp_path, [("A", "-"), ("B", "A")], extra={"Command": commands}).rename(tmp_path / name)
    done = run_orchestrator(tmp_path, *arguments)
    assert done.returncode == code, done.stderr
    tasks = StateManager(tmp_path / "cascade_state.json").read_state()["tasks"]
    assert [tasks[task_id]["status"] for task_id in "AB"] == ["completed", "failed" if code else "completed"]
    assert "A done in" in done.stdout + done.stderr
    assert f"{2 - code}/2 done" in done.stdout + done.stderr


def test_the_orchestrator_without_a_plan(tmp_path: Path) -> None:
    """A missing plan gives one line and its exit code."""
    done = run_orchestrator(tmp_path, "no.md")
    assert (done.returncode, done.stderr.splitlines()[0]) == (3, "no.md: there is no such plan")


def run_orchestrator(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the module as a program to its end."""
    return subprocess.run(
        [sys.executable, "-m", "nova_core.orchestrator", *arguments],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


# workers in flight


@pytest.fixture
def tag() -> Iterator[str]:
    """Marks the processes of a test; none of them may be left."""
    mark = f"novatag{uuid.uuid4().hex}"
    yield mark
    assert carrying(mark) == []


def sleepers(folder: Path, tag: str, ids: str = "AB") -> Path:
    """A plan whose tasks sleep, each with a child in a session of its own."""
    line = f"(setsid sh -c 'sleep 60; : {tag}' &); echo up; sleep 60; : {tag}"
    return write_plan(folder, [(task_id, "-") for task_id in ids], extra={"Command": dict.fromkeys(ids, line)})


def until_up(folder: Path, ids: str = "AB") -> None:
    """Wait until the tasks have printed."""
    logs = [folder / "logs" / f"{task_id}.log" for task_id in ids]
    until(lambda: all(log.exists() and "up" in log.read_text() for log in logs), "output")


def ends(folder: Path) -> dict[str, tuple[str, str | None]]:
    """Status and reason of each task, from the state file."""
    tasks = StateManager(folder / "cascade_state.json").read_state()["tasks"]
    return {task_id: (task["status"], task.get("reason")) for task_id, task in tasks.items()}


CANCELLED = ("failed", "cancelled")


def test_active_workers_can_be_ended_step_by_step(tmp_path: Path, tag: str) -> None:
    """pid and log are those of the process; `terminate` returns when its tree is gone and the state is updated."""
    engine = Orchestrator(sleepers(tmp_path, tag), tmp_path / "cascade_state.json")
    for task_id in "AB":
        engine.start_worker(task_id)
    until_up(tmp_path)
    workers = engine.active_workers
    assert [worker.task_id for worker in workers.values()] == ["A", "B"]
    while not all(worker.pid for worker in workers.values()):
        engine.monitor_workers(timeout=1.0)
    assert {worker.pid for worker in workers.values()} <= set(carrying(tag))
    assert workers["A"].log_path == tmp_path / "logs" / "A.log"
    assert all(worker.is_alive() for worker in workers.values())
    for worker in workers.values():
        worker.terminate()
        assert not worker.is_alive()
        worker.terminate()
    assert engine.active_workers == {}
    assert ends(tmp_path) == {"A": CANCELLED, "B": CANCELLED}
    engine.close()


def test_active_workers_can_be_ended_while_another_thread_runs_the_plan(tmp_path: Path, tag: str) -> None:
    """The run continues without the worker, and `terminate` returns when the worker is gone."""
    engine = Orchestrator(sleepers(tmp_path, tag), tmp_path / "cascade_state.json")
    thread = threading.Thread(target=engine.run)
    thread.start()
    until_up(tmp_path)
    first, second = engine.active_workers.values()
    first.terminate()
    assert (first.is_alive(), second.is_alive(), thread.is_alive()) == (False, True, True)
    second.terminate()
    thread.join()
    assert ends(tmp_path) == {"A": CANCELLED, "B": CANCELLED}


def test_an_active_worker_answers_as_a_worker(tmp_path: Path) -> None:
    """It is waited for, and then has the exit code, the times and the tokens of its task."""
    (tmp_path / "CASCADE.md").write_text(
        "| Task ID | Command | Depends On |\n|---|---|---|\n"
        "| A | `echo 'Token usage: input=5, output=2'; exit 3` | - |\n| B | `exec sleep 60` | - |\n"
    )
    engine = Orchestrator(tmp_path / "CASCADE.md", tmp_path / "cascade_state.json", config=Config(grace=0.2))
    ended, runs = engine.start_worker("A"), engine.start_worker("B")
    assert ended.wait() == 3
    assert (ended.status, runs.status, runs.wait(0.0), runs.get_exit_code()) == ("failed", "running", None, None)
    found = ended.get_status_dict()
    assert found.keys() == Worker("A").get_status_dict().keys()
    assert (found["exit_code"], found["token_usage"]["input_tokens"], found["completed_at"] is None) == (3, 5, False)
    runs.terminate()
    assert (runs.status, runs.get_exit_code()) == ("failed", -15)
    engine.close()


def test_a_listener_can_end_a_worker(tmp_path: Path, tag: str) -> None:
    """On the engine's own thread `terminate` cannot wait for the end, which follows at once."""
    engine = Orchestrator(sleepers(tmp_path, tag, "A"), tmp_path / "cascade_state.json")

    def end(event: Event) -> None:
        if event.kind is EventKind.TASK_RUNNING:
            engine.active_workers["A"].terminate()
            assert engine.active_workers["A"].is_alive()

    engine.subscribe(end)
    assert engine.run().exit_code == 1
    assert ends(tmp_path) == {"A": CANCELLED}


INTERRUPTED = """
from nova_core.orchestrator import Orchestrator

orchestrator = Orchestrator("CASCADE.md", "cascade_state.json", max_workers=2)
try:
    orchestrator.run()
except KeyboardInterrupt:
    for worker in orchestrator.active_workers.values():
        worker.terminate()
    print(orchestrator.get_status_summary())
"""


def test_ctrl_c_as_the_documents_handle_it(tmp_path: Path, tag: str) -> None:
    """`terminate` on each active worker, once `run` was interrupted, leaves no process, and a true state."""
    sleepers(tmp_path, tag)
    program = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    until_up(tmp_path)
    program.send_signal(signal.SIGINT)
    out, _ = program.communicate(timeout=60)
    assert (program.returncode, carrying(tag)) == (0, [])
    assert "'failed': 2, 'in_progress': 0" in out
    assert ends(tmp_path) == {"A": CANCELLED, "B": CANCELLED}


def test_workers_adopted_by_another_engine_are_not_stopped(tmp_path: Path, tag: str) -> None:
    """`terminate` does not stop the workers of another engine."""
    plan = sleepers(tmp_path, tag, "A")
    engine = Orchestrator(plan, tmp_path / "cascade_state.json")
    engine.start_worker("A")
    until_up(tmp_path, "A")
    (worker,) = engine.active_workers.values()
    engine.close()
    other = Orchestrator(plan, tmp_path / "cascade_state.json")
    with pytest.raises(RunLockedError):
        worker.terminate()
    assert worker.is_alive()
    other.close()
    worker.terminate()
    assert ends(tmp_path) == {"A": CANCELLED}
