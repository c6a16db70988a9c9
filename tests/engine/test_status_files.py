"""The files of the Task Orchestration Protocol in `workspace/`: always whole and true, and never outside of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cli_process
import pytest
from cli_process import Process, nova
from engines import host
from fakes import FakeClock, FakeExecutor, exits
from protocol_kit import (
    PHASES,
    UNWRITTEN,
    mark,
    outputs_of,
    settings,
    status,
    statuses,
    task_file,
    weather_station,
)

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.engine.observers.status_files import status_of
from nova_core.engine.startup import RunOptions
from nova_core.executors.base import Ended, Job
from nova_core.files.project import Project
from nova_core.importers.formats import read_plan
from nova_core.model import PlanOptions
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.watch.offline import apply_offline

DEADLINE = 60.0


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll until the condition holds; fail after a long time."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.005)


EVENTS = "events.jsonl"


@pytest.fixture
def started() -> Iterator[Callable[[Path], Process]]:
    """Starts `nova run tasks` in a folder; its events go to a file, because an unread pipe would block it."""
    processes: list[Process] = []

    def start(folder: Path) -> Process:
        with open(folder / EVENTS, "wb") as events:
            processes.append(cli_process.start("run", "tasks", "--no-ui", "--json", cwd=folder, stdout=events))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


class Reader:
    """A script that polls the status files, as dashboards do, and believes them."""

    def __init__(self, folder: Path) -> None:
        self._top = folder / "workspace" / "status"
        self._needs = {i: t.depends_on for i, t in read_plan(folder / "tasks", PlanOptions()).tasks.items()}
        self.seen: dict[str, list[str]] = {}
        self.looks = 0

    def _read(self, task_id: str) -> dict[str, Any] | None:
        try:
            text = (self._top / f"{task_id}.json").read_text()
        except FileNotFoundError:
            return None
        found: dict[str, Any] = json.loads(text)
        assert found["task_id"] == task_id
        return found

    def look(self) -> None:
        """Read everything once: each file is whole, and none is ahead of the files of its dependencies."""
        self.looks += 1
        for task_id, needs in self._needs.items():
            found = self._read(task_id)
            if found is None:
                continue
            words = self.seen.setdefault(task_id, [])
            if words[-1:] != [found["status"]]:
                words.append(found["status"])
            if found["status"] in ("running", "completed"):
                assert found["started_at"].endswith("Z")
                before = {need: (self._read(need) or {}).get("status") for need in needs}
                assert set(before.values()) <= {"completed"}, (task_id, before)


def test_a_folder_with_all_faults_runs_to_its_end(tmp_path: Path, started: Callable[[Path], Process]) -> None:
    """With gates, limits and a stub agent. A task without its input waits: the run ends and says what is missing; once
    the file exists the next run continues. A reader of the status files never gets a partial or false file."""
    weather_station(tmp_path)
    settings(tmp_path, PHASES + "limits: {cpu: 4}\n")
    first = nova("run", "tasks", "--no-ui", cwd=tmp_path, timeout=DEADLINE)
    assert first.returncode == 4, first.stderr
    assert f"without input {UNWRITTEN}" in first.stdout
    held = status(tmp_path, "02-design/01-rank")
    assert held is not None
    assert (held["status"], held["blocked_by"], held["missing"]) == ("blocked", None, [f"input {UNWRITTEN}"])
    assert set(statuses(tmp_path).values()) == {"completed", "blocked"}
    tmp_path.joinpath(UNWRITTEN).write_text("{}")
    reader = Reader(tmp_path)
    process = started(tmp_path)
    while process.poll() is None:
        reader.look()
        time.sleep(0.01)
    events = [json.loads(line) for line in tmp_path.joinpath(EVENTS).read_text().splitlines()]
    assert process.returncode == 0, events[-1]
    assert reader.looks > 20
    assert set(statuses(tmp_path).values()) == {"completed"}
    assert len(statuses(tmp_path)) == 26
    assert all(words[-1] in ("running", "completed") for words in reader.seen.values())
    assert not any(words.count("running") > 1 for words in reader.seen.values())
    assert list(tmp_path.joinpath("workspace/pids").rglob("*.pid")) == []
    require_order(events, {"03-build": 3, "04-check": 1, "": 4}, opened=["gate-01-survey"])
    log = tmp_path / "workspace" / "logs" / "01-survey" / "01-measure.log"
    assert log.read_text() == "doing 01-survey/01-measure\n"
    assert tmp_path.joinpath("workspace/outputs/01-survey/03-audit-tree/samples/first.txt").exists()


def require_order(events: list[dict[str, Any]], most: dict[str, int], opened: list[str]) -> None:
    """No phase starts before the gate of the one before it, nor runs more tasks at once than its limit."""
    order = ["01-survey", "02-design", "03-build"]
    running: set[str] = set()
    for event in events:
        task = event.get("task") or ""
        phase = task.partition("/")[0]
        if event["kind"] == "task_started":
            running.add(task)
            assert len(running) <= most[""]
            assert sum(i.startswith(f"{phase}/") for i in running) <= most.get(phase, 99)
            before = order[: order.index(phase)] if phase in order else order
            assert {f"gate-{name}" for name in before} <= set(opened), task
        elif event["kind"] == "task_completed" and task.startswith("gate-"):
            opened.append(task)
        elif event["kind"] in ("task_completed", "task_failed"):
            running.discard(task)
    assert opened == [*(f"gate-{name}" for name in order), "gate-04-check"]


def test_a_failure_blocks_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    """Each blocked task names the failure, one event gives their number; missing outputs are listed with their
    paths."""
    weather_station(tmp_path)
    settings(tmp_path)
    tmp_path.joinpath(UNWRITTEN).parent.mkdir(parents=True)
    tmp_path.joinpath(UNWRITTEN).write_text("{}")
    mark(tmp_path, "fail", "02-design/04-tests")
    mark(tmp_path, "forget", "04-check/01-all", "final.json")
    done = nova("run", "tasks", "--no-ui", "--json", cwd=tmp_path, timeout=DEADLINE)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    failed = {e["task"]: e for e in events if e["kind"] == "task_failed"}
    assert set(failed) == {"02-design/04-tests", "04-check/01-all"}
    assert "blocks" not in failed["02-design/04-tests"]["patch"]
    assert failed["04-check/01-all"]["patch"]["blocks"] == 4
    assert failed["04-check/01-all"]["message"].endswith("; blocks 4 tasks")
    of_check = status(tmp_path, "04-check/01-all")
    assert of_check is not None
    assert of_check["error"] == "missing outputs: workspace/outputs/04-check/01-all/final.json"
    assert (of_check["status"], of_check["exit_code"], of_check["outputs_validated"]) == ("failed", 0, False)
    blocked = {i for i, word in statuses(tmp_path).items() if word == "blocked"}
    assert blocked == {"04-check/02-field", "04-check/03-speed", "05-tune/01-pools", "05-tune/02-lanes"}
    assert {(status(tmp_path, i) or {})["blocked_by"] for i in blocked} == {"04-check/01-all"}


def test_a_task_that_takes_too_long_for_its_phase_fails(tmp_path: Path) -> None:
    """Its own time limit overrides that of the phase."""
    settings(tmp_path, "phases: {p: {timeout: 300ms}}\n")
    for task_id in ("01-p/a", "01-p/b"):
        mark(tmp_path, "hold", task_id)
    task_file(tmp_path, "01-p/a")
    task_file(tmp_path, "01-p/b", timeout="400ms")
    outputs_of(tmp_path, {})
    assert nova("run", "tasks", "--no-ui", cwd=tmp_path, timeout=DEADLINE).returncode == 1
    errors = {i: (status(tmp_path, i) or {})["error"] for i in ("01-p/a", "01-p/b")}
    assert (status(tmp_path, "01-p/a") or {})["reason"] == "timeout"
    assert "0.3" in errors["01-p/a"] or "300" in errors["01-p/a"]
    assert errors["01-p/a"] != errors["01-p/b"]


def test_a_killed_engine_leaves_files_that_the_next_one_puts_right(
    tmp_path: Path, started: Callable[[Path], Process]
) -> None:
    """The worker continues and is adopted, even if the files were damaged meanwhile."""
    settings(tmp_path)
    task_file(tmp_path, "01-p/a", outputs=["a.txt"])
    task_file(tmp_path, "01-p/b", needs=["01-p/a"], outputs=["b.txt"])
    task_file(tmp_path, "02-q/c", needs=["01-p/b"])
    outputs_of(tmp_path, {"01-p/a": ["a.txt"], "01-p/b": ["b.txt"]})
    hold = mark(tmp_path, "hold", "01-p/b")
    engine = started(tmp_path)
    wait_until(lambda: (tmp_path / "workspace/pids/01-p/b.pid").exists())
    pid = int((tmp_path / "workspace/pids/01-p/b.pid").read_text())
    os.kill(pid, 0)
    engine.kill()
    engine.wait()
    assert statuses(tmp_path) == {"01-p/a": "completed", "01-p/b": "running"}
    (tmp_path / "workspace/status/01-p/a.json").write_text("{")
    (tmp_path / "workspace/status/02-q").mkdir()
    (tmp_path / "workspace/status/02-q/c.json").write_text('{"status": "completed"}')
    again = started(tmp_path)
    wait_until(lambda: (tmp_path / "workspace/status/01-p/a.json").read_text() != "{")
    wait_until(lambda: not (tmp_path / "workspace/status/02-q/c.json").exists())
    assert statuses(tmp_path) == {"01-p/a": "completed", "01-p/b": "running"}
    hold.unlink()
    again.wait(timeout=DEADLINE)
    assert again.returncode == 0
    assert statuses(tmp_path) == dict.fromkeys(("01-p/a", "01-p/b", "02-q/c"), "completed")
    assert (status(tmp_path, "01-p/b") or {})["agent_id"] == "stub"
    assert not (tmp_path / "workspace/pids/01-p/b.pid").exists()


def test_a_cancelled_task_is_failed(tmp_path: Path, started: Callable[[Path], Process]) -> None:
    """Its pid file is removed, and the status gives the reason."""
    settings(tmp_path)
    task_file(tmp_path, "a")
    outputs_of(tmp_path, {})
    mark(tmp_path, "hold", "a")
    engine = started(tmp_path)
    wait_until(lambda: (tmp_path / "workspace/pids/a.pid").exists())
    assert nova("cancel", "a", cwd=tmp_path).returncode == 0
    engine.wait(timeout=DEADLINE)
    found = status(tmp_path, "a")
    assert found is not None
    assert (found["status"], found["reason"]) == ("failed", "cancelled")
    assert not (tmp_path / "workspace/pids/a.pid").exists()


def engine(folder: Path, outcome: Callable[[Job], Ended | None] | None = None, **options: Any) -> Orchestrator:
    """An engine on the folder over a fake executor."""
    fake = FakeExecutor(FakeClock(), outcome)
    return Orchestrator(
        folder / "tasks", folder / "cascade_state.json", 2, config=options.pop("config", Config(command="true")),
        options=RunOptions(**options), host=host(fake),
    )  # fmt: skip


def test_commands_without_an_engine_change_the_files_too(tmp_path: Path) -> None:
    """A retried task has no such file; a skipped task is completed without validated outputs."""
    task_file(tmp_path, "a")
    task_file(tmp_path, "b", needs=["a"])
    (tmp_path / "nova.yaml").write_text("command: 'true'\n")
    engine(tmp_path, exits(1)).run()
    assert statuses(tmp_path) == {"a": "failed", "b": "blocked"}
    assert apply_offline(Project(tmp_path), Command(CommandKind.RETRY, ("a",))).ok
    assert statuses(tmp_path) == {}
    assert apply_offline(Project(tmp_path), Command(CommandKind.SKIP, ("a",))).ok
    assert statuses(tmp_path) == {"a": "completed"}
    assert (status(tmp_path, "a") or {})["outputs_validated"] is False


def test_a_fresh_run_starts_without_files(tmp_path: Path) -> None:
    """The old run's files are put aside with it; outputs stay in place."""
    for name in "abc":
        task_file(tmp_path, name)
    engine(tmp_path).run()
    (tmp_path / "workspace" / "outputs" / "a" / "kept.txt").write_text("x")
    (tmp_path / "tasks" / "b.md").unlink()
    fresh = engine(tmp_path, fresh=True)
    assert statuses(tmp_path) == {}
    assert fresh.store.warnings == []
    assert fresh.run().exit_code == 0
    assert statuses(tmp_path) == {"a": "completed", "c": "completed"}
    aside = list(tmp_path.glob(".nova/workspace/*/status/*.json"))
    assert sorted(path.name for path in aside) == ["a.json", "b.json", "c.json"]
    assert (tmp_path / "workspace" / "outputs" / "a" / "kept.txt").exists()


def test_files_of_another_orchestrator_are_put_aside_and_reported(tmp_path: Path) -> None:
    """Nova never relies on such a file, and destroys nothing."""
    task_file(tmp_path, "a")
    (tmp_path / "workspace" / "status").mkdir(parents=True)
    (tmp_path / "workspace" / "status" / "a.json").write_text('{"status": "completed"}')
    first = engine(tmp_path, lambda job: None)
    assert statuses(tmp_path) == {}
    assert len(first.store.warnings) == 1
    assert ".nova/workspace/" in first.store.warnings[0]
    assert len(list(tmp_path.glob(".nova/workspace/*/status/a.json"))) == 1
    first.close()


def test_a_task_that_left_the_plan_has_no_file(tmp_path: Path) -> None:
    """Scripts count files."""
    for name in "ab":
        task_file(tmp_path, name)
    engine(tmp_path).run()
    (tmp_path / "tasks" / "b.md").unlink()
    engine(tmp_path).run()
    assert statuses(tmp_path) == {"a": "completed"}


PLANTED = ["workspace", "workspace/status", "workspace/status/01-p", "workspace/logs/01-p"]


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("name", [*PLANTED, "workspace/pids"])
def test_links_are_not_followed(tmp_path: Path, name: str, early: bool) -> None:
    """A link planted before the run, or by a worker, is not followed; what that costs is reported once."""
    project, outside = tmp_path / "project", tmp_path / "outside"
    (outside / "01-p").mkdir(parents=True)
    (outside / "01-p" / "a.json").write_text("precious")
    (outside / "status" / "01-p").mkdir(parents=True)
    before = sorted(outside.rglob("*"))
    task_file(project, "01-p/a")
    task_file(project, "01-p/b", needs=["01-p/a"])
    planted = project / name
    planted.parent.mkdir(parents=True, exist_ok=True)
    worker = plant(planted, outside)
    if early:
        worker(Job("01-p/a@1"))
    run = engine(project, worker)
    result = run.run()
    assert result.exit_code == 0
    assert sorted(outside.rglob("*")) == before
    assert (outside / "01-p" / "a.json").read_text() == "precious"
    told = [w for w in (*run.store.warnings, *warnings_of(project)) if "cannot write" in w]
    if not early:
        assert len(told) == int(name in PLANTED)


def plant(path: Path, outside: Path) -> Callable[[Job], Ended | None]:
    """A worker that replaces what is at `path` by a link to `outside`."""

    def work(job: Job) -> Ended:
        if not path.is_symlink():
            if path.exists():
                path.rename(path.with_name(f"{path.name}.moved"))
            path.symlink_to(outside)
        return exits(0)(job)

    return work


def warnings_of(folder: Path) -> list[str]:
    """The warnings in the history."""
    from nova_core.state.database import Database

    database = Database(folder / ".nova" / "nova.db")
    found = [event.message for event in database.events_since(0) if event.kind is EventKind.WARNING]
    database.close()
    return found


@pytest.mark.parametrize("kind", ["link", "pipe", "file"])
def test_what_has_the_name_of_a_file_is_replaced_not_written_to(tmp_path: Path, kind: str) -> None:
    """A pipe of that name would block the engine forever, a link would lead outside."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    project = tmp_path / "project"
    task_file(project, "a")
    folder = project / "workspace" / "status"

    def work(job: Job) -> Ended:
        for name in (".a.json.tmp", "a.json"):
            (folder / name).unlink(missing_ok=True)
            if kind == "link":
                (folder / name).symlink_to(victim)
            elif kind == "pipe":
                os.mkfifo(folder / name)
            else:
                (folder / name).write_text("{")
        return exits(0)(job)

    assert engine(project, work).run().exit_code == 0
    assert victim.read_text() == "precious"
    assert statuses(project) == {"a": "completed"}
    assert not (folder / "a.json").is_symlink()


STATES = [
    (TaskState(), None),
    (TaskState(TaskStatus.IN_PROGRESS), "running"),
    (TaskState(TaskStatus.COMPLETED), "completed"),
    (TaskState(TaskStatus.FAILED), "failed"),
    (TaskState(blocked_by=("x",)), "blocked"),
    (TaskState(missing=("input x",)), "blocked"),
]


@pytest.mark.parametrize(("state", "word"), STATES)
def test_the_status_values_of_the_protocol(state: TaskState, word: str | None) -> None:
    """Four status values, and no file for a task that waits."""
    found = status_of("p/a", state)
    assert (found and found["status"]) == word
    keys = {"task_id", "status", "started_at", "completed_at", "agent_id", "outputs_validated", "duration_seconds"}
    assert found is None or keys | {"exit_code"} <= set(found)


def test_times_are_those_that_jq_reads() -> None:
    """Whole seconds with a Z; times of other programs are passed on."""
    ours = status_of("a", TaskState(TaskStatus.COMPLETED, started_at="2026-01-02T03:04:05.678+00:00"))
    theirs = status_of("a", TaskState(TaskStatus.COMPLETED, started_at="yesterday"))
    assert ours is not None
    assert theirs is not None
    assert (ours["started_at"], theirs["started_at"]) == ("2026-01-02T03:04:05Z", "yesterday")


def test_the_scripts_of_the_protocol_still_work(tmp_path: Path) -> None:
    """Counts with find and grep, as the protocol's dashboard does."""
    for name in ("01-p/a", "01-p/b", "02-q/c"):
        task_file(tmp_path, name)
    engine(tmp_path).run()
    script = "find workspace/status/01-p -name '*.json' | xargs grep -l '\"status\": \"completed\"' | wc -l"
    counted = subprocess.run(script, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert counted.stdout.strip() == "2"


def test_a_signal_to_the_engine_leaves_true_files(tmp_path: Path, started: Callable[[Path], Process]) -> None:
    """An interrupted task is pending again: it has no file."""
    settings(tmp_path)
    task_file(tmp_path, "a")
    outputs_of(tmp_path, {})
    mark(tmp_path, "hold", "a")
    process = started(tmp_path)
    wait_until(lambda: (tmp_path / "workspace/pids/a.pid").exists())
    process.send_signal(signal.SIGINT)
    process.wait(timeout=DEADLINE)
    assert statuses(tmp_path) == {}
    assert not (tmp_path / "workspace/pids/a.pid").exists()
