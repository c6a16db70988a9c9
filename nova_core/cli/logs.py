"""`nova logs`: prints or follows the output of a task."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.choosing import PlanOf, chosen
from nova_core.cli.options import Directory, TaskId, check_ids, load_state
from nova_core.cli.output import OutputClosedError, json_text, note
from nova_core.errors import UsageError
from nova_core.files.log_follower import Follower

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.state.schema import State

LONGEST = 1_000_000  # bytes of a line in one JSON object
POLL = 0.2
LastLines = Annotated[int | None, typer.Option("-n", "--lines", min=0, metavar="N", help="Only the last N lines.")]


def logs(
    task: TaskId,
    lines: LastLines = None,
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
               nova logs F1 -n 20
               nova logs F1 -f
               nova logs F1 --attempt 1 | less
               nova logs F1 -f --json | jq -r .text
    """
    project = chosen(plan)
    state = load_state(project)
    check_ids([task], state.tasks, state)
    path = path_of(project, state, task, attempt)
    latest = state.tasks[task].attempt
    follower = Follower(path, lines)
    cleaned = sys.stdout.isatty() and not raw
    writer = JsonWriter(task, attempt or latest, follower) if as_json else Writer(cleaned=cleaned)
    try:
        if follow and attempt is None:
            follow_log(project, follower, task, writer)
        else:
            print_log(follower, task, path.name, writer)
        writer.finish()
    except BrokenPipeError as error:
        raise OutputClosedError from error
    finally:
        follower.close()
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

    def __init__(self, task: str, attempt: int, follower: Follower | None = None) -> None:
        super().__init__(cleaned=False)
        self._task, self._attempt, self._follower = task, attempt, follower
        self._line = 0
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Write the lines that are whole, and keep the rest."""
        self._line = self._line or 1 + (self._follower.lines_before() if self._follower else 0)
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


def print_log(follower: Follower, task: str, name: str, writer: Writer) -> None:
    """Print the whole log once; `name` is that of its file."""
    from nova_core.text import clean

    while data := follower.read():
        writer.write(data)
    if not follower.is_open:
        note(f"nova: {clean(task)} has printed nothing ({clean(name)} does not exist)")


def follow_log(project: Project, follower: Follower, task: str, writer: Writer) -> None:
    """Print the log until the task ends; the end is checked before the last read, so that no output is missed."""
    while True:
        over = is_over(project, task)
        while data := follower.read():
            writer.write(data)
        if over:
            return
        time.sleep(POLL)


def is_over(project: Project, task: str) -> bool:
    """Returns True if no more output can follow: the task has ended, or it waits and no engine is running."""
    from nova_core.files.lock import engine_alive
    from nova_core.state.schema import TaskStatus

    alive = engine_alive(project.lock_file) is not None
    found = load_state(project).tasks.get(task)
    if found is None or found.is_over:
        return True
    return found.status is TaskStatus.PENDING and not alive
