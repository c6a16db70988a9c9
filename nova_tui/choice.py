"""The ways to leave a run."""

from __future__ import annotations

from enum import StrEnum


class QuitChoice(StrEnum):
    """What is to become of the workers when the interface is left."""

    LEAVE = "leave"
    STOP = "stop"
