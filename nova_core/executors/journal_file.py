"""The file of a holder's journal as the engine sees it: kept open, because anybody may delete its name."""

from __future__ import annotations

import fcntl
import os
from typing import Protocol


class JournalFolder(Protocol):
    """The folder of the journals."""

    def open_file(self, name: str) -> int:
        """Returns a descriptor to read a file of the folder; -1 if it cannot be opened."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the folder."""


class JournalFile:
    """A journal, opened when it is first needed; without one there is nothing to read, and nobody has locked it."""

    def __init__(self, folder: JournalFolder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._fd = -1
        self._copied = -1  # bytes in the copy of a journal that has lost its name

    def open(self) -> int:
        """Returns the descriptor, which stays open until `close`; -1 if there is no such file."""
        if self._fd < 0:
            self._fd = self._folder.open_file(self._name)
        return self._fd

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self) -> bytes:
        """Returns the lines written so far; reserved space is filled with zeros."""
        fd = self.open()
        return b"" if fd < 0 else os.pread(fd, os.fstat(fd).st_size, 0).partition(b"\0")[0]

    def is_locked(self) -> bool:
        """Returns True while a process, which is its holder, has locked the journal."""
        fd = self.open()
        if fd < 0:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(fd, fcntl.LOCK_UN)
        return False

    def has_lost_name(self) -> bool:
        """Returns True if the open file was deleted."""
        return self._fd >= 0 and not os.fstat(self._fd).st_nlink

    def keep(self) -> None:
        """Put a copy of a deleted file in its place: after a crash of the engine it says what was at work."""
        data = self.read()
        if len(data) != self._copied:
            self._folder.write(self._name, data)
            self._copied = len(data)
