"""The values of a plan: tasks, criteria, token counts; frozen and without behaviour."""

from __future__ import annotations

import re
from enum import StrEnum
from sys import intern
from typing import Annotated

import msgspec

# Numbers in files that people may edit: sums and formats of these cannot overflow, and SQLite holds the next one.
Whole = Annotated[int, msgspec.Meta(ge=-(10**18), le=10**18)]
Real = Annotated[float, msgspec.Meta(ge=-1e18, le=1e18)]
Moment = Annotated[float, msgspec.Meta(ge=-1e9, le=1e11)]  # seconds since the epoch, of which each has a date
MAX_ID = 200
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_MAX_PARTS = 8
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)


def is_safe_id(task_id: str) -> bool:
    """Returns True if `task_id` can be a file name on any system: no absolute path, `..`, option, device, hidden file.

    Slashes separate folder levels, as in `01-analysis/03-audit`; only the last level may end in `.log`.
    """
    if "/" not in task_id:
        return _is_safe_part(task_id)
    parts = task_id.split("/")
    return (
        len(parts) <= _MAX_PARTS
        and len(task_id) <= MAX_ID
        and all(map(_is_safe_part, parts))
        and not any(part.endswith(".log") for part in parts[:-1])
    )


def _is_safe_part(part: str) -> bool:
    return (
        _PART.match(part) is not None
        and ".." not in part
        and not part.endswith((".", ".lock", ".tmp"))
        and _RESERVED.match(part) is None
    )


def attempt_key(task_id: str, number: int) -> str:
    """Returns the key of an attempt's process, such as `F1@2`: one object, however many places keep it."""
    return intern(f"{task_id}@{number}")


def places_of(path: str, workspace: str) -> str:
    """Where an output may be, as `a|b`: in the task's own folder `workspace`, if it has one, or in the project."""
    return f"{workspace}/{path}|{path}" if workspace and not path.startswith("workspace/") else path


class Criterion(msgspec.Struct, frozen=True, gc=False):
    """One `- [ ]` line; `command` is the shell line in backticks that proves it, or None."""

    text: str
    command: str | None = None
    line: int = 0


class NoteKind(StrEnum):
    """What a reader did with a part of a plan written for another tool."""

    RESOLVED = "resolved"  # it has one meaning, though not its literal one
    GUESSED = "guessed"  # it may mean something else
    DROPPED = "dropped"  # a Nova plan has no place for it
    UNRESOLVED = "unresolved"  # it names something that does not exist


class Note(msgspec.Struct, frozen=True, gc=False):
    """A note on one part of such a plan; `line` counts from 1, 0 means the file as a whole."""

    kind: NoteKind
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.kind}: {self.text}"


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A checkbox in line `line` of a file, ticked when all of `ids` are completed.

    `text` is what followed the checkbox: it finds the line again after the file was edited.
    """

    path: str
    line: int
    ids: tuple[str, ...]
    text: str = ""


class PlanOptions(msgspec.Struct, frozen=True):
    """How to read a plan.

    `format` names its kind if that cannot be detected; `tag` selects one of several task lists (Taskmaster); `optional`
    includes the tasks that the plan calls optional; `lenient` means that a table was not written for Nova, see
    `parse_text`; None leaves that to the file.
    """

    format: str = ""
    tag: str = ""
    optional: bool = False
    lenient: bool | None = None


class Task(msgspec.Struct, frozen=True):
    """One row of the plan. Times are seconds, `memory` is bytes, `budget` US dollars, `line` counts from 1.

    `inputs` are paths that must exist before the task starts. `settled` is the plan's own word for a task without work:
    it is done already, or will not be done; `dropped` is True for the latter. `missing` names dependencies that are not
    in the plan: the task cannot start. A `gate` has no work of its own: it is completed with its dependencies. `file`
    is where the task is written, if that is not the plan's own path. `workspace` is the task's own folder, which may
    also hold its outputs; they only have to exist then. An input `a|b` may be at either place. `barriers` are the
    members of `depends_on` that come from the settings, not from the plan. `approval` is when a person must approve:
    "before" the task starts, "after" its work, or "" (never); "yes" in a plan whose settings are not applied.
    `terminal` says whether its worker has a terminal; None leaves that to the settings. `files` are paths and patterns
    of what it will change, for finding tasks that get in each other's way. `tree` is "project" if it must run in the
    project's own folder also where other tasks have trees of their own.
    """

    id: str
    name: str
    description: str = ""
    depends_on: tuple[str, ...] = ()
    group: str = ""
    branch: str = ""
    line: int = 0
    details: str = ""
    command: str | None = None
    agent: str | None = None
    model: str | None = None
    outputs: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    timeout: float | None = None
    retries: int | None = None
    priority: int = 0
    locks: tuple[str, ...] = ()
    approval: str = ""
    duration: float | None = None
    cpu: float = 0.0
    memory: int = 0
    budget: float | None = None
    inputs: tuple[str, ...] = ()
    settled: str = ""
    dropped: bool = False
    missing: tuple[str, ...] = ()
    gate: bool = False
    file: str = ""
    workspace: str = ""
    barriers: tuple[str, ...] = ()
    terminal: bool | None = None
    files: tuple[str, ...] = ()
    tree: str = ""


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """Four disjoint classes of tokens: uncached input, output, cache reads, cache writes."""

    input_tokens: Whole = 0
    output_tokens: Whole = 0
    cache_read_tokens: Whole = 0
    cache_creation_tokens: Whole = 0

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_creation_tokens + other.cache_creation_tokens,
        )

    def __sub__(self, other: TokenUsage) -> TokenUsage:
        """The difference of each class, at least 0."""
        return TokenUsage(
            max(0, self.input_tokens - other.input_tokens),
            max(0, self.output_tokens - other.output_tokens),
            max(0, self.cache_read_tokens - other.cache_read_tokens),
            max(0, self.cache_creation_tokens - other.cache_creation_tokens),
        )

    @property
    def total(self) -> int:
        """All tokens of all classes."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_creation_tokens
