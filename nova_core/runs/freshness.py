"""Compares a failure with the one before. Pure."""

from __future__ import annotations

from nova_core.state.schema import TaskState


def same_failure(state: TaskState, reason: str | None, error: str | None) -> bool:
    """Returns True if the task failed exactly as its previous attempt did, by the recorded text."""
    return state.reason is not None and state.reason.value == reason and (state.error or "") == (error or "")
