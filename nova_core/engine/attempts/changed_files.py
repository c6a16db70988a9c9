"""The commit and the changed files of an attempt, from git and from the worker's reports."""

from __future__ import annotations

import os
from typing import Any

from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.worker_report import MOST_FILES
from nova_core.git import repository as git


class ChangedFiles:
    """Separates the changes of attempts that work in the same folder at the same time.

    `in_git` is True if that folder is in a repository.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._root = parts.project.root
        self.in_git = git.find_repository(self._root) is not None
        self._over: list[tuple[float, tuple[str, ...]]] = []  # when agents ended, and the files they reported

    def base_commit(self) -> str | None:
        """Returns the current commit, from which a new attempt starts."""
        return git.head(self._root) if self.in_git else None

    def patch(self, attempt: Attempt) -> dict[str, Any]:
        """Returns the patch with commit and files; files that other agents reported as theirs are left out."""
        if attempt.tree is not None:
            return {}  # what was taken from its tree says it
        told = self._told(attempt)
        if not self.in_git:
            return {"files_changed": told} if told else {}
        sha, files = git.changes(self._root, attempt.base_sha, attempt.started)
        others = self._told_by_others(attempt)
        own = (path for path in files if path in told or path not in others)
        return {"commit_sha": sha, "files_changed": tuple(dict.fromkeys((*own, *told)))}

    def remember(self, attempt: Attempt) -> None:
        """Remember the files a finished agent reported: they do not count for attempts that ran at the same time."""
        self._over.append((self._parts.store.time(), self._told(attempt)))

    def _told_by_others(self, attempt: Attempt) -> set[str]:
        """Returns files that agents running at the same time reported; any other change may belong to this attempt."""
        active = self._parts.active.values()
        oldest = min([attempt.began, *(other.began for other in active)])
        self._over = [(ended, files) for ended, files in self._over if ended >= oldest]
        told = {path for other in active if other is not attempt for path in self._told(other)}
        return told.union(*(files for ended, files in self._over if ended >= attempt.began))

    def _told(self, attempt: Attempt) -> tuple[str, ...]:
        """Returns the files the worker reported, relative to the project root if they are below it."""
        printed = () if attempt.is_silent else attempt.log.files
        if not (attempt.files or printed):
            return ()
        root = str(self._root) + os.sep
        told = (*attempt.files, *(path.removeprefix(root) for path in printed))
        return tuple(dict.fromkeys(told))[:MOST_FILES]
