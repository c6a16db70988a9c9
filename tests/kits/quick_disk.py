"""Nothing that the tests start waits until its data would outlive a power cut.

No test cuts the power, and to wait for the disk was a third of their time. Which files are synced, and in which order
with other steps, is seen by the subclasses of `Disk`, and by `tests/files/test_disk.py` for the real calls.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any


class Quick(sqlite3.Connection):
    """A connection that leaves its data to the operating system."""

    def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
        """Execute a statement, but wait for no disk."""
        return super().execute(sql.replace("synchronous=FULL", "synchronous=OFF"), *given)


real_connect = sqlite3.connect


def connect(*given: Any, **more: Any) -> sqlite3.Connection:
    """A connection that waits for no disk."""
    connection: sqlite3.Connection = real_connect(*given, **{"factory": Quick, **more})
    return connection


def install() -> None:
    """Let this process and its forks wait for no disk."""
    os.fsync = os.fdatasync = lambda fd: None
    os.sync = lambda: None
    sqlite3.connect = connect  # type: ignore[assignment]
