"""Runs `nova` as a person does: a real process in a real directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import warm

import nova_core

SOURCE = str(Path(nova_core.__file__).parents[1])
WARM = warm.Warm(SOURCE)
Process = subprocess.Popen[bytes] | warm.Started


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the tests without anything that changes what Nova prints, plus `extra`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NOVA_", "GITHUB_")) and k != "NO_COLOR"}
    return {**kept, "PYTHONPATH": SOURCE, **(extra or {})}


def command(*arguments: str) -> list[str]:
    """The argument list of `nova ARGUMENTS`."""
    return [sys.executable, "-m", "nova_core", *arguments]


def shell_environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which `nova` is this project's command, by a script in `folder`."""
    script = folder / "bin" / "nova"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m nova_core "$@"\n')
    script.chmod(0o755)
    return environment({"PATH": f"{script.parent}:{os.environ['PATH']}", **(extra or {})})


def nova(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 60, program: str = "nova_core"
) -> subprocess.CompletedProcess[str]:
    """Run `nova ARGUMENTS`, or another program, in `cwd` to its end."""
    done = warm.run(WARM, arguments, cwd, environment(env), timeout, program) if can_be_warm(env) else None
    return done or subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start(
    *arguments: str, cwd: Path, stdout: IO[Any] | None = None, stderr: IO[Any] | None = None,
    env: Mapping[str, str] | None = None, session: bool = False,
) -> Process:  # fmt: skip
    """Start `nova ARGUMENTS` in `cwd`, its output in files: by default in none, and both streams in one.

    With `session` it leads a session of its own.
    """
    with open(os.devnull, "wb") as nowhere:
        out, err = (file.fileno() for file in (stdout or nowhere, stderr or stdout or nowhere))
        streams = [0, out, err]
        started = WARM.start(arguments, cwd, environment(env), streams, session=session) if can_be_warm(env) else None
        return started or subprocess.Popen(
            command(*arguments), cwd=cwd, env=environment(env), stdout=out, stderr=err, start_new_session=session
        )


def can_be_warm(env: Mapping[str, str] | None) -> bool:
    """Returns True if no variable is changed that only a newly started interpreter reads."""
    same = {**os.environ, "PYTHONPATH": SOURCE}
    read_at_start = {name for name in env or () if name.startswith(("PYTHON", "LC_", "LANG"))}
    return not any(env and env[name] != same.get(name) for name in read_at_start)
