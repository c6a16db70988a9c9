"""`nova logs`: prints or follows the output of a task."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.choosing import PlanOf, chosen
from nova_core.cli.options import Directory, TaskId, check_ids, load_state
from nova_core.cli.output import OutputClosedError, json_text, note
from nova_core.errors import UsageError

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.state.schema import State

CHUNK = 65_536
LONGEST = 1_000_000  # bytes of a line in one JSON object
POLL = 0.2


def logs(
    task: TaskId,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Follow until the task ends.")] = False,
    attempt: Annotated[int | None, typer.Option(min=1, metavar="N", help="An earlier attempt.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print it unchanged, even on a terminal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line of the log.")] = False,
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Print the output of a task.

    On a terminal, escape sequences are removed; to a pipe, the log is printed unchanged.

    \b
    Examples:  nova logs F1
               nova logs F1 -f
               nova logs F1 --attempt 1 | less
               nova logs F1 -f --json | jq -r .text
    """
    project = chosen(plan)
    state = load_state(project)
    check_ids([task], state.tasks, state)
    path = path_of(project, state, task, attempt)
    latest = state.tasks[task].attempt
    cleaned = sys.stdout.isatty() and not raw
    writer = JsonWriter(task, attempt or latest) if as_json else Writer(cleaned=cleaned)
    try:
        if follow and attempt is None:
            follow_log(project, path, task, writer)
        else:
            print_log(path, task, writer)
        writer.finish()
    except BrokenPipeError as error:
        raise OutputClosedError from error
    return 0


def path_of(project: Project, state: State, task: str, attempt: int | None) -> Path:
    """The path of an attempt's log. Raises an error if it does not exist."""
    from nova_core.text import clean, number_of

    latest = state.tasks[task].attempt
    if attempt is not None and attempt > latest:
        had = f"{clean(task)} has had {number_of(latest, 'attempt')}"
        raise UsageError(had, hint=f"show the latest with nova logs {clean(task)}")
    try:
        return project.attempt_log(task, attempt or latest, latest, state.tasks)
    except ValueError:
        raise UsageError(f"{clean(task)} cannot be the name of a file") from None


class Writer:
    """Writes a log's bytes to stdout, cleaned if stdout is a terminal."""

    def __init__(self, *, cleaned: bool) -> None:
        self._stream = sys.stdout.buffer
        self._cleaner = None
        if cleaned:
            from codecs import getincrementaldecoder

            from nova_core.text import Cleaner

            self._cleaner = Cleaner(newlines=True)
            self._decoder = getincrementaldecoder("utf-8")("replace")

    def write(self, data: bytes) -> None:
        """Write one piece and flush it."""
        if self._cleaner is not None:
            data = self._cleaner.feed(self._decoder.decode(data)).encode("utf-8", "replace")
        self._stream.write(data)
        self._stream.flush()

    def finish(self) -> None:
        """Write the bytes held back so far."""
        if self._cleaner is not None:
            self._stream.write(self._cleaner.finish().encode("utf-8", "replace"))
            self._stream.flush()


class JsonWriter(Writer):
    """Writes each line of a log as one JSON object; a line longer than `LONGEST` bytes as several."""

    def __init__(self, task: str, attempt: int) -> None:
        super().__init__(cleaned=False)
        self._task, self._attempt = task, attempt
        self._line = 1
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Write the lines that are whole, and keep the rest."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._object(line.removesuffix(b"\r"))
            self._line += 1
        if len(self._rest) > LONGEST:
            self._object(self._rest, continues=True)
            self._rest = b""
        self._stream.flush()

    def finish(self) -> None:
        """Write the last line, which may have no end."""
        if self._rest:
            self._object(self._rest)
            self._stream.flush()

    def _object(self, line: bytes, *, continues: bool = False) -> None:
        import msgspec

        from nova_core.exports.answers import LogLine

        found = LogLine(self._task, self._attempt, self._line, line.decode("utf-8", "replace"), continues)
        self._stream.write(json_text(msgspec.json.encode(found)) + b"\n")


class Follower:
    """Reads new output of a log that may grow, shrink, be replaced or not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._offset = 0

    def read(self) -> bytes:
        """The next piece, empty if there is none; restarts from the beginning if the log was truncated or replaced."""
        if self._descriptor is None or self._changed():
            self._open()
        if self._descriptor is None:
            return b""
        data = os.pread(self._descriptor, CHUNK, self._offset)
        self._offset += len(data)
        return data

    def _changed(self) -> bool:
        assert self._descriptor is not None
        mine = os.fstat(self._descriptor)
        if mine.st_size < self._offset:
            return True
        if mine.st_size > self._offset:  # finish the old file before a new one
            return False
        try:
            there = os.lstat(self._path)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def _open(self) -> None:
        from nova_core.console.tails import open_log

        self.close()
        self._descriptor, self._offset = open_log(self._path), 0

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def print_log(path: Path, task: str, writer: Writer) -> None:
    """Print the whole log once."""
    from nova_core.console.tails import open_log
    from nova_core.text import clean

    descriptor = open_log(path)
    if descriptor is None:
        note(f"nova: {clean(task)} has printed nothing ({clean(path.name)} does not exist)")
        return
    with os.fdopen(descriptor, "rb") as file:
        while data := file.read(CHUNK):
            writer.write(data)


def follow_log(project: Project, path: Path, task: str, writer: Writer) -> None:
    """Print the log until the task ends; the end is checked before the last read, so that no output is missed."""
    follower = Follower(path)
    try:
        while True:
            over = is_over(project, task)
            while data := follower.read():
                writer.write(data)
            if over:
                return
            time.sleep(POLL)
    finally:
        follower.close()


def is_over(project: Project, task: str) -> bool:
    """Returns True if no more output can follow: the task has ended, or it waits and no engine is running."""
    from nova_core.files.lock import engine_alive
    from nova_core.state.schema import TaskStatus

    alive = engine_alive(project.lock_file) is not None
    found = load_state(project).tasks.get(task)
    if found is None or found.is_over:
        return True
    return found.status is TaskStatus.PENDING and not alive
