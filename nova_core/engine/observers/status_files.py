"""Keeps the files of the Task Orchestration Protocol in step with the state: status, pid and log of each task.

Scripts and `jq` look for them at `workspace/status/<id>.json`, `workspace/pids/<id>.pid` and `workspace/logs/<id>.log`.
Nova itself never reads them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import msgspec

from nova_core.engine.observers.observer import Observer
from nova_core.files.project import Project, log_name, make_dir
from nova_core.holder.safe_open import FOLDER_FLAGS, inherit_owner, open_parent
from nova_core.parser import Cascade
from nova_core.state.events import Event
from nova_core.state.schema import NEW, TaskState, TaskStatus
from nova_core.state.store import Store

_WORDS = {TaskStatus.IN_PROGRESS: "running", TaskStatus.COMPLETED: "completed", TaskStatus.FAILED: "failed"}
_GOING = (TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED)
# Never follow a link or open what a worker created: a pipe of that name would block the engine.
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def status_of(task_id: str, state: TaskState) -> dict[str, Any] | None:
    """Returns the status of a task as the protocol defines it; None (no file) for a task that waits for its turn."""
    word = _WORDS.get(state.status)
    if word is None:
        if not state.is_blocked:
            return None
        word = "blocked"
    status: dict[str, Any] = {
        "task_id": task_id, "status": word, "started_at": _stamp(state.started_at),
        "completed_at": _stamp(state.completed_at), "agent_id": state.agent or state.worker_id,
        "outputs_validated": word == "completed" and not state.skipped and not state.settled,
        "duration_seconds": state.duration_seconds, "exit_code": state.exit_code,
    }  # fmt: skip
    if word == "failed":
        status |= {"error": state.error, "reason": state.reason}
    if word == "blocked":
        status |= {"blocked_by": state.blocked_by[0] if state.blocked_by else None, "missing": state.missing}
    return status


def _stamp(at: str | None) -> str | None:
    """Returns the time in whole seconds with a `Z`: jq's `fromdateiso8601` reads nothing else."""
    utc = at and at.endswith("+00:00") and len(at) > 19
    return f"{at[:19]}Z" if at and utc else at


class StatusFiles(Observer):
    """Writes the files as events arrive. `warn` is called once with the reason if that fails.

    `ids` must follow their dependencies. Links are never followed: workers may write into the project, and a link must
    not lead the engine outside.
    """

    def __init__(self, project: Project, ids: Iterable[str], store: Store, warn: Callable[[str], object]) -> None:
        self._project = project
        self._ids = dict.fromkeys(ids)
        self._store = store
        self._warn = warn
        self._written: dict[str, tuple[bytes | None, int | None]] = {}
        self._broken = False

    def put_aside(self, name: str) -> bool:
        """Move files of another run or orchestrator to `.nova/workspace/<name>`; returns True if there were any."""
        found = False
        for part in ("status", "pids"):
            if not os.path.lexists(self._project.root / "workspace" / part):
                continue
            try:
                target = self._project.nova_dir / "workspace" / name
                for path in (target.parent, target):
                    make_dir(path)
                folder = self._open_folder(f"workspace/{part}")
                try:
                    os.rename(part, target / part, src_dir_fd=folder)
                finally:
                    os.close(folder)
                found = True
            except OSError as error:
                self._complain(f"workspace/{part}", error)
        return found

    def take_plan(self, cascade: Cascade) -> None:
        """The plan changed during the run: keep files for its new tasks, too."""
        self._ids |= dict.fromkeys(i for i, task in cascade.tasks.items() if task.workspace)

    def catch_up(self) -> None:
        """Update every file to the state, whatever an earlier engine or another program left.

        Tasks that are neither running nor completed come first, last to first, then all tasks, first to last, so that
        no reader sees a running task before its dependencies.
        """
        for task_id in reversed(self._ids):
            if self._state(task_id).status not in _GOING:
                self._put(task_id)
        for task_id in self._ids:
            self._put(task_id)

    def see(self, event: Event) -> None:
        """Update the files of the event's task."""
        if event.task in self._ids:
            self._put(event.task)

    def _state(self, task_id: str) -> TaskState:
        return self._store.tasks.get(task_id, NEW)

    def _put(self, task_id: str) -> None:
        state = self._state(task_id)
        status = status_of(task_id, state)
        data = None if status is None else msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n"
        pid = state.pid if state.status is TaskStatus.IN_PROGRESS else None
        before = self._written.get(task_id)
        if before == (data, pid):
            return
        try:
            if before is None or before[1] != pid:
                self._replace(f"workspace/pids/{task_id}.pid", None if pid is None else b"%d\n" % pid)
            if before is None or before[0] != data:
                self._replace(f"workspace/status/{task_id}.json", data)
            if data is not None and (before is None or before[0] is None):
                self._link_log(task_id)
                os.close(self._open_folder(f"workspace/outputs/{task_id}/x"))
        except OSError as error:
            self._complain(f"the files of {task_id}", error)
            return
        self._written[task_id] = data, pid

    def _complain(self, what: str, error: OSError) -> None:
        if not self._broken:
            self._broken = True
            self._warn(f"workspace: cannot write {what}: {error.strerror}")

    def _open_folder(self, name: str) -> int:
        root = os.open(self._project.root, FOLDER_FLAGS & ~os.O_NOFOLLOW)
        try:
            return open_parent(root, name)
        finally:
            os.close(root)

    def _replace(self, name: str, data: bytes | None) -> None:
        """Replace a file atomically, or delete it."""
        if data is None and not os.path.lexists(self._project.root / name):
            return
        folder, last = self._open_folder(name), name.rpartition("/")[2]
        try:
            with suppress(FileNotFoundError):
                os.unlink(last if data is None else f".{last}.tmp", dir_fd=folder)
            if data is None:
                return
            with open(os.open(f".{last}.tmp", _CREATE, 0o644, dir_fd=folder), "wb") as file:
                inherit_owner(file.fileno(), folder)
                file.write(data)
            os.rename(f".{last}.tmp", last, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            os.close(folder)

    def _link_log(self, task_id: str) -> None:
        """Create a link to the log, unless the name exists."""
        name = f"workspace/logs/{log_name(task_id)}"
        folder = self._open_folder(name)
        try:
            up = "../" * name.count("/")
            os.symlink(f"{up}{self._project.logs}/{log_name(task_id)}", name.rpartition("/")[2], dir_fd=folder)
        except FileExistsError:
            return
        finally:
            os.close(folder)
