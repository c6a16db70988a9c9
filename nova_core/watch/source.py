"""The sources of a run for faces, and the receivers of commands: an engine in this process, or any run's files."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from nova_core.command import Command
from nova_core.config import Config
from nova_core.files.project import Project
from nova_core.parser import Cascade
from nova_core.runs.outlook import Latest
from nova_core.runs.worktime import Span
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import ProjectState, RunState, TaskState

LOOKING = "view only"
WAS_PAUSED = "the run was paused; it continues"
# Bookkeeping events, which are not listed for people.
QUIET = {
    EventKind.TASK_PROGRESS,
    EventKind.TASK_RUNNING,
    EventKind.TASK_VERIFYING,
    EventKind.TASK_BLOCKED,
    EventKind.PROVIDER_USAGE,
}
_T = TypeVar("_T")


class EngineState(StrEnum):
    """The state of the run's engine."""

    RUNNING = "running"
    FINISHED = "finished"
    GONE = "gone"
    CRASHED = "crashed"


class Notice(msgspec.Struct, frozen=True):
    """The answer to a command, in one line. `idle` means that the command needs an engine and none is running."""

    ok: bool
    text: str
    idle: bool = False


class Update(msgspec.Struct, frozen=True):
    """Changes since the last `poll`; `changed` holds task ids, `reset` means that everything may have changed."""

    changed: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()
    notices: tuple[Notice, ...] = ()
    reset: bool = False
    engine_changed: bool = False


class Source(Protocol):
    """A run to display. All calls come from one thread, the face's, and return at once; values are frozen.

    `read_only` means that commands are not allowed, `owns_engine` that the engine ends with this process.
    """

    cascade: Cascade
    project: Project
    config: Config
    read_only: bool
    owns_engine: bool
    engine: EngineState
    error: str

    @property
    def uncommitted(self) -> tuple[str, ...]:
        """The user's files for which the run did not begin."""

    @property
    def tasks(self) -> Mapping[str, TaskState]:
        """The state of each task, by id."""

    @property
    def run(self) -> RunState:
        """The state of the run."""

    @property
    def project_state(self) -> ProjectState:
        """The state of the project."""

    @property
    def jobs(self) -> int:
        """The highest number of workers at once; 0 if unknown."""

    @property
    def rev(self) -> int:
        """The number of the last event applied."""

    def start(self) -> None:
        """Start the run, or start following it."""

    def poll(self) -> Update:
        """Returns the changes since the last call."""

    @property
    def was_stopped(self) -> bool:
        """True if a person ended the run here."""

    def send(self, command: Command) -> None:
        """Send a command; its answer is a notice of a later `poll`."""

    def go_on(self, uncommitted: str = "") -> None:
        """Start an engine for the remaining tasks, if none is running; `uncommitted` is as in the settings."""

    def attempts(self, task_id: str) -> list[AttemptRow]:
        """Returns the finished attempts of a task, oldest first."""

    def spans(self) -> list[Span]:
        """Returns task, end, seconds and start of every finished attempt of the run."""

    def latest(self) -> list[Latest]:
        """Returns task, seconds and US dollars of the latest completed attempt of each task, in any run."""

    def past(self, before: int, most: int) -> list[Event]:
        """Returns the last `most` notable events before number `before`, oldest first."""

    def close(self) -> None:
        """Release the run without changing it."""


def drain(queue: deque[_T]) -> tuple[_T, ...]:
    """Remove and return all items of a queue that other threads fill."""
    items = []
    with contextlib.suppress(IndexError):
        while True:
            items.append(queue.popleft())
    return tuple(items)


def notable(events: Iterable[Event]) -> list[Event]:
    """Returns the events to list for people, without bookkeeping."""
    return [e for e in events if e.kind not in QUIET]
