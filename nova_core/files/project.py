"""Every path of a project, built from its root and from checked ids only."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from nova_core.errors import EnvironmentProblem
from nova_core.holder.safe_open import inherit_owner
from nova_core.model import is_safe_id

STATE_FILE = "cascade_state.json"
_IGNORE = "*\n"
_PLANS = "plans"


class Project:
    """A folder Nova works in, and the place in it that one plan has to itself.

    The tasks of all plans run in `root`. State, history, logs, lock and inbox belong to one plan: at the usual place
    (`cascade_state.json`, `logs`, `.nova`), or, with a `key`, in `.nova/plans/<key>`. A state file of another name,
    which only a program can choose, has a place of its own, too.
    """

    def __init__(self, root: Path | str = ".", state_file: Path | str = STATE_FILE, *, key: str = "") -> None:
        self.root = Path(root).resolve()
        own_name = Path(state_file).name
        self.key = key or ("" if own_name == STATE_FILE else own_name)
        self.config_file = self.root / "nova.yaml"
        self.milestones_file = self.root / "milestones.yaml"
        self.shared_dir = self.root / ".nova"
        self.plans_dir = self.shared_dir / _PLANS
        self.nova_dir = self.plans_dir / self.key if self.key else self.shared_dir
        self.state_file = self.nova_dir / "state.json" if key else self.root / state_file
        self.log_dir = self.nova_dir / "logs" if self.key else self.root / "logs"
        self.former_id = ""  # the `place_id` of this place before the project was moved to another disk
        self.place_file = self.nova_dir / "place.json"
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
        make_dir(self.shared_dir)
        ignore = self.shared_dir / ".gitignore"
        if not os.path.lexists(ignore):
            with suppress(FileExistsError), ignore.open("x") as file:  # never through a link
                file.write(_IGNORE)
                inherit_owner(file.fileno(), self.shared_dir)
        if self.key:
            make_dir(self.plans_dir)
            make_dir(self.nova_dir)
        for path in (self.inbox_dir, *(self.inbox_dir / name for name in ("tmp", "new", "ack"))):
            make_dir(path)
        make_dir(self.prompts_dir)
        make_dir(self.log_dir, 0o777)

    @classmethod
    def of_state_file(cls, path: Path) -> Project:
        """The project whose state is in this file: at its usual place, or at the place of one of its plans."""
        folder = path.absolute().parent
        if folder.parent.name == _PLANS and folder.parent.parent.name == ".nova" and path.name == "state.json":
            return cls(folder.parents[2], key=folder.name)
        return cls(folder, path.name)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the folder: a renamed folder keeps them, a copy has others. Raises `OSError`."""
        status = os.stat(self.root)
        return status.st_dev, status.st_ino

    @property
    def place_id(self) -> str:
        """Identifies this place among all folders and plans of the machine. Raises `OSError`."""
        return place_id(self.identity, self.key)

    def log_names(self) -> set[str]:
        """Names below `logs` that are log names or may be in the way of one."""
        names: set[str] = set()
        for folder, folders, files in os.walk(self.log_dir):
            level = os.path.relpath(folder, self.log_dir)
            found = folders + files
            names.update(found if level == "." else (f"{level}/{name}" for name in found))
        return names

    @property
    def logs(self) -> str:
        """The log folder as people type it: its path from the project's folder."""
        return str(self.log_dir.relative_to(self.root))

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


def place_id(identity: tuple[int, int], key: str) -> str:
    """The id of the place `key` in the folder with this device and inode."""
    device, inode = identity
    return f"{device:x}-{inode:x}-{key}"


def make_dir(path: Path, mode: int = 0o700) -> None:
    """Create the directory unless it exists. A link is rejected: a project from elsewhere could contain one."""
    try:
        path.mkdir(mode)
        inherit_owner(path, path.parent)
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


def step_log_name(task_id: str, step: str, ids: Collection[str]) -> str:
    """File name of the log of a command that runs in a task's tree beside its worker, such as its setup."""
    return _free_name(task_id, step, f"tree-{step}", ids)


def _free_name(task_id: str, suffix: str, other: str, ids: Collection[str]) -> str:
    stem = log_name(task_id).removesuffix(".log")
    name = f"{stem}.{suffix}"
    return f"{stem}.{other}.log" if name in ids else f"{name}.log"
