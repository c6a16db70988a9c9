"""Starts threads on machines that may have none to spare."""

from __future__ import annotations

import sys
import time
from threading import Thread

_PAUSE = 0.25  # seconds


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
