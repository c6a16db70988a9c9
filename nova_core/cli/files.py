"""The files requested from `nova run`: JUnit XML, the summary, the trace."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
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


def check_writable(files: Mapping[str, str | None]) -> None:
    """Raise `EnvironmentProblem` for the first file, by option, that a run could not write at its end."""
    for option, path in files.items():
        if path is not None and (why := cannot_write(path)):
            raise EnvironmentProblem(
                f"{option}: cannot write {clean(path) or 'a file without a name'}: {why}",
                hint="nothing was started; name a file in a folder that exists and that you may write to",
            )


def cannot_write(path: str) -> str:
    """Why the file cannot be written; empty if it can, as far as known."""
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path) or not path:
        return os.strerror(errno.EISDIR if path else errno.ENOENT)
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device is written directly
        return "" if os.access(path, os.W_OK) else os.strerror(errno.EACCES)
    if not os.path.isdir(folder):
        above = os.path.dirname(path) or "."
        return f"there is no folder {clean(above)}" if not os.path.lexists(folder) else os.strerror(errno.ENOTDIR)
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"{clean(folder)}: {os.strerror(errno.EACCES)}"


def write_files(request: RunRequest, snapshot: Snapshot, result: RunResult) -> None:
    """Write each requested file; a failure to write a file is reported and affects nothing else."""
    if request.junit:
        write_or_tell(request.junit, junit(request, snapshot))
    if request.summary:
        write_or_tell(request.summary, summary(request, snapshot, result))
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


def summary(request: RunRequest, snapshot: Snapshot, result: RunResult) -> bytes:
    """The run as one JSON document."""
    from nova_core.exports.summary_json import summary_of

    return readable(summary_of(snapshot, result, request.project.logs))


def trace(request: RunRequest, snapshot: Snapshot) -> bytes:
    """The attempts of the run, from its history. Raises `EnvironmentProblem` if the history cannot be read."""
    from nova_core.exports.trace import trace_of
    from nova_core.runs.history import Run, RunSummary, runs_in

    own, database = snapshot.state.run.id, request.project.database
    found = (run for run in runs_in(database) if run.summary.id == own)
    return readable(trace_of(next(found, Run(RunSummary(own), (), database))))


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

    if os.path.exists(path) and not os.path.isfile(path):
        Path(path).write_bytes(data)
    else:
        Disk().replace(Path(os.path.realpath(path)), data, mode=0o666)  # less the umask: another user may read it next
