"""Every path of a project, built from its root and from checked ids only."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from nova_core.errors import EnvironmentProblem
from nova_core.model import is_safe_id

_IGNORE = "*\n"


class Project:
    """A directory Nova works in: the plan's tasks run there, the state and the logs live there."""

    def __init__(self, root: Path | str = ".", state_file: Path | str = "cascade_state.json") -> None:
        self.root = Path(root).resolve()
        self.state_file = self.root / state_file
        self.log_dir = self.root / "logs"
        self.config_file = self.root / "nova.yaml"
        self.milestones_file = self.root / "milestones.yaml"
        self.nova_dir = self.root / ".nova"
        self.database = self.nova_dir / "nova.db"
        self.inbox_dir = self.nova_dir / "inbox"
        self.lock_file = self.nova_dir / "run.lock"
        self.secret_file = self.nova_dir / "secret"
        self.old_dir = self.nova_dir / "old"
        self.prompts_dir = self.nova_dir / "prompts"
        self.engine_log = self.nova_dir / "engine.log"
        self.hooks_log = self.nova_dir / "hooks.log"

    def make_dirs(self) -> None:
        """Create `.nova` (0700, ignored by git) and `logs`.

        Raises `EnvironmentProblem` if they cannot be created, or if something else has their names.
        """
        make_dir(self.nova_dir)
        ignore = self.nova_dir / ".gitignore"
        if not os.path.lexists(ignore):
            with ignore.open("x") as file:  # never through a link
                file.write(_IGNORE)
        for path in (self.inbox_dir, *(self.inbox_dir / name for name in ("tmp", "new", "ack"))):
            make_dir(path)
        make_dir(self.prompts_dir)
        make_dir(self.log_dir, 0o777)

    def log_names(self) -> set[str]:
        """Names below `logs` that are log names or may be in the way of one."""
        names: set[str] = set()
        for folder, folders, files in os.walk(self.log_dir):
            level = os.path.relpath(folder, self.log_dir)
            found = folders + files
            names.update(found if level == "." else (f"{level}/{name}" for name in found))
        return names

    def latest_log(self, task_id: str) -> Path:
        """The log of the latest attempt."""
        return self.log_dir / log_name(task_id)

    def prompt_file(self, task_id: str, attempt: int) -> Path:
        """The prompt of the attempt. No id holds two dots: they replace slashes, then separate the attempt."""
        stem = log_name(task_id).removesuffix(".log").replace("/", "..")
        return self.prompts_dir / f"{stem}..{attempt}.md"

    def attempt_log(self, task_id: str, attempt: int, latest: int, ids: Collection[str]) -> Path:
        """The log of attempt `attempt`; `latest` is the number of the latest attempt."""
        return self.log_dir / (log_name(task_id) if attempt >= latest else old_log_name(task_id, attempt, ids))


def make_dir(path: Path, mode: int = 0o700) -> None:
    """Create the directory unless it exists. A link is rejected: a project from elsewhere could contain one."""
    try:
        path.mkdir(mode)
    except FileExistsError:
        found = path.lstat().st_mode
        if not stat.S_ISDIR(found):
            kind = "a symbolic link" if stat.S_ISLNK(found) else "a file"
            raise EnvironmentProblem(f"{path}: is {kind}, not a folder", hint="move it away") from None
        if not os.access(path, os.W_OK | os.X_OK):
            raise EnvironmentProblem(f"cannot write {path}", hint="check its owner and permissions") from None


def log_name(task_id: str) -> str:
    """Name of a task's latest log below `logs`. Raises `ValueError` for an id that may not become a path."""
    if not is_safe_id(task_id):
        raise ValueError(f"not a task id: {task_id!r}")
    return f"{task_id}.log"


def old_log_name(task_id: str, attempt: int, ids: Collection[str]) -> str:
    """File name of an older attempt: `F1.2.log`, or `F1.attempt-2.log` if the plan has a task called `F1.2`."""
    return _free_name(task_id, f"{attempt}", f"attempt-{attempt}", ids)


def check_log_name(task_id: str, number: int, ids: Collection[str]) -> str:
    """File name of the log of a criterion's command; `number` counts from 1."""
    return _free_name(task_id, f"check-{number}", f"criterion-{number}", ids)


def _free_name(task_id: str, suffix: str, other: str, ids: Collection[str]) -> str:
    stem = log_name(task_id).removesuffix(".log")
    name = f"{stem}.{suffix}"
    return f"{stem}.{other}.log" if name in ids else f"{name}.log"
