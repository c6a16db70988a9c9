"""The application: it holds the run, the model and the screens, and looks after signals, themes and keys."""

from __future__ import annotations

from enum import StrEnum


class QuitChoice(StrEnum):
    """What is to become of the workers when the interface is left."""

    LEAVE = "leave"
    STOP = "stop"
