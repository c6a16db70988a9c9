"""The files requested from `nova run`: JUnit XML, the summary, the trace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nova_core.cli.output import json_text, note
from nova_core.console.summary import TAIL_LINES
from nova_core.console.tails import tail
from nova_core.errors import EnvironmentProblem
from nova_core.model import is_safe_id
from nova_core.text import clean

if TYPE_CHECKING:
    from nova_core.cli.request import RunRequest
    from nova_core.files.project import Project
    from nova_core.runs.result import RunResult, Snapshot


def write_files(request: RunRequest, snapshot: Snapshot, result: RunResult) -> None:
    """Write each requested file; a failure to write a file is reported and affects nothing else."""
    if request.junit:
        write_or_tell(request.junit, junit(request, snapshot))
    if request.summary:
        write_or_tell(request.summary, summary(snapshot, result))
    if request.trace:
        try:
            write_or_tell(request.trace, trace(request, snapshot))
        except EnvironmentProblem as problem:
            note(f"nova: no trace: {clean(problem.message)}")


def junit(request: RunRequest, snapshot: Snapshot) -> bytes:
    """The results as JUnit XML."""
    from nova_core.exports.junit import junit_xml

    state, project = snapshot.state, request.project
    text = junit_xml(snapshot.cascade, state.tasks, lambda i: log_tail(project, i), state.project.started_at)
    return text.encode()


def summary(snapshot: Snapshot, result: RunResult) -> bytes:
    """The run as one JSON document."""
    from nova_core.exports.summary_json import summary_of

    return readable(summary_of(snapshot, result))


def trace(request: RunRequest, snapshot: Snapshot) -> bytes:
    """The attempts of the run, from its history. Raises `EnvironmentProblem` if the history cannot be read."""
    from nova_core.exports.trace import trace_of
    from nova_core.runs.history import Run, RunSummary, runs_in

    own, database = snapshot.state.run.id, request.project.database
    found = (run for run in runs_in(database) if run.summary.id == own)
    return readable(trace_of(request.project, next(found, Run(RunSummary(own), ()))))


def log_tail(project: Project, task_id: str) -> list[str]:
    """The last lines a task printed."""
    return tail(project.latest_log(task_id), TAIL_LINES) if is_safe_id(task_id) else []


def readable(value: object) -> bytes:
    """A value of Nova's as indented JSON that is safe to print."""
    import msgspec

    return json_text(msgspec.json.format(msgspec.json.encode(value), indent=2)) + b"\n"


def write_or_tell(path: str, data: bytes) -> None:
    """Write a file, or report why it cannot be written."""
    try:
        write(path, data)
    except OSError as error:
        note(f"nova: cannot write {clean(path)}: {error.strerror}")


def write(path: str, data: bytes) -> None:
    """Replace a file atomically; write directly to anything but a regular file, such as a pipe."""
    from pathlib import Path

    from nova_core.files.disk import Disk

    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        target.write_bytes(data)
    else:
        Disk().replace(target, data, mode=0o666)  # less the umask: another user may read it next
