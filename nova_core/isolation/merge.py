"""Brings a task's commit onto the run's branch, one task at a time, without a work tree."""

from __future__ import annotations

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Candidate, Conflict, Nothing, Taken, Words


def merge(
    repository: Repository, task_id: str, known: str, taken: Taken, words: Words
) -> Candidate | Conflict | Nothing:
    """The commit that would bring a task's work onto the run's branch; moves nothing.

    `known` is where the run last knew its branch. If somebody has added commits since, they are merged with. Raises
    Stale if the branch is anywhere else, GitFailed.
    """
    raise NotImplementedError


def bring(repository: Repository, task_id: str, candidate: Candidate) -> None:
    """Put the files of a candidate into the task's tree, for the second check. Raises GitFailed, OSError."""
    raise NotImplementedError


def advance(repository: Repository, task_id: str, candidate: Candidate) -> bool:
    """Move the run's branch to the candidate; returns False if it is not at `candidate.tip`: merge again.

    Raises GitFailed.
    """
    raise NotImplementedError


def merged_already(repository: Repository, task_id: str, known: str, taken: Taken) -> str | None:
    """The commit after `known` on the run's branch with which somebody merged the task's work, if there is one.

    That is one that contains the task's commit, or has the line `Nova-Task: ID`. Raises GitFailed.
    """
    raise NotImplementedError
