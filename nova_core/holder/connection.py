"""One side of a control channel, for engine and holder: frames of a 4-byte length and JSON, non-blocking."""

from __future__ import annotations

import os

CHUNK = 1 << 16


class Connection:
    """A connected, non-blocking socket with the descriptor `fd`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._in = b""
        self._out = bytearray()

    @property
    def unread(self) -> int:
        """The number of bytes of a message that is not complete."""
        return len(self._in)

    def send(self, message: bytes) -> None:
        """Queue a message."""
        self._out += len(message).to_bytes(4, "big") + message

    def write(self, message: bytes) -> bool:
        """Queue a message and write what the socket accepts; returns True if everything was written."""
        self.send(message)
        return self.flush()

    def flush(self) -> bool:
        """Write what the socket accepts of the queue; returns True if everything was written."""
        while self._out:
            try:
                del self._out[: os.write(self.fd, self._out)]
            except BlockingIOError:
                return False
            except OSError:  # the peer is gone; its last messages must still be read
                self._out.clear()
        return True

    def receive(self) -> list[bytes] | None:
        """Returns the complete messages received so far; None at the end of the connection."""
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return []
        except OSError:  # reset: the peer left without reading, but everything it sent has been read
            return None
        if not data:
            return None
        data = self._in + data
        messages = []
        at = 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            messages.append(data[at + 4 : end])
            at = end
        self._in = data[at:]
        return messages

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)
