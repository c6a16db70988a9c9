"""The holder's side of its control channel: a listening socket and the connected engine."""

from __future__ import annotations

from json import JSONDecoder
from select import POLLIN, POLLOUT, poll
from socket import socket

from nova_core.holder.connection import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_decode = JSONDecoder().raw_decode  # without the checks of `loads`: 2 us per job


class Channel:
    """Serves at most one engine; a newer engine waits until the older one's last byte is read.

    `receive` returns complete messages; `send` queues a message, `flush` writes what the socket accepts.
    """

    def __init__(self, listener: int, poller: poll) -> None:
        self._listener = socket(fileno=listener)
        self._listener.setblocking(False)
        self._poller = poller
        self._engine: Connection | None = None
        self._waiting: list[Connection] = []
        self._blocked = False
        poller.register(listener, POLLIN)

    @property
    def connected(self) -> bool:
        """True if an engine is connected, or waits to be."""
        return self._engine is not None or bool(self._waiting)

    def accept(self) -> bool:
        """Accept pending connections; returns True if one became the current one and must be greeted."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            connection.setblocking(False)
            self._waiting.append(Connection(connection.detach()))
        return self._engine is None and self._next()

    def _next(self) -> bool:
        if not self._waiting:
            return False
        self._engine = self._waiting.pop(0)
        self._poller.register(self._engine.fd, POLLIN)
        return True

    def is_current(self, fd: int) -> bool:
        """Returns True if `fd` is the current connection."""
        return self._engine is not None and fd == self._engine.fd

    def receive(self) -> list[Any] | None:
        """Returns the complete messages received so far; None at the end of the connection."""
        messages = self._engine.receive() if self._engine else None
        return None if messages is None else [_decode(message.decode())[0] for message in messages]

    def hang_up(self) -> bool:
        """Drop the ended connection; returns True if another one replaces it and must be greeted."""
        if self._engine:
            self._poller.unregister(self._engine.fd)
            self._engine.close()
        self._engine = None
        self._blocked = False
        return self._next()

    def send(self, text: str) -> None:
        """Queue a message; without a connection do nothing: the next engine reads the journal."""
        if self._engine:
            self._engine.send(text.encode())

    def flush(self) -> None:
        """Write what the socket accepts of the queue."""
        if self._engine:
            blocked = not self._engine.flush()
            if self._blocked != blocked:
                self._blocked = blocked
                self._poller.modify(self._engine.fd, POLLIN | POLLOUT if blocked else POLLIN)
