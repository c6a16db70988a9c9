"""A program on its own pseudo terminal, and the screen it draws there, as a person would see it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte
import warm

import nova_core

SOURCE = str(Path(nova_core.__file__).parents[1])
PATIENCE = 60.0  # seconds to wait for something that must appear
DROPPED = ("NOVA_", "GITHUB_", "SSH_", "TMUX", "TEXTUAL", "COLUMNS", "LINES")
KEYS = {
    "enter": "\r", "escape": "\x1b", "tab": "\t", "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C",
    "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F", "backspace": "\x7f", "space": " ",
}  # fmt: skip
MODES = {"alternate screen": 1049, "cursor": 25, "mouse": 1000, "any mouse": 1003, "paste": 2004, "focus": 1004}

ASKS_FOR_FRAMES, HAS_FRAMES = b"\x1b[?2026$p", b"\x1b[?2026;2$y"  # synchronized output, as current terminals have
FRAME, END_OF_FRAME = b"\x1b[?2026h", b"\x1b[?2026l"

READ_EARLY = ("PYTHON", "LC_", "LANG", "TEXTUAL")  # what these variables say is read at the start of a program
_WARM = warm.Warm(SOURCE, warm.TUI)


def nova(*arguments: str) -> list[str]:
    """The argument list of `nova ARGUMENTS`."""
    return [sys.executable, "-m", "nova_core", *arguments]


def nova_tui(*arguments: str) -> list[str]:
    """The argument list of `nova-tui ARGUMENTS`."""
    return [sys.executable, "-m", "nova_tui", *arguments]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A person's environment at a terminal with colours, plus `extra`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(DROPPED) and k not in ("CI", "NO_COLOR")}
    return {
        **kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": SOURCE, "TZ": "UTC",
        "LANG": "C.UTF-8", **(extra or {}),
    }  # fmt: skip


def _fork(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None, side: int) -> warm.Started | None:
    interpreter, flag, program = argv[:3]
    if (interpreter, flag) != (sys.executable, "-m") or any(name.startswith(READ_EARLY) for name in env or ()):
        return None
    return _WARM.start(argv[3:], cwd, environment(env), [side] * 3, program=program, terminal=True)


def _start(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None, side: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv, cwd=cwd, env=environment(env), stdin=side, stdout=side, stderr=side, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip


class Terminal:
    """Runs `argv` in `cwd` on a terminal of `size` (columns, rows). `raw` is every byte it wrote.

    Leaving the `with` block kills what is still running. Every wait fails with the picture of the screen. If only bytes
    count, `drawn` may be False. `nova` and `nova-tui` are forks of a process that has imported them; with `cold` they
    are started as people do it.
    """

    def __init__(
        self, argv: Sequence[str], cwd: Path, *, size: tuple[int, int] = (120, 40),
        env: Mapping[str, str] | None = None, drawn: bool = True, cold: bool = False,
    ) -> None:  # fmt: skip
        self.raw = bytearray()
        self._ahead = bytearray()  # read, but of later frames
        self._drawn = drawn
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self._lines = [""] * size[1]  # as they were when somebody last looked
        self._code: int | None = None
        self.began = time.perf_counter()
        self._fd, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self._process = (None if cold else _fork(argv, cwd, env, side)) or _start(argv, cwd, env, side)
        os.close(side)
        self.pid = self._process.pid

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._code is None:
            self.kill(signal.SIGKILL)
            self.wait_exit()
        self.hang_up()

    def hang_up(self) -> None:
        """Take the terminal away, as closing its window does."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, longest: float = 0.05, most: int = 1 << 16) -> bool:
        """Read what has been written, waiting `longest` seconds for it; returns False at the end.

        The output is drawn frame by frame, so that a short notice is seen however late the test looks.
        """
        if not self._ahead:
            try:
                ready = self._fd >= 0 and warm.is_readable(self._fd, longest)
                data = os.read(self._fd, most) if ready else None
            except OSError:  # EIO: the other side is closed
                return False
            if not data:
                return data is None
            self._ahead += data
        self._take(self._frame() if self._drawn else len(self._ahead))
        return True

    def _frame(self) -> int:
        """The number of the following bytes that belong to this frame, whose end may have begun before them."""
        begun = self.raw[1 - len(END_OF_FRAME) :]
        end = (begun + self._ahead).find(END_OF_FRAME)
        return len(self._ahead) if end < 0 else end - len(begun) + len(END_OF_FRAME)

    def _take(self, count: int) -> None:
        data = bytes(self._ahead[:count])
        del self._ahead[:count]
        asked = ASKS_FOR_FRAMES in self.raw[1 - len(ASKS_FOR_FRAMES) :] + data
        self.raw += data
        if self._drawn:
            self._stream.feed(data)
        if asked:
            with contextlib.suppress(OSError):  # as above
                os.write(self._fd, HAS_FRAMES)

    @property
    def whole(self) -> bool:
        """Returns True if the screen shows a whole frame, not the first half of the next one."""
        return self.raw.rfind(FRAME) <= self.raw.rfind(END_OF_FRAME)

    @property
    def frame(self) -> bytes:
        """The last frame, as it was written."""
        return bytes(self.raw[self.raw.rfind(FRAME) :])

    def send(self, *keys: str) -> None:
        """Press keys: names of `KEYS`, or else the text itself; what was drawn before is read first."""
        while self._ahead:
            self.read(0)
        for key in keys:
            os.write(self._fd, KEYS.get(key, key).encode())

    def write(self, data: bytes) -> bool:
        """Send bytes as they are; returns False if nobody reads them any more."""
        try:
            os.write(self._fd, data)
        except OSError:
            return False
        return True

    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self._code is None:
            self._code = self._process.poll()
        return self._code

    def lines(self) -> list[str]:
        """The current screen. Only what has changed is put together again: tests look many times a second."""
        for number in self.screen.dirty:
            row = self.screen.buffer[number]
            self._lines[number] = "".join([row[x].data for x in range(self.screen.columns)]).rstrip()
        self.screen.dirty.clear()
        return list(self._lines)

    @property
    def text(self) -> str:
        """The current screen, as one text."""
        return "\n".join(self.lines())

    def wait(self, sought: str | Callable[[], object], patience: float = PATIENCE) -> str:
        """Read until the screen shows a text (a regular expression), or a condition holds; returns the screen's
        text."""
        holds = (lambda: re.search(sought, self.text)) if isinstance(sought, str) else sought
        deadline = time.monotonic() + patience
        while not (self.whole and holds()):
            alive = self.read()
            assert time.monotonic() < deadline, f"{sought!r} never came\n{self.text}"
            assert alive or holds(), f"it ended before {sought!r} came\n{self.text}\n{self.after_screen()}"
        return self.text

    def wait_each(self, *sought: str) -> None:
        """Read until each of the texts (regular expressions) has been on the screen, in any order."""
        missing = set(sought)

        def holds() -> bool:
            missing.difference_update([text for text in missing if re.search(text, self.text)])
            return not missing

        self.wait(holds)

    def press(self, keys: str | Sequence[str], sought: str | Callable[[], object]) -> str:
        """Press keys and wait for their effect; returns the screen's text."""
        self.send(*([keys] if isinstance(keys, str) else keys))
        return self.wait(sought)

    def settle(self, quiet: float = 0.3) -> str:
        """Read until nothing has been written for `quiet` seconds; returns the screen's text."""
        size = -1
        while size != len(self.raw):
            size = len(self.raw)
            deadline = time.monotonic() + quiet
            while time.monotonic() < deadline and self.read(0.02):
                pass
        return self.text

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal."""
        self.screen.resize(rows, columns)
        self._lines = [""] * rows
        self.screen.dirty = set(range(rows))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def kill(self, number: int) -> None:
        """Send a signal to the program."""
        os.kill(self.pid, number)

    def wait_exit(self, patience: float = PATIENCE) -> int:
        """Read to the end; returns the exit code, negative for a signal."""
        deadline = time.monotonic() + patience
        while self._code is None:
            self.read(0.02)
            self._code = self._process.poll()
            assert time.monotonic() < deadline, f"it did not end\n{self.text}\n{self.after_screen()}"
        while self._ahead or (self._fd >= 0 and warm.is_readable(self._fd, 0)):
            if not self.read(0):
                break
        return self._code

    def modes(self) -> dict[str, bool]:
        """The modes of the terminal that are on: only the cursor should be, where a shell continues."""
        state = {name: name == "cursor" for name in MODES}
        for name, number in MODES.items():
            for numbers, end in re.findall(rb"\x1b\[\?([\d;]+)([hl])", bytes(self.raw)):
                if str(number).encode() in numbers.split(b";"):
                    state[name] = end == b"h"
        return state

    def restored(self) -> bool:
        """Returns True if the terminal is restored: only the cursor is on, and typing echoes."""
        echo = bool(termios.tcgetattr(self._fd)[3] & termios.ECHO)
        return self.modes() == {name: name == "cursor" for name in MODES} and echo

    def after_screen(self) -> str:
        """What was printed on the normal screen after the interface was left."""
        _, mark, rest = bytes(self.raw).rpartition(b"\x1b[?1049l")
        text = (rest if mark else bytes(self.raw)).decode("utf-8", "replace")
        return re.sub(r"\x1b\[[<>?]?[\d;]*[a-zA-Z]", "", text).replace("\r\n", "\n")
