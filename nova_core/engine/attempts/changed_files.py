"""Which files and which commit an attempt has to show, by git and by its worker's word."""

from __future__ import annotations

import os
from typing import Any

from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.worker_report import MOST_FILES
from nova_core.git import repository as git


class ChangedFiles:
    """Tells the changes of attempts apart that work in the same folder at the same time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._root = parts.project.root
        self._in_git = git.find_repository(self._root) is not None
        self._over: list[tuple[float, tuple[str, ...]]] = []  # when agents ended, and what they said they changed

    def base_commit(self) -> str | None:
        """The commit an attempt that starts now begins from."""
        return git.head(self._root) if self._in_git else None

    def patch(self, attempt: Attempt) -> dict[str, Any]:
        """Commit and files, by git and by the worker's word; what others say is theirs is not this one's."""
        told = self._told(attempt)
        if not self._in_git:
            return {"files_changed": told} if told else {}
        sha, files = git.changes(self._root, attempt.base_sha, attempt.started)
        others = self._told_by_others(attempt)
        own = (path for path in files if path in told or path not in others)
        return {"commit_sha": sha, "files_changed": tuple(dict.fromkeys((*own, *told)))}

    def remember(self, attempt: Attempt) -> None:
        """An agent's attempt is over: what it says it changed is nobody else's who worked at the same time."""
        self._over.append((self._parts.clock.now(), self._told(attempt)))

    def _told_by_others(self, attempt: Attempt) -> set[str]:
        """Files that agents working at the same time say they changed; the rest of a shared work tree is anybody's."""
        active = self._parts.active.values()
        oldest = min([attempt.started, *(other.started for other in active)])
        self._over = [(ended, files) for ended, files in self._over if ended >= oldest]
        told = {path for other in active if other is not attempt for path in self._told(other)}
        return told.union(*(files for ended, files in self._over if ended >= attempt.started))

    def _told(self, attempt: Attempt) -> tuple[str, ...]:
        """Files that the worker says it changed, from the project root where they are below it."""
        if not (attempt.files or attempt.log.files):
            return ()
        root = str(self._root) + os.sep
        told = (*attempt.files, *(path.removeprefix(root) for path in attempt.log.files))
        return tuple(dict.fromkeys(told))[:MOST_FILES]
