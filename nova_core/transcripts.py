"""Finds what an agent wrote down for itself about a session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nova_core.agents.records import RECORDS, Records

_SESSION = re.compile(r"[0-9A-Za-z_-]{8,64}\Z")  # it becomes part of a pattern of paths
_MOST = 256 << 20  # bytes of a file that is looked at


def find_records(agent: str, session: str | None, since: float, environ: Mapping[str, str]) -> Records | None:
    """What the agent's own records say of the session since `since` (seconds since the epoch); None without any.

    `environ` is the agent's: it may have a home of its own.
    """
    place = RECORDS.get(agent)
    if place is None or session is None or _SESSION.match(session) is None:
        return None
    pattern, variable, usual, read = place
    folder = Path(environ.get(variable) or Path(environ.get("HOME", "/nonexistent")) / usual)
    try:
        path = next(iter(sorted(folder.glob(pattern.format(session=session)))), None)
        if path is None or path.stat().st_size > _MOST:
            return None
        with path.open("rb") as file:
            return read(file, since)
    except OSError:
        return None
