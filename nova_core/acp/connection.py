"""The agent's process and its lines: requests and answers by their numbers, whatever else comes in between."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any

import msgspec

MOST_LINE = 32 << 20  # bytes; a longer line is dropped
_PIECE = 1 << 18
_REST = 0.01
_LEAVE = 2.0  # seconds that an agent has to exit after its input is closed, and again after TERM
_decode = msgspec.json.Decoder().decode
Message = dict[str, Any]


class AgentGoneError(Exception):
    """The agent has closed its output."""


class RequestError(Exception):
    """The agent answered a request with an error, or in a way that nobody can use."""


class _Lines:
    """Cuts what a pipe brings into lines; a line over the limit is dropped, and reported as lost."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self._parts: list[bytes] = []
        self._size = 0
        self._dropping = False

    def read(self) -> list[bytes] | None:
        """Returns the lines that are complete now; None at the end of the pipe."""
        data = os.read(self.pipe, _PIECE)
        if not data:
            return None
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._parts, lines[0]))
            self._parts, self._size = [], 0
            if self._dropping:
                lines[0], self._dropping = b"a line of more than 32 MB was dropped", False
        if rest:
            self._size += len(rest)
            self._dropping |= self._size > MOST_LINE
            self._parts = [] if self._dropping else [*self._parts, rest]
        return lines


class Connection:
    """One agent. `heard` gets each message that is no awaited answer, `noise` each line that is no message.

    `idle` is called at least every `idle_after` seconds while something is awaited.
    """

    idle_after = 0.2

    def __init__(
        self, argv: Sequence[str], heard: Callable[[Message], object], noise: Callable[[str], object],
        idle: Callable[[], object],
    ) -> None:  # fmt: skip
        self._heard = heard
        self._noise = noise
        self._idle = idle
        self._number = 0
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0, bufsize=0
        )
        pipes = self._process.stdin, self._process.stdout, self._process.stderr
        self._input, output, errors = (pipe.fileno() if pipe else -1 for pipe in pipes)
        self._output, self._errors = _Lines(output), _Lines(errors)
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        for pipe in (self._output.pipe, self._errors.pipe, self._wake):
            self._poll.register(pipe, select.POLLIN)

    def wake(self) -> None:
        """End the current wait, from a signal handler."""
        with suppress(BlockingIOError):
            os.write(self._waker, b"x")

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. Raises `AgentGoneError`."""
        data = msgspec.json.encode({"jsonrpc": "2.0", **message}) + b"\n"
        try:
            while data:
                data = data[os.write(self._input, data) :]
        except OSError:
            raise AgentGoneError("it has closed its input") from None

    def request(self, method: str, params: Mapping[str, Any], limit: float = 0.0) -> tuple[int, Callable[[], Message]]:
        """Send a request; returns its number and a function that waits for the answer (at most `limit` seconds).

        That raises `RequestError` for an error, and `AgentGoneError`.
        """
        self._number += 1
        number = self._number
        self.send({"id": number, "method": method, "params": params})
        until = monotonic() + limit if limit else 0.0
        return number, lambda: self._await(number, method, until)

    def _await(self, number: int, method: str, until: float) -> Message:
        waiting: list[bytes] = []
        while True:
            for line in waiting:
                message = self._message(line)
                if message is None:
                    continue
                if "method" not in message and message.get("id") == number:
                    return message
                self._heard(message)
            if until and monotonic() > until:
                raise RequestError(f"it did not answer `{method}`: is it an agent that speaks the protocol?")
            waiting = self._wait()

    def _message(self, line: bytes) -> Message | None:
        if not line.strip():
            return None
        try:
            found = _decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        self._noise(line[:2000].decode("utf-8", "replace"))
        return None

    def _wait(self) -> list[bytes]:
        """Returns the lines that have come. Raises `AgentGoneError` at the end of its output."""
        ready = {pipe for pipe, _ in self._poll.poll(self.idle_after * 1000)}
        lines: list[bytes] | None = []
        if self._wake in ready:
            os.read(self._wake, 100)
        if self._errors.pipe in ready:
            self._take_errors()
        if self._output.pipe in ready:
            lines = self._output.read()
        self._idle()
        if lines is None:
            self._drain()
            raise AgentGoneError("it ended")
        return lines

    def _take_errors(self) -> None:
        lines = self._errors.read()
        if lines is None:
            self._poll.unregister(self._errors.pipe)
        for line in lines or ():
            if line.strip():
                self._noise(line[:2000].decode("utf-8", "replace"))

    def _drain(self) -> None:
        """What it still says as it dies is often the reason."""
        until = monotonic() + 1.0
        while monotonic() < until and any(pipe == self._errors.pipe for pipe, _ in self._poll.poll(100)):
            if (lines := self._errors.read()) is None:
                return
            for line in lines:
                self._noise(line[:2000].decode("utf-8", "replace"))

    def close(self) -> int | None:
        """Close its input, and end its process group if that does not end it; returns its exit code, if it has one."""
        with suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        code = None
        for wanted in (0, signal.SIGTERM, signal.SIGKILL):
            if wanted and not self.signal(wanted):
                break  # nothing of its group is left
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(_LEAVE)
            until = monotonic() + _LEAVE
            while wanted and code is not None and monotonic() < until and self.signal(0):
                sleep(_REST)
        return code

    def signal(self, wanted: int) -> bool:
        """Send a signal to its process group; returns False if there is none any more."""
        try:
            os.killpg(self._process.pid, wanted)
        except OSError:
            return False
        return True
