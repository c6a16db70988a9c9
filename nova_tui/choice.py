"""The choices before the interface opens and when it is left."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


def lacks_marks(environ: Mapping[str, str]) -> bool:
    """Returns True if the locale has only ASCII for certain: it decides what the terminal can show (locale(7)).

    Python itself sets LC_CTYPE to C.UTF-8 where LANG is C or missing (PEP 538): that says nothing.
    """
    own = [environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if own[1] == "C.UTF-8":
        own[1] = ""
    chosen = next((name for name in own if name), "C")
    return "utf" not in chosen.lower()


class Look(msgspec.Struct, frozen=True):
    """How the interface is drawn: with ASCII characters only, and in which theme (None: chosen for the terminal)."""

    ascii: bool = False
    theme: str | None = None


class QuitChoice(StrEnum):
    """What to do with the workers when the interface is left."""

    LEAVE = "leave"
    STOP = "stop"
    KILL = "kill"
