"""Plans of shell commands, and the files that a run of them left."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from nova_core.state.schema import State, TaskState

HEADER = "# Demo\n\n| Task ID | Task Name | Command | Depends On | Approval |\n| --- | --- | --- | --- | --- |\n"
MIXED = """\
| F1 | Good | `echo good` | - | |
| F2 | Bad | `echo '##[error]oops'; exit 3` | F1 | |
| F3 | Blocked | `echo never` | F2 | |
"""
DEADLINE = 60.0


def write_plan(folder: Path, rows: str) -> Path:
    """A plan with these rows."""
    (folder / "CASCADE.md").write_text(HEADER + rows)
    return folder


def state_in(folder: Path) -> State:
    """The saved state."""
    return msgspec.json.decode((folder / "cascade_state.json").read_bytes(), type=State)


def task_in(folder: Path, task_id: str) -> TaskState:
    """The saved state of a task; a new one where there is no state yet."""
    try:
        return state_in(folder).tasks.get(task_id, TaskState())
    except FileNotFoundError:
        return TaskState()


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll until the condition holds; fail after a long time."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
