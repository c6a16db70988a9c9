"""Starts threads on machines that may have none to spare, and lets them share memory."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from threading import Thread

_PAUSE = 0.25  # seconds
_M_ARENA_MAX = -8  # mallopt(3)


def share_heap() -> None:
    """Let all threads of this program use one heap; for a program of our own, not for one that only imports us.

    glibc gives each thread a heap of its own, where what it allocated stays when another frees it: 8 of 80 MB with
    10,000 tasks. Other C libraries have no such setting.
    """
    import ctypes

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def start_thread(thread: Thread) -> None:
    """Start a thread. If there is none to spare (`RuntimeError`), say so once on standard error, and wait for one."""
    told = False
    while True:
        try:
            thread.start()
        except RuntimeError as error:
            if thread.ident is not None:
                raise  # it was started before
            if not told:
                sys.stderr.write(f"nova: {error}; waiting until it is possible again\n")
                told = True
            time.sleep(_PAUSE)
        else:
            return
