"""Whether this process belongs to a task of a project: tasks report, but only people command a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nova_core.errors import UsageError
from nova_core.files.project import Project
from nova_core.holder.process_tree import read_process

_DEEPEST = 200


def person() -> str:
    """The name of the account that runs this process, or its number."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def require_person(project: Project) -> None:
    """Raise `UsageError` inside a task of the project, also if it cleared its own environment."""
    for environ in _environments():
        root, task = environ.get(b"NOVA_PROJECT_ROOT"), environ.get(b"NOVA_TASK_ID")
        if root is not None and b"NOVA_JOB" in environ and _is_same(os.fsdecode(root), project.root):
            name = (task or b"").decode("ascii", "replace") or "a task"
            raise UsageError(
                f"{name} runs this itself: only people command a run, not its tasks",
                hint="a task reports with `nova report`",
            )


def _environments() -> Iterator[dict[bytes, bytes]]:
    """The environments of this process and of its ancestors, where they may be read."""
    yield dict(os.environb)
    pid = os.getpid()
    for _ in range(_DEEPEST):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                entries = file.read().split(b"\0")
        except OSError:  # not Linux, or another user's process
            entries = []
        pairs = (entry.partition(b"=") for entry in entries)
        yield {name: value for name, equals, value in pairs if equals}
        process = read_process(pid)
        if process is None or process.ppid <= 1:
            return
        pid = process.ppid


def _is_same(path: str, root: Path) -> bool:
    try:
        return os.path.samefile(path, root)
    except (OSError, ValueError):
        return False
