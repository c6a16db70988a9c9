"""Finds out why a git does not come to its end, and ends those that run."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import suppress
from threading import Lock

_READ = frozenset({".gitignore", ".gitattributes", ".gitmodules"})  # what git reads in a work tree


class Running:
    """The programs that run now, by the numbers of their process groups; all are killed once it is `over`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._groups: set[int] = set()
        self.is_over = False

    def add(self, group: int) -> None:
        """A program has started."""
        with self._lock:
            self._groups.add(group)
            if self.is_over:
                _kill(group)

    def discard(self, group: int) -> None:
        """A program has come to its end; to be called before its number can be another's."""
        with self._lock:
            self._groups.discard(group)

    def over(self) -> None:
        """Kill what runs, and what starts from now on."""
        with self._lock:
            self.is_over = True
            for group in self._groups:
                _kill(group)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def pipe_in(tree: str) -> str:
    """The name of a pipe in a tree that git would wait for, because it expects a file there; "" if there is none."""
    waiting = [tree]
    while waiting:
        folder = waiting.pop()
        is_gits = folder.startswith(f"{tree}/.git/objects")  # of which git is asked for a worker's commits
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif (is_gits or entry.name in _READ) and stat.S_ISFIFO(entry.stat(follow_symlinks=False).st_mode):
                    return os.path.relpath(entry.path, tree)
    return ""
