"""After a kill: waits for the gits of the last engine, and removes what they left."""

from __future__ import annotations

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Landing

PATIENCE = 30.0  # seconds


def sweep(repository: Repository, landing: Landing | None = None, patience: float = PATIENCE) -> None:
    """Wait for gits that outlived the last engine, then end them; remove their locks, and trees that are half removed.

    To be called once, before any other step of a run that continues; `landing` is the one that is open. Raises OSError.
    """
    raise NotImplementedError


def trees_left(repository: Repository) -> tuple[str, ...]:
    """The names (`values.name_of`) of the run's trees that exist."""
    raise NotImplementedError


def forget(repository: Repository, task_ids: tuple[str, ...]) -> None:
    """Delete the refs of tasks that are merged or given up. Raises GitFailed."""
    raise NotImplementedError


def finish(repository: Repository, *, landed: bool) -> None:
    """At the end of a run: remove Nova's own files, the empty folder of trees and, once landed, the run's branch.

    Raises GitFailed, OSError.
    """
    raise NotImplementedError
