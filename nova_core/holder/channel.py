"""The holder's side of its control channel: a listening socket and the connected engine."""

from __future__ import annotations

import os
from json import JSONDecoder
from select import POLLIN, POLLOUT, poll
from socket import socket

from nova_core.holder.connection import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CHALLENGE = '["C","{challenge}"]'  # the holder's first message
REFUSAL = '["N"]'  # the proof was wrong
_decode = JSONDecoder().raw_decode  # without the checks of `loads`: 2 us per job
_MOST_STRANGERS = 32
_MOST_UNREAD = 4096  # bytes of a message from somebody who has proved nothing


class Channel:
    """Serves at most one engine; a newer engine waits until the older one's last byte is read.

    Any process of the user can connect, so each connection gets a challenge first, and is an engine's only once it has
    proved that it knows `key`. `receive` returns complete messages; `send` queues a message, `flush` writes what the
    socket accepts.
    """

    def __init__(self, listener: int, poller: poll, name: str, key: bytes) -> None:
        self._listener = socket(fileno=listener)
        self._listener.setblocking(False)
        self._poller = poller
        self._name = name
        self._key = key
        self._may_start = True  # until the engine that started the holder has proved itself, unasked
        self._engine: Connection | None = None
        self._waiting: list[tuple[Connection, list[bytes]]] = []  # proven, with what they have sent since
        self._strangers: dict[int, tuple[Connection, str]] = {}  # by descriptor, with their challenge
        self._early: list[bytes] = []
        self._blocked = False
        poller.register(listener, POLLIN)

    @property
    def connected(self) -> bool:
        """True if an engine is connected, or may be about to."""
        return self._engine is not None or bool(self._waiting) or bool(self._strangers)

    def accept(self) -> bool:
        """Accept pending connections, and send each a challenge; returns True if there were any."""
        found = False
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return found
            accepted.setblocking(False)
            connection = Connection(accepted.detach())
            challenge = os.urandom(16).hex()
            connection.write(CHALLENGE.format(challenge=challenge).encode())
            if len(self._strangers) >= _MOST_STRANGERS:
                self._drop(next(iter(self._strangers)))
            self._strangers[connection.fd] = connection, challenge
            self._poller.register(connection.fd, POLLIN)
            found = True

    def hear(self, fd: int) -> None:
        """Read what a connection sends that has proved nothing yet: its proof comes first."""
        if fd not in self._strangers:
            return  # dropped meanwhile
        connection, challenge = self._strangers[fd]
        messages = connection.receive()
        if messages is None or (not messages and connection.unread > _MOST_UNREAD):
            self._drop(fd)
        elif messages and self._is_proof(messages[0], challenge):
            del self._strangers[fd]
            self._poller.unregister(fd)
            self._waiting.append((connection, messages[1:]))
        elif messages:
            connection.write(REFUSAL.encode())
            self._drop(fd)

    def _is_proof(self, message: bytes, challenge: str) -> bool:
        from nova_core.holder.proof import is_proof

        try:
            word, given = _decode(message.decode())[0]
        except (ValueError, TypeError, RecursionError):
            return False
        if word != "proof":
            return False
        if self._may_start and is_proof(given, self._key, "start", self._name):
            self._may_start = False
            return True
        return is_proof(given, self._key, "engine", self._name, challenge)

    def _drop(self, fd: int) -> None:
        connection, _ = self._strangers.pop(fd)
        self._poller.unregister(fd)
        connection.close()

    def next(self) -> bool:
        """Let the next proven connection be the engine's; returns True if there is a new one, which must be greeted."""
        if self._engine is not None or not self._waiting:
            return False
        self._engine, self._early = self._waiting.pop(0)
        self._poller.register(self._engine.fd, POLLIN)
        return True

    def early(self) -> list[Any]:
        """Returns, once, the messages that a new engine sent right after its proof."""
        messages, self._early = self._early, []
        return [_decode(message.decode())[0] for message in messages]

    def is_current(self, fd: int) -> bool:
        """Returns True if `fd` is the engine's connection."""
        return self._engine is not None and fd == self._engine.fd

    def receive(self) -> list[Any] | None:
        """Returns the complete messages received so far; None at the end of the connection."""
        messages = self._engine.receive() if self._engine else None
        return None if messages is None else [_decode(message.decode())[0] for message in messages]

    def hang_up(self) -> None:
        """Drop the ended connection."""
        if self._engine:
            self._poller.unregister(self._engine.fd)
            self._engine.close()
        self._engine = None
        self._blocked = False

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
