"""Starts an engine in the background: in its own session, and confirmed to have begun."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nova_core.files.lock import engine_alive
from nova_core.holder.safe_open import inherit_owner

if TYPE_CHECKING:
    from nova_core.files.project import Project

BEGIN_WITHIN = 30.0
POLL = 0.02


def start_engine(project: Project, arguments: Iterable[str]) -> tuple[int, int | None, str]:
    """Start an engine in its own session, and wait until it holds the lock or has ended.

    Returns its process id and, if it has ended, its exit code and output.
    """
    project.make_dirs()
    start = log_size(project.engine_log)
    with open(project.engine_log, "ab", opener=private) as log:
        process = subprocess.Popen(
            engine_command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=project.root,
            start_new_session=True,
        )
    code = wait_for_lock(process, project)
    return process.pid, code, "" if code is None else read_from(project.engine_log, start)


def private(path: str, flags: int) -> int:
    """Open a file for the owner only, and never through a symbolic link."""
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    inherit_owner(fd, os.path.dirname(path))
    return fd


def log_size(path: Path) -> int:
    """Returns the size of the log in bytes."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read_from(path: Path, start: int) -> str:
    """Returns the engine's output since `start`, safe to display."""
    from nova_core.text import clean

    with open(path, "rb") as file:
        file.seek(start)
        return clean(file.read(20_000).decode("utf-8", "replace"), newlines=True).strip()


def engine_command(arguments: Iterable[str]) -> list[str]:
    """Returns the command of the same `nova` and interpreter; `-P` keeps project files from shadowing our modules.

    `arguments` begin with the command `run`.
    """
    command, *rest = arguments
    package_root = str(Path(__file__).resolve().parents[2])
    program = (
        f"import sys; sys.argv[0] = 'nova'; sys.path.append({package_root!r});"
        "from nova_core.__main__ import main; sys.exit(main())"
    )
    return [sys.executable, "-P", "-c", program, command, "--background", *rest]


def wait_for_lock(process: subprocess.Popen[bytes], project: Project) -> int | None:
    """Returns None once the run holds the lock; the exit code if it ended before."""
    deadline = time.monotonic() + BEGIN_WITHIN
    while time.monotonic() < deadline:
        engine = engine_alive(project.lock_file)
        if engine is not None and engine.pid == process.pid:
            return None
        code = process.poll()
        if code is not None:
            return code
        time.sleep(POLL)
    return None
