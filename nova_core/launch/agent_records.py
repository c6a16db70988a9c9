"""Finds an agent's own records of a session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nova_core.agents.records import RECORDS, Records
from nova_core.files.plain_file import lines_of

_SESSION = re.compile(r"[0-9A-Za-z_-]{8,64}\Z")  # used in a glob pattern of paths
_MOST = 64 << 20  # bytes read of a file, which takes about a second
_LONGEST = 4 << 20  # bytes of one line


def find_records(agent: str, session: str | None, since: float, environ: Mapping[str, str]) -> Records | None:
    """The agent's own records of the session since `since` (seconds since the epoch); None if there are none.

    `environ` is the agent's: it may have its own home directory. Workers can write anything there.
    """
    place = RECORDS.get(agent)
    if place is None or session is None or _SESSION.match(session) is None:
        return None
    pattern, variable, usual, read = place
    folder = Path(environ.get(variable) or Path(environ.get("HOME", "/nonexistent")) / usual)
    try:
        path = next(iter(sorted(folder.glob(pattern.format(session=session)))), None)
        return None if path is None else read(lines_of(path, _MOST, _LONGEST), since)
    except (OSError, ValueError):  # a home that is not a path
        return None
