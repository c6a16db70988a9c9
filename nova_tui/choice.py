"""The choices before the interface opens and when it is left."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Look(msgspec.Struct, frozen=True):
    """How the interface is drawn: with ASCII characters only, and in which theme (None: chosen for the terminal)."""

    ascii: bool = False
    theme: str | None = None


class QuitChoice(StrEnum):
    """What to do with the workers when the interface is left."""

    LEAVE = "leave"
    STOP = "stop"
    KILL = "kill"
