"""Puts a conflict into the tree of its task, where it is resolved, and finds marks that were left."""

from __future__ import annotations

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Taken


def put_conflict(repository: Repository, task_id: str, taken: Taken, tip: str) -> None:
    """Put the merge of a task's commit with `tip` into its tree, with git's marks; from now on `tip` is its base.

    In the tree, `git status` names the conflicts and `git diff` shows them. Raises GitFailed, OSError.
    """
    raise NotImplementedError


def marks_left(repository: Repository, taken: Taken, tip: str, before: str) -> tuple[str, ...]:
    """The files of what was taken that still hold marks of the conflict of `before`, the earlier commit, with `tip`.

    Names are relative to the project's folder. Raises GitFailed.
    """
    raise NotImplementedError
