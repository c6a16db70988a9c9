"""The names other people's code relies on, used as their documents use them, from two processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from engines import write_plan

from nova_core.dag import DAG, CycleError
from nova_core.orchestrator import Orchestrator
from nova_core.parser import parse_cascade
from nova_core.state import StateManager, TaskStatus

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
