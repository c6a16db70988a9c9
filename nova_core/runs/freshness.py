"""Compares a result, or a failure, with what the task was made from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nova_core.state.schema import NEW, TaskState, TaskStatus


def newer(state: TaskState, depends_on: Iterable[str], tasks: Mapping[str, TaskState]) -> list[str]:
    """The dependencies of a completed task that ran again after it started: its result may be stale.

    Stamps are compared as text: all have the same length and zone.
    """
    began = state.started_at
    if state.status is not TaskStatus.COMPLETED or state.skipped or not began:
        return []
    return [i for i in depends_on if _completed_at(tasks.get(i, NEW)) > began]


def same_failure(state: TaskState, reason: str | None, error: str | None) -> bool:
    """Returns True if the task failed exactly as its previous attempt did, by the recorded text."""
    return state.reason is not None and state.reason.value == reason and (state.error or "") == (error or "")


def _completed_at(state: TaskState) -> str:
    return state.completed_at or "" if state.status is TaskStatus.COMPLETED else ""
