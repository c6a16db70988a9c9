"""Finds an agent's own records of a session, and follows them while it runs."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from nova_core.agents.records import RECORDS, Records, RecordsReader
from nova_core.files.plain_file import open_plain

_SESSION = re.compile(r"[0-9A-Za-z_-]{8,64}\Z")  # used in a glob pattern of paths
_MOST = 64 << 20  # bytes read of a file, which takes about a second
_LONGEST = 4 << 20  # bytes of one line, and of one look at a file that grows


class SessionRecords:
    """Follows the records of one session. Workers can write anything there."""

    def __init__(self, path: Path, reader: RecordsReader) -> None:
        self._path = path
        self._reader = reader
        self._offset = 0

    def look(self) -> bool:
        """Read whole lines that are new, a part of many; returns False if there were none. Raises `OSError`."""
        with open(open_plain(self._path), "rb") as file:
            file.seek(self._offset)
            piece = file.read(_LONGEST)
        end = piece.rfind(b"\n") + 1
        if not end and len(piece) == _LONGEST:
            end = len(piece)  # too long a line: the parts of it are no events
        for line in piece[:end].splitlines():
            self._reader.feed(line)
        self._offset += end
        return end > 0

    @property
    def found(self) -> Records:
        """What was read so far."""
        return self._reader.found

    def read_all(self) -> Records:
        """Read the rest. Raises `OSError`, also for a file of more than `_MOST` bytes."""
        if os.stat(self._path, follow_symlinks=False).st_size > _MOST:
            raise OSError(errno.EFBIG, f"it is larger than {_MOST:,} bytes")
        while self.look():
            pass
        return self.found


def find_records(agent: str, session: str | None, since: float, environ: Mapping[str, str]) -> Records | None:
    """The agent's own records of the session since `since` (seconds since the epoch); None if there are none.

    `environ` is the agent's: it may have its own home directory.
    """
    followed = follow_records(agent, session, since, environ)
    try:
        return followed.read_all() if followed else None
    except OSError:
        return None


def follow_records(agent: str, session: str | None, since: float, environ: Mapping[str, str]) -> SessionRecords | None:
    """As `find_records`, to be read while the session runs."""
    place = RECORDS.get(agent)
    if place is None or session is None or _SESSION.match(session) is None:
        return None
    pattern, variable, usual, reader = place
    folder = Path(environ.get(variable) or Path(environ.get("HOME", "/nonexistent")) / usual)
    try:
        path = max(folder.glob(pattern.format(session=session, short=session[:8])), default=None)
    except (OSError, ValueError):  # a home that is not a path
        return None
    return None if path is None else SessionRecords(path, reader(since))
