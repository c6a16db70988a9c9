"""Starts `nova` as a fork of a process that has imported it: most commands take a tenth of their import time.

The processes are real ones, each with streams, a folder and an environment of its own. Only what an interpreter reads
from its environment at its start is not theirs: a test that sets such a variable must start a new one.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import quick_disk

_MOST = 100_000  # bytes of a request; a longer one would not go through the socket in one piece
_KITS = str(Path(__file__).parent)
# With all modules below them; what any of these imports late, as most commands do, is a package of its own here.
CORE = ("nova_core", "sqlite3", "yaml", "base64", "encodings.ascii", "encodings.utf_8_sig")
TUI = (*CORE, "nova_tui", "textual.drivers.linux_driver")


class Warm:
    """A process that has imported `modules` and forks others."""

    def __init__(self, source: str, modules: Sequence[str] = CORE) -> None:
        self._source = source
        self._modules = tuple(modules)
        self._socket: socket.socket | None = None

    def start(
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int], *,
        program: str = "nova_core", session: bool = False, terminal: bool = False,
    ) -> Started | None:  # fmt: skip
        """Start `python -m PROGRAM ARGUMENTS` with these descriptors as its standard streams.

        With `session` it leads a session of its own, with `terminal` one on the terminal that is its standard input.
        Returns None if it cannot be started this way.
        """
        request = json.dumps([program, list(arguments), str(cwd), dict(env), session or terminal, terminal]).encode()
        if len(request) > _MOST:
            return None
        self._socket = self._socket or self._begin()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._socket, [request], [theirs.fileno(), *streams])
        return Started(int(ours.recv(100)), ours)

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = f"{theirs.fileno()}, {self._modules!r}"
        code = f"import sys; sys.path[:0] = {[self._source, _KITS]!r}; import warm; warm.serve({given})"
        process = subprocess.Popen([sys.executable, "-c", code], cwd="/", pass_fds=[theirs.fileno()])
        theirs.close()

        def end() -> None:
            ours.close()
            process.wait()

        atexit.register(end)
        return ours


class Started:
    """A process that was started: what `subprocess.Popen` offers for one without pipes."""

    def __init__(self, pid: int, talk: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._talk = talk

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its exit code, negative for a signal. Raises `TimeoutExpired` after `timeout` seconds."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("nova", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it is still running."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, if it is still running."""
        self.send_signal(signal.SIGKILL)

    def _look(self, seconds: float | None) -> int | None:
        if self.returncode is None and is_readable(self._talk, seconds):
            self.returncode = int(self._talk.recv(100))
            self._talk.close()
        return self.returncode


def is_readable(file: Any, seconds: float | None) -> bool:
    """Wait until there is something to read, or the end; returns False after `seconds`. Any descriptor will do."""
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def run(
    warm: Warm, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float, program: str = "nova_core"
) -> subprocess.CompletedProcess[str] | None:
    """The result of `subprocess.run` for a command with captured output; None if it cannot be started this way."""
    reads, writes = zip(os.pipe(), os.pipe(), strict=True)
    started = warm.start(arguments, cwd, env, [0, *writes], program=program)
    for fd in writes:
        os.close(fd)
    deadline = time.monotonic() + timeout
    texts = _texts(reads, deadline) if started else ["", ""]
    for fd in reads:
        os.close(fd)
    if started is None:
        return None
    try:
        code = started.wait(max(0.001, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        started.kill()
        raise
    return subprocess.CompletedProcess(["nova", *arguments], code, *texts)


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


def serve(descriptor: int, modules: Sequence[str]) -> None:
    """Fork for every request until no process can send one any more, and pass on how each fork ended."""
    for name in modules:
        _import_all(name)
    from typer.main import get_command

    from nova_core.cli.app import COMMANDS, build

    get_command(build(COMMANDS))
    quick_disk.install()
    gc.collect()
    gc.freeze()  # nothing of this is garbage of a fork
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    talks: dict[int, socket.socket] = {}
    with socket.socket(fileno=descriptor) as requests:
        while True:
            ready = select.select([descriptor, woken], [], [])[0]
            if woken in ready:
                os.read(woken, 1000)
                _report_ends(talks)
            if descriptor not in ready:
                continue
            request, descriptors, _, _ = socket.recv_fds(requests, _MOST + 1, 4)
            if not request:
                return
            pid = os.fork()
            if not pid:
                _become(descriptors[1:], *json.loads(request))
            talks[pid] = socket.socket(fileno=descriptors[0])
            talks[pid].send(b"%d" % pid)
            for fd in descriptors[1:]:
                os.close(fd)


def _import_all(name: str) -> None:
    """Import a module, and all below it if it is one of the project's packages."""
    module = importlib.import_module(name)
    if name.startswith("nova_"):
        for found in pkgutil.walk_packages(module.__path__, f"{name}."):
            importlib.import_module(found.name)


def _report_ends(talks: dict[int, socket.socket]) -> None:
    for pid in list(talks):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with talks.pop(pid) as talk, contextlib.suppress(OSError):  # nobody may be interested
                talk.send(b"%d" % os.waitstatus_to_exitcode(status))


def _become(
    streams: Sequence[int], program: str, arguments: list[str], cwd: str, env: dict[str, str], session: bool,
    terminal: bool,
) -> NoReturn:  # fmt: skip
    """Run `python -m PROGRAM ARGUMENTS`, and end with it."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if session:
            os.setsid()
        if terminal:
            fcntl.ioctl(streams[0], termios.TIOCSCTTY, 0)
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
        main: Any = importlib.import_module(f"{program}.__main__")
        sys.argv = [main.__file__, *arguments]
        main.enter()
    finally:
        os._exit(70)
