"""Makes a commit of what is in the tree of a task, whatever its worker did to git."""

from __future__ import annotations

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Limits, Taken, Words


def take(repository: Repository, task_id: str, base: str, words: Words, limits: Limits) -> Taken:
    """Commit the files of the task's tree on top of `base`, held by the task's ref.

    Raises NotTaken for a tree that cannot be taken, GitFailed, OSError.
    """
    raise NotImplementedError


def keep(repository: Repository, task_id: str, number: int, base: str, words: Words) -> str | None:
    """Keep what the tree holds and commits of the worker's own in the ref `place.kept(task_id, number)`.

    Returns the ref, or None if there is nothing that `base` does not hold. Files over the limits are left out. Raises
    GitFailed, OSError.
    """
    raise NotImplementedError
