"""Finds and ends the processes that a trial or a test run has left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "NOVA_BENCH_FOLDER"


def processes_of(folder: Path) -> dict[int, list[str]]:
    """The command line of every living process that names the folder or was started with `MARK` set to it, by pid."""
    found = {}
    mine = str(folder)
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            words = process.cmdline()
            if not words or process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if mine in " ".join(words) or process.environ().get(MARK) == mine:
                found[process.pid] = words
    return found


def kill(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; those that have ended are skipped."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def end_all(folder: Path) -> None:
    """Kill what is left, until nothing is."""
    for _ in range(50):
        found = processes_of(folder)
        if not found:
            return
        kill(found, signal.SIGKILL)
        time.sleep(0.05)
