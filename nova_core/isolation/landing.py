"""Brings the run's branch to the user's branch and folder: files first, then the index, then the branch."""

from __future__ import annotations

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Conflict, Followed, Landed, Landing, Nothing, Postponed


def land(repository: Repository, landing: Landing) -> Landed | Postponed | Nothing:
    """Bring commit `landing.new` to the user's branch and folder, unless something of the user's is in the way.

    Never stashes, resets or forces. Raises GitFailed, OSError: then it may have begun, and is to be called again with
    `is_open`.
    """
    raise NotImplementedError


def follow(repository: Repository, landing: Landing, at: int) -> Followed | Conflict | Postponed:
    """Merge the user's own commits on the branch into the run's branch at the recorded time, so that it can land.

    Raises GitFailed.
    """
    raise NotImplementedError
