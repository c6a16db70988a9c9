"""Leaves a whole terminal when a signal ends the program at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType

ABRUPT = (signal.SIGQUIT, signal.SIGABRT)
"""Signals that end the program at once, as a crash would: Ctrl-\\, and an abort by another program."""
FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""Signals of a fault in native code; other programs may send them, too."""
OTHERS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU,
          signal.SIGTRAP, signal.SIGSYS)  # fmt: skip
"""Signals that Nova has no use for, whose default is to end the program."""

_PATIENCE = 1.0  # seconds
_SAME_WISH = 0.8  # seconds; a held key begins to repeat after less
SHOW_CURSOR = b"\x1b[0m\x1b[?25h\r\n"
# End a frame, the mouse, focus, paste and resize reports and the keyboard protocol; then leave the alternate screen.
LEAVE_SCREEN = (
    b"\x1b[?2026l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[<u"
    b"\x1b[?1049l\x1b[0m\x1b[?25h"
)


def is_ignored(number: int) -> bool:
    """Returns True if the signal was ignored when the program started, as under nohup; it must stay so."""
    return signal.getsignal(number) is signal.SIG_IGN


class Wishes:
    """Distinguishes a new wish to end from the repeats of a held Ctrl-C, which follow soon on each other."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._has_keys = sys.stdin is not None and sys.stdin.isatty()

    def is_new(self, number: int = signal.SIGINT) -> bool:
        """Returns True if this signal is not a repeat."""
        before, self._last = self._last, time.monotonic()
        return number != signal.SIGINT or not self._has_keys or self._last - before >= _SAME_WISH


def write_soon(descriptor: int, data: bytes) -> None:
    """Write it, but give up after `_PATIENCE`: a terminal that is stopped (Ctrl-S) must not hold the end up."""
    import select

    until = time.monotonic() + _PATIENCE
    os.set_blocking(descriptor, False)
    try:
        while data and time.monotonic() < until:
            if select.select([], [descriptor], [], 0.05)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(descriptor, data) :]
    finally:
        os.set_blocking(descriptor, True)


@contextlib.contextmanager
def whole_after_abrupt_end(
    descriptor: int, sequence: bytes, signals: Sequence[signal.Signals] = ABRUPT
) -> Iterator[None]:
    """In this context, `signals` restore the terminal of `descriptor` before they end the program.

    `sequence` undoes what was written to it; its mode (echo, lines) becomes the present one again. Signals that are
    ignored stay ignored. Has no effect outside of the main thread.
    """
    import termios

    try:
        mode = termios.tcgetattr(descriptor)
    except (termios.error, OSError):  # not a terminal
        yield
        return

    def restore(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # in the background, setting the mode would stop the program
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(descriptor, termios.TCSANOW, mode)
            write_soon(descriptor, sequence)
        os.kill(os.getpid(), number)

    before = {}
    with contextlib.suppress(ValueError):  # not the main thread
        before = {number: signal.signal(number, restore) for number in signals if not is_ignored(number)}
        end_at_second(number for number in before if number in FAULTS)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_second(numbers: Iterable[int]) -> None:
    """Let each of these signals be handled once; the second one ends the program.

    Python handles a signal between two of its instructions. After a fault in native code there is no next one: the same
    instruction would fault forever. Only Linux: elsewhere, nothing is changed.
    """
    wanted = list(numbers)
    if not wanted or sys.platform != "linux":
        return
    import ctypes

    class Action(ctypes.Structure):
        """`struct sigaction` of the C library."""

        _fields_ = (
            ("handler", ctypes.c_void_p),
            ("mask", ctypes.c_byte * 128),
            ("flags", ctypes.c_uint),
            ("restorer", ctypes.c_void_p),
        )

    library = ctypes.CDLL(None)
    for number in wanted:
        action = Action()
        if library.sigaction(number, None, ctypes.byref(action)) == 0:
            action.flags |= 0x8000_0000  # SA_RESETHAND
            library.sigaction(number, ctypes.byref(action), None)
