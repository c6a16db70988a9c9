"""Where faces get a run from, and whom they tell what to do: an engine in this process, or any run's files."""

from __future__ import annotations

import contextlib
import shlex
from collections import deque
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from nova_core.command import Command
from nova_core.config import Config
from nova_core.files.project import Project
from nova_core.parser import Cascade
from nova_core.runs.worktime import Span
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import ProjectState, RunState, TaskState

LOOKING = "looking only"
WAS_PAUSED = "the run was paused: it goes on"
# Bookkeeping: not for a list that a person reads.
QUIET = {EventKind.TASK_PROGRESS, EventKind.TASK_RUNNING, EventKind.TASK_VERIFYING, EventKind.TASK_BLOCKED}
_T = TypeVar("_T")


class EngineState(StrEnum):
    """What drives the run."""

    RUNNING = "running"
    FINISHED = "finished"
    GONE = "gone"
    CRASHED = "crashed"


class Notice(msgspec.Struct, frozen=True):
    """The answer to a command, in one line. `idle` says that it waits for an engine, and that none is at work."""

    ok: bool
    text: str
    idle: bool = False


class Update(msgspec.Struct, frozen=True):
    """What is new since the last look; `changed` are ids of tasks, `reset` says that everything may have changed."""

    changed: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()
    notices: tuple[Notice, ...] = ()
    reset: bool = False
    engine_changed: bool = False


class Source(Protocol):
    """A run to look at. All calls are made on one thread, the face's, and return at once; values are frozen.

    `read_only` says that nothing may be asked of it, `owns_engine` that its engine ends with this process.
    """

    cascade: Cascade
    project: Project
    config: Config
    read_only: bool
    owns_engine: bool
    engine: EngineState
    error: str

    @property
    def tasks(self) -> Mapping[str, TaskState]:
        """What is known of each task, by id."""

    @property
    def run(self) -> RunState:
        """The run's own record."""

    @property
    def project_state(self) -> ProjectState:
        """The project's own record."""

    @property
    def jobs(self) -> int:
        """Most workers at once; 0 if that is not known."""

    @property
    def rev(self) -> int:
        """Number of the last event taken in."""

    def start(self) -> None:
        """Begin to run, or to follow."""

    def poll(self) -> Update:
        """What is new since the last call."""

    @property
    def was_stopped(self) -> bool:
        """Whether somebody here ended the run."""

    def send(self, command: Command) -> None:
        """Ask for something; the answer is a notice of a later `poll`."""

    def go_on(self) -> None:
        """Have an engine run what is left, where none is at work."""

    def attempts(self, task_id: str) -> list[AttemptRow]:
        """The attempts of a task that are over, oldest first."""

    def spans(self) -> list[Span]:
        """Task, end and seconds of every attempt of the run that is over."""

    def past(self, before: int, most: int) -> list[Event]:
        """The last notable events before number `before`, oldest first."""

    def close(self) -> None:
        """Let go of the run without changing it."""


def go_on_line(plan: str) -> str:
    """What to type to go on with the run of a plan."""
    return "nova run" if plan in ("", "CASCADE.md") else f"nova run {shlex.quote(plan)}"


def drain(queue: deque[_T]) -> tuple[_T, ...]:
    """Take everything out of a queue that other threads fill."""
    items = []
    with contextlib.suppress(IndexError):
        while True:
            items.append(queue.popleft())
    return tuple(items)


def notable(events: Iterable[Event]) -> list[Event]:
    """The events a person wants in a list: not the bookkeeping."""
    return [e for e in events if e.kind not in QUIET]
