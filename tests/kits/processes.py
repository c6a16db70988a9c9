"""Real runs of `nova` in a project folder, and the processes they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cli_process

PATIENCE = 60.0


def start_nova(folder: Path, *arguments: str) -> cli_process.Process:
    """A `nova` process in its own session, its output in `nova.out`."""
    with (folder / "nova.out").open("a") as out:
        return cli_process.start(*arguments, cwd=folder, stdout=out, session=True)


def nova(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `nova` to its end."""
    return cli_process.nova(*arguments, cwd=folder, timeout=PATIENCE)


def tasks_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The tasks of the state file; {} before there is one."""
    try:
        tasks: dict[str, dict[str, Any]] = json.loads((folder / "cascade_state.json").read_bytes())["tasks"]
    except FileNotFoundError:
        return {}
    return tasks


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds; fails with `what` if it never does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        began = time.monotonic()
        if condition():
            return
        assert began < deadline, f"never happened: {what}"
        time.sleep(max(0.005, 4 * (time.monotonic() - began)))  # most of the time is left to what is waited for


def processes_of(folder: Path) -> list[int]:
    """Living processes that were started for tasks of the project in `folder`, found by their environment."""
    mark = f"NOVA_PROJECT_ROOT={folder.resolve()}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            marked = mark in (entry / "environ").read_bytes().split(b"\0")
            alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            continue
        if marked and alive:
            found.append(int(entry.name))
    return found


def holders_of(folder: Path) -> list[int]:
    """Pids of living holder processes of the project."""
    mark = str(folder.resolve())
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if entry.name.isdigit() and any(b"holder.holder" in w for w in words):
                at_home = os.readlink(entry / "cwd") == mark or any(mark.encode() in w for w in words)
                found += [int(entry.name)] if at_home else []
        except OSError:
            continue
    return found


def at_home(folder: Path) -> list[int]:
    """Pids of the living processes that work in the folder."""
    home, found = str(folder.resolve()), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.readlink(entry / "cwd") == home:
                found.append(int(entry.name))
    return found


def kill(pid: int) -> None:
    """SIGKILL, if it is still running."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
