"""Makes and removes the tree of a task: a repository of its own that borrows the objects of the user's."""

from __future__ import annotations

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Needs


def begin(repository: Repository, base: str, uncommitted: tuple[str, ...] = (), at: int = 0) -> str:
    """Create the run's branch at `base`, unless it exists; returns the commit that it is at.

    `uncommitted` are files, relative to the project's folder, that a first commit on the branch takes as they are in
    the user's work tree, at the recorded time `at`. Raises GitFailed.
    """
    raise NotImplementedError


def make_tree(repository: Repository, task_id: str, base: str, needs: Needs | None = None) -> None:
    """Make the tree of a task with the files of commit `base`; whatever was at its path is removed first.

    Raises GitFailed, OSError.
    """
    raise NotImplementedError


def made_at(repository: Repository, task_id: str) -> float | None:
    """When the files of the task's tree were checked out, in seconds since the epoch; None without a tree."""
    raise NotImplementedError


def away(repository: Repository, task_id: str) -> None:
    """Remove the tree of a task and Nova's files for it; its ref stays until `sweep.forget`. Raises OSError."""
    raise NotImplementedError


def carry_out(repository: Repository, task_id: str, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """Copy the outputs that git ignores from the tree to the user's folder; returns those that were copied.

    Names are relative to the project's folder. Raises OSError.
    """
    raise NotImplementedError
