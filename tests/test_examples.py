"""The examples run for real, and end as their documents say."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import cli_process
import msgspec
import pytest

from nova_core.state.schema import Reason, State, TaskStatus

ROOT = Path(__file__).parents[1]
EXAMPLES = ["quickstart", "failures", "agents"]


class Example:
    """A copy of an example, and `nova` to run in it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder / name
        shutil.copytree(ROOT / "examples" / name, self.folder)
        bin_dir = folder / "bin"
        bin_dir.mkdir()
        nova = bin_dir / "nova"
        nova.write_text(f'#!/bin/sh\nexec {sys.executable} -m nova_core "$@"\n')
        nova.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("NOVA_", "GITHUB_"))}
        path = f"{bin_dir}:{os.environ['PATH']}"
        self.environ = {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "DEMO_PACE": "0"}

    def nova(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `nova` to its end."""
        return cli_process.nova(*arguments, cwd=self.folder, env=self.environ, timeout=120)

    @property
    def state(self) -> State:
        """The final state of the run."""
        return msgspec.json.decode(self.folder.joinpath("cascade_state.json").read_bytes(), type=State)

    def events(self, kind: str) -> list[str]:
        """Messages of the events of one kind."""
        with sqlite3.connect(self.folder / ".nova" / "nova.db") as database:
            return [
                row[0] for row in database.execute("SELECT message FROM events WHERE kind = ? ORDER BY rev", (kind,))
            ]


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Example:
    """The example named by the test's parameter."""
    return Example(request.param, tmp_path)


@pytest.mark.parametrize("example", EXAMPLES, indirect=True)
def test_plans_of_examples_have_no_warnings(example: Example) -> None:
    """`nova check` finds no problem in any of them."""
    checked = example.nova("check", "--json")
    assert checked.returncode == 0
    assert msgspec.json.decode(checked.stdout)["problems"] == []


@pytest.mark.parametrize("example", ["quickstart"], indirect=True)
def test_quickstart_builds_its_page(example: Example) -> None:
    """The page exists, milestones are reported, no journal is left; a second run has nothing to do."""
    done = example.nova("run")
    assert done.returncode == 0, done.stdout
    assert {task.status for task in example.state.tasks.values()} == {TaskStatus.COMPLETED}
    assert "<table>" in example.folder.joinpath("out/index.html").read_text()
    assert [text.partition(":")[0] for text in example.events("milestone")] == [
        "Readings are in", "Half way", "Almanac printed",
    ]  # fmt: skip
    assert list(example.folder.glob(".nova/attempts/*.journal")) == []
    again = example.nova("run")
    assert again.returncode == 0
    assert {task.attempt for task in example.state.tasks.values()} == {1}
    assert example.events("task_adopted") == []


@pytest.mark.parametrize("example", ["quickstart"], indirect=True)
def test_quickstart_makes_the_same_weather_every_time(example: Example) -> None:
    """Two runs of one tool write the same bytes."""
    command = [sys.executable, "tools/weather.py", "readings", "north"]
    data = []
    for _ in range(2):
        subprocess.run(command, cwd=example.folder, env=example.environ, check=True, stdout=subprocess.DEVNULL)
        data.append(example.folder.joinpath("data/north.csv").read_bytes())
    assert data[0] == data[1]
    assert data[0].count(b"\n") == 366


@pytest.mark.parametrize("example", ["failures"], indirect=True)
def test_failures_fail_as_described(example: Example) -> None:
    """Each failure has its reason, tasks that do not depend on one are done, and a person can continue from there."""
    assert example.nova("run").returncode == 1
    tasks = example.state.tasks
    assert {task_id: task.reason for task_id, task in tasks.items() if task.status is TaskStatus.FAILED} == {
        "A2": Reason.EXIT_CODE, "A4": Reason.SIGNAL, "T1": Reason.TIMEOUT, "T2": Reason.IDLE_TIMEOUT,
        "E1": Reason.MISSING_OUTPUTS, "E2": Reason.CHECK_FAILED,
    }  # fmt: skip
    assert (tasks["A2"].exit_code, tasks["A3"].attempt, tasks["B4"].approval) == (3, 2, "waiting")
    assert tasks["B1"].blocked_by == tasks["B2"].blocked_by == ("A2",)
    assert {i for i, task in tasks.items() if task.status is TaskStatus.COMPLETED} == {"A1", "A3", "B3", "E3"}
    assert "attempt 1" in example.nova("logs", "A3", "--attempt", "1").stdout
    assert "cannot find the settings" in example.nova("why", "A2").stdout
    for words in (["approve", "B4"], ["skip", "A2"]):
        assert example.nova(*words).returncode == 0
    assert example.nova("run").returncode == 1
    tasks = example.state.tasks
    assert {tasks[task_id].status for task_id in ("B1", "B2", "B4", "B5")} == {TaskStatus.COMPLETED}


@pytest.mark.parametrize("example", ["failures"], indirect=True)
def test_a_fixed_command_runs_again(example: Example) -> None:
    """A failed task whose row is edited needs no retry."""
    assert example.nova("run", "--only", "A1,A2").returncode == 1
    plan = example.folder / "CASCADE.md"
    plan.write_text(plan.read_text().replace("exit 3", "exit 0"))
    assert example.nova("run", "--only", "A1,A2").returncode == 0


@pytest.mark.parametrize("example", ["agents"], indirect=True)
def test_agents_run_without_keys(example: Example) -> None:
    """The fake agent does every task, its tokens have a price, and the last task needs approval."""
    assert example.nova("run").returncode == 4
    state = example.state
    assert state.tasks["REVIEW"].approval == "waiting"
    assert len(state.tasks["TEST"].criteria_met) == 2
    assert all(task.cost_usd for task in state.tasks.values())
    assert example.nova("approve", "REVIEW").returncode == 0
    assert example.nova("run").returncode == 0


@pytest.mark.parametrize("example", ["task-folder"], indirect=True)
def test_a_folder_of_tasks_runs_phase_by_phase(example: Example) -> None:
    """Without a warning; the status files exist, and a phase whose outputs were removed keeps the next one waiting."""
    checked = example.nova("check", "tasks", "--json")
    assert msgspec.json.decode(checked.stdout)["problems"] == []
    assert example.nova("run", "tasks", "--phase", "gather").returncode == 0
    assert "gather" in example.nova("progress").stdout
    assert example.nova("run").returncode == 0
    words = example.folder.joinpath("report.md").read_text()
    assert words == "# Readings\n01-north 590\n02-south 780\nlargest: 58\n"
    found = sorted(path.stem for path in example.folder.glob("workspace/status/*/*.json"))
    assert found == ["01-north", "01-page", "01-sums", "02-largest", "02-south"]
    assert [text for text in example.events("task_completed") if "gate" in text] == [
        "gate-01-gather is open", "gate-02-count is open", "gate-03-report is open",
    ]  # fmt: skip


@pytest.mark.parametrize("example", ["agents"], indirect=True)
def test_an_agent_that_is_not_installed_is_reported(example: Example) -> None:
    """Before anything starts, with exit code 8."""
    example.environ["PATH"] = str(example.folder.parent / "bin")
    refused = example.nova("run", "--agent", "codex")
    assert refused.returncode == 8
    assert "codex" in refused.stderr
    assert not any(task.attempt for task in example.state.tasks.values())
