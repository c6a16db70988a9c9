"""A job's terminal: a pty of the holder's, which writes to the log what the job prints, and reads what people type.

It lives as long as the job, with and without an engine or a screen. The holder keeps both ends open, so that a program
may close and open its terminal again, and so that the state of its echo can be read. Standard library only.
"""

from __future__ import annotations

import os
import termios
from fcntl import ioctl
from json import dumps
from select import POLLIN, POLLOUT, poll
from struct import pack

from nova_core.holder.safe_open import SpawnError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nova_core.holder.spawn import Launch

COLUMNS, ROWS = 120, 40  # until a screen looks at it
TYPED = '["T","{key}",{who},{text},{count},{taken}]'  # only sent: what was typed; `text` is null where echo is off
SIZED = '["T","{key}","",null,0,true]'
MOST_TYPED = 1 << 20  # bytes that the job has not read; more is rejected
TERM = b"xterm-256color"
_MOST_CELLS = 1000  # in each direction
_CHUNK = 1 << 16
_MOST_READS = 64  # per turn: a job that prints without end must not keep its holder from its other duties


class Terminal:
    """The terminal of the job that `launch` starts; the descriptor `fd` is the holder's end. It never blocks.

    The job's output goes to `launch.log`, its input comes from the terminal unless `has_stdin`. Raises SpawnError.
    """

    def __init__(self, poller: poll, launch: Launch, *, has_stdin: bool = False) -> None:
        try:
            self.fd, self._slave = os.openpty()
        except OSError as error:
            raise SpawnError(f"cannot open a terminal: {(error.strerror or str(error)).lower()}", error) from None
        os.set_blocking(self.fd, False)
        self.resize(COLUMNS, ROWS)
        self._poller = poller
        self._log = launch.log
        self._typed = bytearray()
        self._is_blocked = False
        self._lost = 0
        launch.terminal = self._slave
        if not has_stdin:
            launch.null = os.dup(self._slave)
        launch.env[b"TERM"] = TERM
        for name in (b"COLUMNS", b"LINES"):  # programs would believe them rather than the terminal
            launch.env.pop(name, None)
        poller.register(self.fd, POLLIN)

    def resize(self, columns: int, rows: int) -> None:
        """Set the size in cells; the job gets SIGWINCH."""
        height, width = (max(1, min(cells, _MOST_CELLS)) for cells in (rows, columns))
        ioctl(self._slave, termios.TIOCSWINSZ, pack("HHHH", height, width, 0, 0))

    def echoes(self) -> bool:
        """Returns True if the terminal shows what is typed; False while a program asks for a password, for example."""
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def obey(self, message: list[Any]) -> str:
        """Carry out `["type", key, who, text]` or `["size", key, columns, rows]`; returns the answer."""
        word, key, first, second = message
        if word == "size":
            self.resize(first, second)
            return SIZED.format(key=key)
        data = second.encode("latin-1")
        shown = dumps(second) if self.echoes() else "null"
        taken = len(self._typed) + len(data) <= MOST_TYPED
        if taken:
            self._typed += data
            self._write()
        return TYPED.format(key=key, who=dumps(first), text=shown, count=len(data), taken=str(taken).lower())

    def serve(self) -> None:
        """Write to the log what the job has printed, and to the job what it has room for of what was typed."""
        self._read(_MOST_READS)
        self._write()

    def _read(self, most: int) -> None:
        for _ in range(most):
            try:
                data = os.read(self.fd, _CHUNK)
            except OSError:  # nothing more for now; on some systems, every process has closed it
                return
            if not data:
                return
            self._keep(data)

    def _keep(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._log, data) :]
            except OSError:  # a full disk must not stop the job: what it prints is lost
                self._lost += len(data)
                return

    def _write(self) -> None:
        while self._typed:
            try:
                del self._typed[: os.write(self.fd, self._typed[:_CHUNK])]
            except BlockingIOError:
                break
            except OSError:
                self._typed.clear()
        if self._is_blocked != bool(self._typed):
            self._is_blocked = not self._is_blocked
            self._poller.modify(self.fd, POLLIN | POLLOUT if self._is_blocked else POLLIN)

    def close(self) -> str:
        """Read the rest and close both ends; call it after the last process has ended. Returns what went wrong."""
        self._read(1 << 20)
        self._poller.unregister(self.fd)
        os.close(self.fd)
        os.close(self._slave)
        return f"{self._lost} bytes of its output could not be written to the log" if self._lost else ""


def take_terminal(slave: int) -> None:
    """Make the terminal the controlling one of this process's session, which must have none."""
    ioctl(slave, termios.TIOCSCTTY, 0)
