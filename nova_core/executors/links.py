"""The connections to holders, and the one place where the engine sleeps."""

from __future__ import annotations

import os
from contextlib import suppress
from select import POLLIN, POLLOUT, poll

from nova_core.executors.base import Ended
from nova_core.executors.holder_link import HolderLink
from nova_core.executors.journal_reader import Facts


class Links:
    """The connected holders `by_fd`. `woken` is True once `wake` was called, until somebody resets it."""

    def __init__(self) -> None:
        self._poller = poll()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._poller.register(self._wake_read, POLLIN)
        self.by_fd: dict[int, HolderLink] = {}
        self.woken = False

    def add(self, link: HolderLink) -> None:
        """Add a connected holder."""
        self.by_fd[link.fd] = link
        self._poller.register(link.fd, POLLIN)

    def drop(self, link: HolderLink) -> None:
        """Close the connection to a holder."""
        self._poller.unregister(link.fd)
        del self.by_fd[link.fd]
        link.close()

    def send(self, link: HolderLink, message: bytes) -> None:
        """Send a message, now or when the socket accepts it."""
        if link.connection is not None and not link.connection.write(message):
            self._poller.modify(link.fd, POLLIN | POLLOUT)

    def poll(self, milliseconds: float | None) -> list[HolderLink]:
        """Sleep until a holder has sent something or `wake` is called; returns these holders, with the queues sent."""
        found = []
        for fd, events in self._poller.poll(milliseconds):
            link = self.by_fd.get(fd)
            if fd == self._wake_read:
                os.read(fd, 4096)
                self.woken = True
            elif link:
                if events & POLLOUT and link.flush():
                    self._poller.modify(fd, POLLIN)
                found.append(link)
        return found

    def wake(self) -> None:
        """Make `poll` return now; safe from any thread and from a signal handler."""
        with suppress(BlockingIOError):  # the pipe is full: `poll` returns anyway
            os.write(self._wake_write, b"x")

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._wake_read)
        os.close(self._wake_write)


def lose(link: HolderLink, facts: Facts, keys: list[str]) -> list[Ended]:
    """Returns the ends of jobs whose holder died before them, after ending their remaining processes."""
    if not keys:
        return []
    survivors = facts.end_remains(keys)
    words = link.last_words()
    detail = f"the process that held it (pid {facts.pid}) died" + (f": {words}" if words else "")
    return [facts.lost(key, detail, survivors) for key in keys]
