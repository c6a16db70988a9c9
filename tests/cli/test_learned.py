"""What tasks changed before is known for the next run."""

from __future__ import annotations

from pathlib import Path

from nova_core.cli.learned import learned_files
from nova_core.files.project import Project
from nova_core.state.manager import StateManager
from nova_core.state.schema import ProjectState, Reason, State, TaskState, TaskStatus

STUCK = TaskState(
    status=TaskStatus.FAILED, reason=Reason.MERGE_CONFLICT, merge="conflict", conflict={"f": "contents"},
)  # fmt: skip
DONE = TaskState(status=TaskStatus.COMPLETED, merge="merged", files_changed=("f",))


def save(path: Path, **tasks: TaskState) -> None:
    """Save a state with these tasks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    StateManager(path).publish(State(project=ProjectState("p", "CASCADE.md"), tasks=tasks), None)


def test_files_of_tasks_that_may_run_again(tmp_path: Path) -> None:
    """Of a finished run, all; of another one, those of tasks that are not done, from the newest run moved aside."""
    project = Project(tmp_path)
    assert learned_files(project) == {}
    save(project.state_file, A=DONE, B=TaskState(status=TaskStatus.COMPLETED, files_changed=("whose",)))
    assert learned_files(project) == {"A": ("f",)}
    save(project.old_dir / "2026-01-01T000000" / "cascade_state.json", A=TaskState())
    save(project.old_dir / "2026-01-02T000000" / "cascade_state.json", A=DONE, B=STUCK, C=TaskState())
    save(project.state_file, A=DONE, B=TaskState())
    assert learned_files(project) == {"B": ("f",)}
    project.state_file.write_text("damaged")
    assert learned_files(project) == {"A": ("f",), "B": ("f",)}
