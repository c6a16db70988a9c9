"""The run's own files, which a task may delete (`git clean -fdx`): noticed, created again, and reported in one line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nova_core.engine.attempts.parts import Parts
from nova_core.errors import EnvironmentProblem
from nova_core.files.lock import RunLock
from nova_core.places import plan_name, settle
from nova_core.state.events import EventKind


class Belongings:
    """Keeps the lock, the folders, the history and the state of a run in their places. `secret` is the project's key.

    Nothing that the engine or a holder has open is lost with its name: lock, history and journals continue in new
    files. What only the disk had is lost: logs of ended attempts, unread messages, prompts.
    """

    def __init__(self, parts: Parts, lock: RunLock, secret: bytes) -> None:
        self._parts = parts
        self._lock = lock
        self._secret = secret
        self._logs = self._log_folder()
        self._folder = os.stat(parts.project.root)

    def require_folder(self) -> None:
        """Raise `EnvironmentProblem` if the project's folder is not at its path any more."""
        root = self._parts.project.root
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(os.stat(root), self._folder):
                return
        raise EnvironmentProblem(
            f"{root} was moved or deleted during the run; running tasks continue",
            hint="take them over with nova run where the folder is now",
        )

    def look(self) -> bool:
        """Create again what was deleted; returns True if anything was. It costs a few stat(2).

        Raises `EnvironmentProblem` if the project's whole folder is gone.
        """
        self.require_folder()
        lost = [*self._lost()]
        kept = False
        try:
            if lost:
                self._restore()
            kept = self._parts.executor.keep_records()
        except (OSError, EnvironmentProblem):  # the next write reports why
            return False
        if lost:
            self._tell(lost)
        return bool(lost) or kept

    def _lost(self) -> Iterable[Path]:
        project = self._parts.project
        if not self._lock.is_named():
            yield project.lock_file
        if not self._parts.store.database.is_named():
            yield project.database
        if self._log_folder() != self._logs:  # its holder may have created it again
            yield project.log_dir
        folders = (project.inbox_dir / "new", project.inbox_dir / "ack", project.prompts_dir)
        for path in (*folders, project.secret_file, project.place_file):
            if not path.exists():
                yield path
        # A state that is still to be written may be missing: a damaged one was kept aside.
        store = self._parts.store
        if not store.writer.is_busy and store.next_tick() is None and not project.state_file.exists():
            yield project.state_file

    def _log_folder(self) -> int:
        """Returns the inode of the log folder, 0 if it is gone."""
        try:
            return self._parts.project.log_dir.stat().st_ino
        except OSError:
            return 0

    def _restore(self) -> None:
        project, store, disk = self._parts.project, self._parts.store, self._parts.disk
        project.make_dirs()
        if not self._lock.is_named():
            self._lock.restore()
        if not project.secret_file.exists():
            disk.replace(project.secret_file, self._secret)
        settle(project, plan_name(project.root, project.root / store.project.cascade_file), disk)
        store.restore_files()
        self._logs = self._log_folder()

    def _tell(self, lost: Iterable[Path]) -> None:
        """Record one line that names what was deleted and what is lost for good."""
        project = self._parts.project
        gone = list(lost)
        inside = [path for path in gone if path.is_relative_to(project.nova_dir)]
        names = {str(project.nova_dir.relative_to(project.root)): None} if len(inside) > 2 else {}
        for path in gone:
            if not (names and path in inside):
                names[str(path.relative_to(project.root))] = None
        missing = ["earlier logs"] if project.log_dir in gone else []
        missing += ["messages not yet read"] if project.inbox_dir / "new" in gone else []
        text = f"deleted during the run, and created again: {', '.join(names)}"
        text += f"; lost: {', '.join(missing)}" if missing else ""
        self._parts.store.record(EventKind.WARNING, None, text)
