"""Starts `nova` as a fork of a process that has imported it: most commands take a tenth of their import time.

The processes are real ones, each with streams, a folder and an environment of its own. Only what an interpreter reads
from its environment at its start is not theirs: a test that sets such a variable must start a new one.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

_MOST = 100_000  # bytes of a request; a longer one would not go through the socket in one piece
_KITS = str(Path(__file__).parent)


class Warm:
    """One process that forks others, one at a time: `start` returns None while one is running."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._socket: socket.socket | None = None
        self._busy = threading.Lock()

    def start(
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int]
    ) -> Started | None:
        """Start `nova ARGUMENTS` with these descriptors as its standard streams; None if that is not possible here."""
        request = json.dumps([list(arguments), str(cwd), dict(env)]).encode()
        if len(request) > _MOST or not self._busy.acquire(blocking=False):
            return None
        self._socket = self._socket or self._begin()
        socket.send_fds(self._socket, [request], list(streams))
        return Started(int(self._socket.recv(100)), self._socket, self._busy)

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = f"import sys; sys.path[:0] = {[self._source, _KITS]!r}; import warm; warm.serve({theirs.fileno()})"
        process = subprocess.Popen([sys.executable, "-c", code], cwd="/", pass_fds=[theirs.fileno()])
        theirs.close()

        def end() -> None:
            ours.close()
            process.wait()

        atexit.register(end)
        return ours


class Started:
    """A process that was started, until its end is collected."""

    def __init__(self, pid: int, talk: socket.socket, busy: threading.Lock) -> None:
        self.pid = pid
        self._talk = talk
        self._busy = busy

    def wait(self, seconds: float) -> int:
        """Its exit code, negative for a signal. Kills it and raises `TimeoutExpired` after the timeout."""
        self._talk.settimeout(max(0.001, seconds))
        try:
            return int(self._talk.recv(100))
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            self._talk.settimeout(None)
            self._talk.recv(100)
            raise subprocess.TimeoutExpired("nova", seconds) from None
        finally:
            self._talk.settimeout(None)
            self._busy.release()


def run(
    warm: Warm, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str] | None:
    """The result of `subprocess.run` for a command with captured output; None if it cannot be started this way."""
    reads, writes = zip(os.pipe(), os.pipe(), strict=True)
    started = warm.start(arguments, cwd, env, [0, *writes])
    for fd in writes:
        os.close(fd)
    deadline = time.monotonic() + timeout
    texts = _texts(reads, deadline) if started else ["", ""]
    for fd in reads:
        os.close(fd)
    if started is None:
        return None
    return subprocess.CompletedProcess(["nova", *arguments], started.wait(deadline - time.monotonic()), *texts)


def _texts(reads: Sequence[int], deadline: float) -> list[str]:
    """The data from each descriptor until no process can write any more, or the time is over."""
    data = {fd: bytearray() for fd in reads}
    with selectors.DefaultSelector() as ready:
        for fd in reads:
            ready.register(fd, selectors.EVENT_READ)
        while ready.get_map() and time.monotonic() < deadline:
            for key, _ in ready.select(max(0.0, deadline - time.monotonic())):
                part = os.read(key.fd, 1 << 16)
                data[key.fd] += part
                if not part:
                    ready.unregister(key.fd)
    return [bytes(data[fd]).decode().replace("\r\n", "\n").replace("\r", "\n") for fd in reads]


# in the process that forks


def serve(descriptor: int) -> None:
    """Fork for every request until no process can send one any more."""
    import sqlite3  # noqa: F401

    from nova_core import __main__, orchestrator  # noqa: F401
    from nova_core.cli import files, views  # noqa: F401
    from nova_core.cli.app import COMMANDS, build
    from nova_core.console import tails  # noqa: F401
    from nova_core.importers import formats  # noqa: F401

    build(COMMANDS)
    with socket.socket(fileno=descriptor) as talk:
        while True:
            request, streams, _, _ = socket.recv_fds(talk, _MOST + 1, 3)
            if not request:
                return
            arguments, cwd, env = json.loads(request)
            pid = os.fork()
            if not pid:
                _become(arguments, cwd, env, streams)
            for fd in streams:
                os.close(fd)
            talk.send(b"%d" % pid)
            talk.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _become(arguments: list[str], cwd: str, env: dict[str, str], streams: Sequence[int]) -> NoReturn:
    """Run `nova ARGUMENTS`, and end with it."""
    try:
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        os.closerange(3, 1024)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        time.tzset()
        for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
            errors = "backslashreplace" if name == "stderr" else "strict"
            stream = open(number, f"{mode}b", closefd=False)  # noqa: SIM115 - for as long as the process lives
            lines = name == "stderr" or stream.isatty()
            setattr(sys, name, io.TextIOWrapper(stream, errors=errors, line_buffering=lines))
        from nova_core.__main__ import __file__ as program
        from nova_core.__main__ import enter

        sys.argv = [program, *arguments]
        enter()
    finally:
        os._exit(70)
