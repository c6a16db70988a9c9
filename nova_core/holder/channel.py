"""The holder's end of its control channel: frames of a 4-byte length and JSON, over descriptors, never blocking.

The parser and the socket type come from the C modules under `json` and `socket`: importing those two costs 13 ms of a
start that otherwise takes 9.
"""

from __future__ import annotations

import os
from _json import encode_basestring_ascii as quote
from _socket import socket
from select import POLLIN, POLLOUT, poll

TYPE_CHECKING = False  # importing `typing` takes as long as all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Channel", "frame", "loads", "quote"]

CHUNK = 1 << 16


class _Options:
    """What `json.decoder.JSONDecoder` would hand to the C scanner."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}  # noqa: RUF012 - the scanner's own cache of keys


def _parser() -> Callable[[str], Any]:
    try:
        from _json import make_scanner

        scan = make_scanner(_Options())  # type: ignore[arg-type]
    except (ImportError, TypeError):
        import json

        return json.loads
    return lambda text: scan(text, 0)[0]


loads = _parser()


def frame(text: str) -> bytes:
    """The bytes of one message."""
    data = text.encode()
    return len(data).to_bytes(4, "big") + data


class Channel:
    """A listening socket and at most one connected engine; a newer one waits until the older one's last byte is read.

    `receive` hands out whole messages; `send` queues, `flush` writes what the socket takes.
    """

    def __init__(self, listener: int, poller: poll) -> None:
        self._listener = socket(fileno=listener)
        self._listener.setblocking(False)
        self._poller = poller
        self._fd = -1
        self._waiting: list[int] = []
        self._in = b""
        self._out = bytearray()
        self._blocked = False
        poller.register(listener, POLLIN)

    @property
    def connected(self) -> bool:
        """Whether any engine is connected, or waits to be."""
        return self._fd >= 0 or bool(self._waiting)

    def accept(self) -> bool:
        """Take what knocks; True when a connection became the current one and is to be greeted."""
        while True:
            try:
                fd, _ = self._listener._accept()  # type: ignore[attr-defined]
            except OSError:
                break
            os.set_blocking(fd, False)
            self._waiting.append(fd)
        return self._fd < 0 and self._next()

    def _next(self) -> bool:
        if not self._waiting:
            return False
        self._fd = self._waiting.pop(0)
        self._poller.register(self._fd, POLLIN)
        return True

    def is_current(self, fd: int) -> bool:
        """Whether `fd` is the connection in use."""
        return fd == self._fd

    def receive(self) -> list[Any] | None:
        """The whole messages that have arrived; None at the end of the connection."""
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return []
        except OSError:  # reset: the peer left without reading, but all it sent has been read before this is told
            data = b""
        if not data:
            return None
        data = self._in + data
        messages = []
        at = 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            messages.append(loads(data[at + 4 : end].decode()))
            at = end
        self._in = data[at:]
        return messages

    def hang_up(self) -> bool:
        """Drop the connection that ended; True when another takes its place and is to be greeted."""
        self._poller.unregister(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._in = b""
        self._out.clear()
        self._blocked = False
        return self._next()

    def send(self, text: str) -> None:
        """Queue a message; nothing without a connection, for the journal tells the next engine."""
        if self._fd >= 0:
            self._out += frame(text)

    def flush(self) -> None:
        """Write what is queued as far as the socket takes it."""
        while self._out:
            try:
                del self._out[: os.write(self._fd, self._out)]
            except BlockingIOError:
                break
            except OSError:  # the engine is gone; its last messages are still to be read
                self._out.clear()
        if self._blocked != bool(self._out):
            self._blocked = bool(self._out)
            self._poller.modify(self._fd, POLLIN | POLLOUT if self._blocked else POLLIN)
